"""Digests of events: the same however a recording is stored, different where it says something else."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette import digests, layout, opening
from replay.cassette import frame as f
from replay.cassette.codec import pack
from replay.cassette.delta import Delta, difference
from replay.cassette.digests import Digests, Making
from replay.cassette.footer import unpack
from replay.cassette.pieces import Texts
from replay.cassette.reader import Reader
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import CassetteDamaged
from tests.cassette.recordings import add, begin, record
from tests.format.tiny import Tiny

V1 = Path(__file__).parents[2] / "fixtures" / "cassettes" / "v1"

said = st.lists(st.sampled_from([b'{"a": 1},', b"prose " * 50, b"x" * 1500, b"},", b"end", b""]), max_size=12).map(
    b"".join
)


@given(st.lists(said, min_size=1, max_size=6))
def test_a_text_has_one_digest_however_it_is_stored(texts: list[bytes]) -> None:
    stored, whole = Texts(), Texts()
    for event, text in enumerate(texts):
        before = texts[event - 1] if event else b""
        delta = difference(event - 1, before, text) if event else None
        assert stored.add(event, text if delta is None else delta) == whole.add(event, text)


@given(said, said, said, said)
def test_any_cut_of_a_text_will_do(head: bytes, old: bytes, new: bytes, tail: bytes) -> None:
    stored, whole = Texts(), Texts()
    stored.add(0, head + old + tail)
    assert stored.add(1, Delta(0, len(head), len(tail), new)) == whole.add(1, head + new + tail)


def test_the_same_again_is_known_however_long_ago() -> None:
    texts = Texts()
    first = texts.add(0, b"a" * 300)
    for event in range(1, 100):
        texts.add(event, b"%d" % event * 300)
    assert texts.add(100, Delta(0, 300, 0, b"")) == first
    assert texts.add(101, Delta(0, 200, 0, b"")) == texts.add(102, Delta(0, 200, 0, b""))  # too long ago: as it is


def http(path: Path, url: str, answer: bytes, *, headers: dict[str, str] | None = None, body: bytes = b"ask") -> None:
    writer = begin(path)
    asked = {"method": "post", "url": url, "headers": [["User-Agent", str(path)]]}
    head = {"status": 200, "headers": [list(pair) for pair in (headers or {}).items()]}
    event = writer.call(0, "http", "POST", "read", 5, 0, asked, body, None, None)
    writer.ret(event, 6, 2, head, False)
    for piece in (answer[:3], answer[3:]):
        writer.chunk(event, 0, 7, 0, piece, False)
    writer.chunk(event, 0, 8, 3, None, False)
    writer.end({})
    writer.seal()
    writer.close()


def of(path: Path) -> tuple[bytes, bytes, int]:
    with Reader.open(path) as reader:
        found = reader.digests
        return found.ask[0], found.answer[0], found.exact[0]


def test_what_is_new_in_every_run_is_only_in_the_checksum(tmp_path: Path) -> None:
    one, other = tmp_path / "a.cassette", tmp_path / "b.cassette"
    http(one, "http://127.0.0.1:4001/v1?q=1", b'{"id": "resp_8a7b6c5d4e", "created": 1790000000}')
    zipped = gzip.compress(b'{"id": "resp_1a2b3c4d5e", "created": 1790000099}')
    http(other, "https://api.test/v1?q=1", zipped, headers={"Content-Encoding": "gzip", "Date": "now"})
    (ask, answer, exact), (ask_b, answer_b, exact_b) = of(one), of(other)
    assert (ask, answer) == (ask_b, answer_b)
    assert exact != exact_b
    with Reader.open(one) as reader:
        assert reader.digests.places == [("http", "POST /v1", "http://127.0.0.1:4001")]


@pytest.mark.parametrize(
    ("url", "answer", "body", "headers", "same"),
    [
        ("http://h/v1?q=2", b"yes", b"ask", {}, (False, True)),
        ("http://h/v1", b"yes", b"other", {}, (False, True)),
        ("http://h/v1", b"no", b"ask", {}, (True, False)),
        ("http://h/v1", b"yes", b"ask", {"Location": "there"}, (True, False)),
        ("http://h/v1", b"yes", b"ask", {"Content-Encoding": "gzip"}, (True, True)),  # it isn't
    ],
)
def test_what_says_something_else_differs(
    url: str, answer: bytes, body: bytes, headers: dict[str, str], same: tuple[bool, bool], tmp_path: Path
) -> None:
    one, other = tmp_path / "a.cassette", tmp_path / "b.cassette"
    http(one, "http://h/v1", b"yes")
    http(other, url, answer, body=body, headers=headers)
    (ask, answered, _), (ask_b, answered_b, _) = of(one), of(other)
    assert (ask == ask_b, answered == answered_b) == same


Wrote = Callable[[Writer], object]


def outcomes() -> dict[str, Wrote]:
    def failed(writer: Writer) -> object:
        return writer.event(0, "tool", "add", "read", 5, 0, ["in"], None, None, None, 1, 1, ValueError("no"))

    def opened(writer: Writer) -> object:
        return writer.call(0, "tool", "add", "read", 5, 0, ["in"], None, None, None)

    def streamed(*values: object) -> Wrote:
        def write(writer: Writer) -> object:
            event = writer.event(0, "tool", "add", "read", 5, 0, ["in"], None, None, None, 1, 2, None)
            for value in values:
                writer.chunk(event, 0, 7, 0, value, False)
            return event

        return write

    def with_content(writer: Writer) -> object:
        event = writer.call(0, "tool", "add", "read", 5, 0, ["in"], None, None, None)
        writer.content(event, b"inside", b"digest", "chain")
        writer.ret(event, 6, 0, None, False)
        return event

    return {
        "nothing": lambda writer: add(writer, None),
        "a value": lambda writer: add(writer, 5),
        "failed": failed,
        "open": opened,
        "one piece": streamed("x"),
        "another piece": streamed(b"y"),
        "content": with_content,
    }


def test_each_outcome_has_another_digest(tmp_path: Path) -> None:
    found: dict[str, tuple[bytes, bytes, int]] = {}
    for name, write in outcomes().items():
        path = tmp_path / f"{name}.cassette"
        writer = begin(path)
        write(writer)
        writer.flush()
        writer.close()
        found[name] = of(path)
    assert len({ask for ask, _, _ in found.values()}) == 1
    assert len({answer for _, answer, _ in found.values()}) == len(found)


def test_pieces_that_came_late_are_those_that_came(tmp_path: Path) -> None:
    late, at_once = Making(), Making()
    for making in (late, at_once):
        call = [0, "tool", "say", "read", 5, None, None, None, None, 1, 2, None]
        making.add(4, 0, pack(call))
        making.add(3, 9, b"")  # of an event that isn't here
    late.add(f.CHUNK, 0, pack([0, 1, 0, "a", False]))
    late.add(f.CHUNK, 0, pack([0, 1, 5, None, False]))
    late.add(f.CHUNK, 0, pack([0, 2, 6, ["b"], False]))
    late.add(f.CHUNK, 0, pack([0, 3, 5, None, False]))  # never came
    late.add(f.CHUNK, 0, pack([0, 3, 3, None, False]))
    for value in "ab":
        at_once.add(f.CHUNK, 0, pack([0, 1, 0, value, False]))
    assert late.done() == at_once.done()


def test_the_numbers_of_a_file_are_chance(tmp_path: Path) -> None:
    found: list[tuple[bytes, bytes]] = []
    for number, name in ((1, "stat"), (2, "stat"), (2, "listdir")):
        making = Making()
        making.add(4, 0, pack([0, "file", name, "read", 5, None, "x", None, None, 1, 0, [[33188], number, 64, 1]]))
        making.add(4, 1, pack([0, "clock", "time", "read", 5, None, None, None, None, 1, 0, 5.0]))
        made = making.done()
        found.append((made.answer[0], made.answer[1]))
    assert found[0] == found[1] != found[2]
    assert found[0][1] == bytes(8)


def test_they_are_stored_when_a_recording_is_sealed(tmp_path: Path) -> None:
    record(tmp_path / "open.cassette", [1, 2, "three"])
    record(tmp_path / "sealed.cassette", [1, 2, "three"], seal=True)
    with Reader.open(tmp_path / "open.cassette") as made, Reader.open(tmp_path / "sealed.cassette") as stored:
        assert stored.digests is stored.digests
        assert stored.digests == made.digests == digests.of(stored.frames())
        tiny = Tiny((tmp_path / "sealed.cassette").read_bytes())
        assert tiny.index["digests"] == [tiny.digests_at, tiny.index_at - tiny.digests_at]
        assert tiny.digests[3] == b"".join(stored.digests.ask)
        again = Digests.unpack(stored.digests.pack(), 3)
        assert again == stored.digests


def test_an_old_file_has_none_and_is_read_all_the_same() -> None:
    with Reader.open(V1 / "sealed.cassette") as reader:
        assert len(reader.digests.ask) == len(reader)


def test_other_versions_and_other_numbers_are_no_use(tmp_path: Path) -> None:
    record(tmp_path / "x.cassette", [1])
    with Reader.open(tmp_path / "x.cassette") as reader:
        found = reader.digests
    payload = found.pack()
    assert Digests.unpack(payload, 1) == found
    assert Digests.unpack(payload, 2) is None
    assert Digests.unpack(payload.replace(b"\x96\x01", b"\x96\x02", 1), 1) is None
    assert Digests.unpack(payload[:-1], 1) is None
    wrong: list[dict[str, Any]] = [{"place": [7]}, {"place": [-1]}, {"lane": ["m"]}, {"ask": [b"short"]}, {"exact": []}]
    for each in wrong:
        assert Digests.unpack(replace(found, **each).pack(), 1) is None
    assert Digests.unpack(Digests().pack(), 0) == Digests()


@pytest.mark.parametrize("what", ["frame", "content", "place"])
def test_stored_ones_that_are_wrong_are_not_believed(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"

    def forged(_: Digests) -> bytes:
        return b"\x90"

    with pytest.MonkeyPatch.context() as patch:
        if what == "content":  # whoever forges a file makes it fit
            patch.setattr(Digests, "pack", forged)
        record(path, [1, 2], seal=True)
    data = bytearray(path.read_bytes())
    source = opening.source(path)
    found = layout.of(source)
    place = found.footer.digests
    assert place is not None
    if what == "frame":
        data[place[0] + place[1] - 1] ^= 1
        path.write_bytes(data)
    elif what == "place":
        found.footer.digests = (found.index_at, 1 << 40)
    assert layout.digests(source, found) is None
    source.close()
    with Reader.open(path) as reader:
        assert reader.digests == digests.of(reader.frames())


def test_verify_compares_them(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    real = Digests.pack

    def forged(self: Digests) -> bytes:
        self.answer[0] = bytes(8)
        return real(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Digests, "pack", forged)
        record(path, [1, 2], seal=True)
    assert verify(path).problem == "footer"


@pytest.mark.parametrize("limit", ["UP_TO", "UP_TO_EVENTS"])
def test_a_large_recording_is_sealed_without(limit: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, limit, 1)
        record(path, [1, 2], seal=True)
    with Reader.open(path) as reader:
        assert layout.of(reader.source).footer.digests is None
        assert len(reader.digests.ask) == 2


@pytest.mark.parametrize("step", ["add", "done"])
def test_what_has_no_digests_is_sealed_all_the_same(step: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"

    def fails(*_: Any) -> None:
        raise CassetteDamaged("a bug of ours", offset=0, good_events=0)

    recording = begin(path)
    add(recording, 1)
    recording.end({})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Making, step, fails)
        assert recording.seal() == "CassetteDamaged: a bug of ours [cassette-damaged]"
    recording.close()
    assert verify(path).intact


def test_a_footer_that_has_them_nowhere_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1, 2], seal=True)
    source = opening.source(path)
    footer = layout.of(source).footer
    source.close()
    footer.digests = (-1, 5)
    with pytest.raises(ValueError, match="nowhere"):
        unpack(footer.pack())


def test_what_cannot_be_unpacked_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    real = f.encode

    def forged(type_: int, event: int, payload: bytes, seed: int) -> tuple[bytes, int]:
        return real(type_, event, pack([1, 0, b""]) if type_ == f.DIGESTS else payload, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f, "encode", forged)
        record(path, [1, 2], seal=True)
    with Reader.open(path) as reader:
        assert reader.digests == digests.of(reader.frames())


def test_what_was_asked_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path)
    add(writer, 1, body=b"a body" * 100, chain="c")
    event = writer.call(0, "tool", "add", "read", 5, 0, ["in"], b"a body" * 101, "c", None)
    writer.ret(event, 6, 0, None, False)
    add(writer, 1)
    writer.flush()
    writer.close()
    with Reader.open(path) as reader:
        assert [reader.asked(number) for number in range(3)] == [b"a body" * 100, b"a body" * 101, None]
