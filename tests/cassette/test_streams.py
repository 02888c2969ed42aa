"""Secrets that come in pieces, cut anywhere: what is stored of all pieces together has none."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay.cassette.cassette import load
from replay.cassette.codec import pack, unpack
from replay.cassette.redact import Redactor, Rules
from replay.cassette.redact import streams as streaming
from replay.cassette.redact.scanning import scan
from replay.cassette.redact.streams import Answer
from replay.cassette.writer import Writer
from replay.model.errors import CassetteDamaged
from replay.player.frames import decoded
from tests.cassette.test_detectors import SECRETS

CASES = [(name, *each) for name in SECRETS for each in SECRETS[name]]
LETTERS = 14
"""What says which kind of secret it is may stand there (`sk-ant-api03-`): fewer bytes than these."""


def sse(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}, "index": 0}]}).encode() + b"\n\n"


def of_sse(pieces: list[bytes]) -> str:
    lines = b"".join(pieces).decode().split("\n\n")
    return "".join(json.loads(line[6:])["choices"][0]["delta"]["content"] for line in lines if line)


FORMS: dict[str, tuple[Callable[[str], Any], Callable[[list[Any]], str]]] = {
    "bytes": (str.encode, lambda pieces: b"".join(pieces).decode()),
    "text": (str, "".join),
    "field": (lambda text: {"n": 1, "delta": [text]}, lambda pieces: "".join(piece["delta"][0] for piece in pieces)),
    "pair": (lambda text: (7, text), lambda pieces: "".join(piece[1] for piece in pieces)),
    "events": (sse, of_sse),
}


def stored(pieces: list[Any], redactor: Redactor | None = None) -> list[Any]:
    """What a recording has of the pieces in the end."""
    redactor = redactor or Redactor(bytes(16))
    streams, pack_safely = redactor.streams(pack), redactor.packing(pack)
    found: list[Any] = []
    waiting: list[int] = []
    for piece in pieces:
        waits, value, late = streams.piece(0, piece)
        for place, each in zip(waiting, late, strict=False):
            found[place] = each
        waiting = [] if late else waiting
        if waits:
            waiting.append(len(found))
        found.append(value)
    for place, each in zip(waiting, streams.end(0), strict=True):
        found[place] = each
    return [unpack(pack_safely(value)) for value in found]


def shows(secret: str, said: str) -> bool:
    """Whether more of a secret than its beginning may tell stands there."""
    return any(secret[at : at + LETTERS] in said for at in range(len(secret) - LETTERS + 1))


def check(name: str, secret: str, said: str) -> None:
    parts = [secret]
    if name == "email":
        parts = ["".join(secret.partition("@")[1:])] if "@" in secret else ["".join(secret.partition("%40")[1:])]
    for part in parts:
        assert part not in said
        assert not shows(part, said)
    assert said.startswith("Here: ")
    assert said.endswith(" and more.")


@pytest.mark.parametrize(("name", "form", "secret"), CASES)
def test_cut_once_anywhere(name: str, form: str, secret: str) -> None:
    text = f"Here: {form.format(secret)} and more."
    for how, (make, joined) in FORMS.items():
        for at in range(1, len(text), 1 if how == "bytes" else 17):
            check(name, secret, joined(stored([make(text[:at]), make(text[at:])])))


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize(("name", "form", "secret"), CASES)
def test_in_small_pieces(name: str, form: str, secret: str, size: int) -> None:
    text = f"Here: {form.format(secret)} and more."
    for make, joined in FORMS.values():
        pieces = [make(text[at : at + size]) for at in range(0, len(text), size)]
        check(name, secret, joined(stored(pieces)))


@given(st.lists(st.text(max_size=12), max_size=8), st.sampled_from(sorted(FORMS)))
def test_what_has_no_secret_stays_as_it_is(texts: list[str], how: str) -> None:
    make, joined = FORMS[how]
    texts = [text.replace("\n", " ").encode("utf-8", "replace").decode() for text in texts]
    pieces = [make(text) for text in texts]
    if Redactor(bytes(16)).text("".join(texts)) == "".join(texts):
        assert joined(stored(pieces)) == "".join(texts)


@given(st.text(max_size=200), st.integers(1, 7))
def test_any_bytes(text: str, size: int) -> None:
    raw = ("ghp_0Ab1Cd2Ef3Gh4Ij5Kl6 " + text).encode("utf-8", "surrogatepass")
    said = b"".join(stored([raw[at : at + size] for at in range(0, len(raw), size)]))
    assert len(said) == len(raw) or b"r.invalid" in said


def test_no_more_waits_than_a_secret_may_be_long() -> None:
    streams = Redactor(bytes(16)).streams(pack)
    waits = [streams.piece(0, b"eyJ" + b"a" * 8000).waits for _ in range(20)]
    assert waits[0]
    assert not all(waits)


def test_a_secret_that_was_learnt() -> None:
    redactor = Redactor(bytes(16))
    redactor.header("Authorization", "Bearer it is-secret")
    assert "is-secret" not in "".join(stored(["so it is", "-secret", "!"], redactor))
    assert "".join(stored(["so it it is-", "t, my dear"], redactor)) == "so it it is-t, my dear"


def test_the_user_s_rules() -> None:
    redactor = Redactor(bytes(16), Rules.of({"regex": {"order": "ORD-[0-9]+"}}))
    assert "ORD" not in "".join(stored(["of OR", "D-1", "23 and"], redactor))


def test_what_is_printed_meanwhile() -> None:
    """The program has a piece before it is known to be a part of a secret, and may print it at once."""
    streams = Redactor(bytes(16)).streams(pack)
    assert streams.masked("card 4111 11") == "card 4111 11"
    pieces = ["by ghp_0Ab1", "Cd2Ef3Gh4Ij5Kl6", "7", " and more"]
    printed: list[Any] = []
    found: list[Any] = []
    for piece in pieces:
        waits, value, late = streams.piece(0, piece)
        found += [*late, value] if not waits else []
        printed.append(streams.masked(piece))
    assert streams.masked(7) == 7
    assert not shows("ghp_0Ab1Cd2Ef3Gh4Ij5Kl67", "".join(printed))
    assert "ghp_0Ab1" not in printed[0]
    assert [streams.masked(piece) for piece in pieces] == found, "and so does the replay"
    whole = streams.masked("".join(pieces))
    assert whole.startswith("by ghp_<redacted:")
    assert whole.endswith("> and more")
    assert "Cd2Ef3" not in streams.masked("in parts: by ghp_0Ab1|Cd2Ef3Gh4Ij5Kl6|7")


def test_what_only_looks_like_the_beginning_of_a_key() -> None:
    assert "".join(stored(["PRIVATE KEY-----", " it said"])) == "PRIVATE KEY----- it said"


def test_what_is_empty_or_no_text() -> None:
    assert stored([b"", None, 5, [], {"a": [1, b"x"]}, b"gh", b"", b"p_0Ab1Cd2Ef3Gh4Ij5", b"", b" x"])[:5] == [
        b"",
        None,
        5,
        [],
        {"a": [1, b"x"]},
    ]


# In a cassette.

KEY = "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"


def _write(path: Path, *, ended: bool = True, finished: bool = True) -> None:
    writer = Writer.create(path, {}, Redactor(bytes(16)))
    writer.lane(0, "m")
    for event in (0, 1):
        writer.call(0, "llm", f"s{event}", "read", 0, None, None, None, None, None)
        writer.ret(event, 1, 2, None, False)
    for number, piece in enumerate((f"by {KEY[:20]}", KEY[20:], " and", f" so {KEY[:20]}")):
        writer.chunk(0, 0, number, 0, piece, False)
        writer.chunk(1, 0, number, 0, f"p{number} ", False)
    if ended:
        writer.chunk(0, 0, 9, 3, None, False)
    writer.flush()
    if finished:
        writer.end({})
        writer.seal()
    writer.close()


def test_values_for_pieces_that_don_t_wait(tmp_path: Path) -> None:
    """Somebody else wrote it: too many values are left out, and what is no list is damage."""
    path = tmp_path / "x.cassette"
    writer = Writer.create(path, {})
    writer.lane(0, "m")
    for event, values in enumerate((["a", "b", "c"], "abc")):
        writer.call(0, "llm", "s", "read", 0, None, None, None, None, None)
        writer.chunk(event, 0, 0, 5, None, False)
        writer.chunk(event, 0, 0, 6, values, False)
    writer.flush()
    writer.close()
    with load(path) as cassette:
        assert [piece.value for piece in cassette.events[0].pieces] == ["a"]
        with pytest.raises(CassetteDamaged):
            cassette.events[1]


@pytest.mark.parametrize(("ended", "finished"), [(True, True), (False, True), (True, False), (False, False)])
def test_pieces_are_whole_in_a_cassette(tmp_path: Path, ended: bool, finished: bool) -> None:
    """One that still waits when the program is killed is as if it hadn't come."""
    path = tmp_path / "x.cassette"
    _write(path, ended=ended, finished=finished)
    assert KEY[:12].encode() not in path.read_bytes()
    assert list(scan(path)) == []
    with load(path) as cassette:
        pieces = [piece.value for piece in cassette.events[0].pieces if piece.status == "piece"]
        others = [piece.value for piece in cassette.events[1].pieces]
        frames = [fields for type_, _, fields in decoded(cassette.reader) if type_ == 5]
    known = ended or finished
    assert "".join(pieces[:3]).startswith("by ghp_<")
    assert pieces[2] == " and"
    assert len(pieces) == (4 if known else 3)
    assert others == ["p0 ", "p1 ", "p2 ", "p3 "]
    mine = [fields[3] for fields in frames if not str(fields[3]).startswith("p")]
    assert mine == [*pieces, *([None] if ended else [])]
    assert all(fields[2] in (0, 3) for fields in frames)
    assert [fields[3] for fields in frames][1::2][:4] == others if known else True, "and in their order"


def test_a_field_of_a_piece_that_is_written_already() -> None:
    streams = Redactor(bytes(16)).streams(pack)
    for piece in (b'{"content": "abc"} ', b'and more "text"'):
        assert streams.piece(1, piece) == Answer(False, piece, [])


# The short way.

SAID = [
    "the key is sk-proj-0123456789abcdefghij, keep it",
    'write to bob@example.com or say {\\"password\\": \\"hunter22\\"} to 4111 1111 1111 1111 now',
    "Authorization: Bearer 0123456789abcdef0123 and -----BEGIN RSA PRIVATE KEY-----\\nMIIEvQIBADANBg0123456789",
    "plain words, and more of them; a task-force",
]
SHAPES = [
    'data: {"id": "1", "choices": [{"delta": {"content": "%s"}}]}\n\n',
    'data: {"type": "text", "text": "%s"}\n\n',
    'data: {"delta": "%s"}',
    "%s",
    'data: {"no": "%s"}\n',
]


def _pieces_of(said: str, cuts: list[int], shapes: list[str]) -> list[bytes]:
    places = sorted({0, len(said), *(cut % (len(said) + 1) for cut in cuts)})
    parts = [said[a:b] for a, b in itertools.pairwise(places)]
    return [(shapes[number % len(shapes)] % part).encode() for number, part in enumerate(parts)]


def _answers(pieces: list[bytes]) -> list[Any]:
    streams = Redactor(bytes(16)).streams(pack)
    return [*(tuple(streams.piece(7, piece)) for piece in pieces), streams.end(7), streams.masked("bob sk-proj-01")]


@given(
    st.lists(st.sampled_from(SAID), min_size=1, max_size=3).map(" ".join),
    st.lists(st.integers(0, 300), max_size=25),
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=2),
)
@example(SAID[0], [5, 12, 16, 24, 28], SHAPES[:1])
@example(SAID[0], [12, 30], SHAPES[:1])
@example(SAID[1], [3, 12, 15, 20, 40, 46, 60], SHAPES[:1])
def test_the_short_way_for_a_piece_tells_what_the_long_one_tells(said: str, cuts: list[int], shapes: list[str]) -> None:
    pieces = _pieces_of(said, cuts, shapes)
    short = _answers(pieces)
    thread: Any = vars(streaming)["_Thread"]
    kept = thread.passes

    def never(_thread: Any, _text: bytes) -> bool:
        return False

    thread.passes = never
    try:
        assert _answers(pieces) == short
    finally:
        thread.passes = kept
