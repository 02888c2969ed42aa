"""Compressed bodies in pieces: what they unpack to has no secrets, and every client can still unpack it."""

from __future__ import annotations

import gzip
import importlib
import sys
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.codec import pack as pack_value
from replay.cassette.redact import packed, packing
from replay.cassette.redact.pseudonyms import Pseudonyms, plainer
from replay.cassette.redact.streams import Streams
from replay.cassette.redact.texts import Texts
from replay.model.encodings import decode

brotli: Any = importlib.import_module("brotli")

KEY = b"ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"
NAMES = ("gzip", "deflate", "br", "zstd")


def _raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


WHOLE: dict[str, list[Callable[[bytes], bytes]]] = {
    "gzip": [gzip.compress, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])],
    "deflate": [zlib.compress, _raw],
    "br": [brotli.compress],
    "zstd": [zstandard.compress, lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:])],
}


def streams(key: bytes = bytes(16)) -> Streams:
    return Streams(Texts(Pseudonyms(key)), pack_value)


def head(name: str, size: int | None = None, **more: str) -> dict[str, Any]:
    headers = [["Content-Type", "text/plain"], ["Content-Encoding", name]]
    headers += [] if size is None else [["Content-Length", str(size)]]
    return {"status": 200, "headers": headers + [[key, value] for key, value in more.items()]}


def stored(told: Streams, how: Any, pieces: list[bytes], *, ends: bool = True) -> list[bytes]:
    """What is in the file for the pieces."""
    told.opened(7, how)
    kept: list[Any] = []
    waiting = 0
    for piece in pieces:
        waits, value, late = told.piece(7, piece)
        assert not late or len(late) == waiting
        kept += late
        waiting = 0 if late else waiting
        if waits:
            waiting += 1
        else:
            assert not waiting
            kept.append(value)
    late = told.end(7) if ends else next(late for _, late in told.ends()) if waiting else []
    assert len(late) == waiting
    return kept + late


def flushed(name: str, texts: list[bytes]) -> list[bytes]:
    """As a server that streams."""
    packer = packing.packer(name)
    return [packer.piece(text, last=number == len(texts) - 1) for number, text in enumerate(texts)]


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        if at < len(data):
            yield data[at : at + size]
        at += size
    if at < len(data):
        yield data[at:]


WORDS = st.lists(st.sampled_from([b"a word", b"write to", KEY, b"bob@example.com", b"42", b"\n"]), max_size=12)
TEXTS = WORDS.map(lambda words: b"".join(word + b" " for word in words))
SIZES = st.lists(st.integers(1, 90), max_size=12)


@pytest.mark.parametrize("name", NAMES)
@given(whole=TEXTS, sizes=SIZES)
def test_a_stream_that_is_flushed(name: str, whole: bytes, sizes: list[int]) -> None:
    texts = list(cut(whole, sizes)) or [b""]
    pieces = flushed(name, texts)
    told = streams()
    kept = stored(told, head(name), pieces)
    text, problems = decode(b"".join(kept), name)
    assert (problems, told.unable) == ([], [])
    assert KEY not in text
    assert b"bob@example.com" not in text
    assert len(kept) == len(pieces)
    assert all(kept)
    if KEY not in whole and b"bob@" not in whole:
        assert kept == pieces
    reader = packing.unpacker(name)
    lengths = [len(reader.feed(piece, 1 << 20)) for piece in kept]
    if b"bob@" not in whole and lengths:  # a key's stand-in is as long as it
        assert lengths == [len(each) for each in texts]


@pytest.mark.parametrize(("name", "pack"), [(name, pack) for name in NAMES for pack in WHOLE[name]])
@given(text=TEXTS, sizes=SIZES, said=st.booleans())
def test_a_body_that_is_cut_anywhere(
    name: str, pack: Callable[[bytes], bytes], text: bytes, sizes: list[int], said: bool
) -> None:
    body = pack(text)
    pieces = list(cut(body, sizes))
    told = streams()
    kept = stored(told, head(name, len(body) if said else None), pieces)
    safe, problems = decode(b"".join(kept), name)
    assert problems == []
    assert KEY not in safe
    assert len(kept) == len(pieces)
    assert all(kept)
    if said and not told.unable:
        assert [len(piece) for piece in kept] == [len(piece) for piece in pieces]
    if KEY not in text and b"bob@" not in text:
        assert kept == pieces
        assert not told.unable
    else:
        assert safe.startswith(text[: max(text.find(KEY[:4]), 0)] if b"bob@" not in text else b"")


@pytest.mark.parametrize("name", NAMES)
@given(text=TEXTS, sizes=SIZES, at=st.integers(0, 300), said=st.booleans())
def test_a_stream_that_is_left_early(name: str, text: bytes, sizes: list[int], at: int, said: bool) -> None:
    body = WHOLE[name][0](text)
    pieces = list(cut(body[:at], sizes))
    kept = stored(streams(), head(name, len(body) if said else None), pieces, ends=at % 2 == 0)
    assert len(kept) == len(pieces)
    assert KEY not in decode(b"".join(kept), name)[0]


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_secret_after_much_that_was_written(name: str) -> None:
    texts = [b"first piece\n", b"second piece\n", KEY[:20], KEY[20:] + b".\n", b"last"]
    pieces = flushed(name, texts)
    told = streams()
    told.opened(1, head(name))
    first = [told.piece(1, piece) for piece in pieces[:2]]
    assert [(waits, value) for waits, value, _ in first] == [(False, piece) for piece in pieces[:2]]
    assert told.piece(1, pieces[2]).waits
    kept = stored(streams(), head(name), pieces)
    text, problems = decode(b"".join(kept), name)
    assert problems == []
    assert text.startswith(b"first piece\nsecond piece\nghp_<redacted:")
    assert text.endswith(b">.\nlast")


def test_pieces_that_unpack_to_nothing() -> None:
    named = packing.exactly("gzip", KEY + b".", 400)
    assert named is not None
    told = streams()
    kept = stored(told, head("gzip"), list(cut(named, [1] * 300)))
    assert len(kept) == 301
    assert all(kept)
    text, problems = decode(b"".join(kept), "gzip")
    assert (problems, text[:14]) == ([], b"ghp_<redacted:")


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_a_secret_over_two_members(name: str) -> None:
    pack = WHOLE[name][0]
    pieces = [pack(b"a "), pack(KEY[:20]), pack(KEY[20:]), pack(b" b")]
    kept = stored(streams(), head(name), pieces)
    text, problems = decode(b"".join(kept), name)
    assert problems == []
    assert text.startswith(b"a ghp_<redacted:")
    assert text.endswith(b"> b")
    assert kept[0] == pieces[0]


@pytest.mark.parametrize(("name", "pack"), [(name, pack) for name in NAMES for pack in WHOLE[name][:1]])
def test_what_is_too_much_to_wait(name: str, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "HELD", 100)
    body = pack(
        b" ".join(sha256(b"%d" % n).hexdigest()[:6].encode() for n in range(300)) + b" " + KEY + b" and no more"
    )
    pieces = list(cut(body, [40] * 200))
    told = streams()
    kept = stored(told, head(name), pieces)
    assert kept[0] == pieces[0]
    assert kept[-1] == bytes(len(pieces[-1]))
    assert KEY not in decode(b"".join(kept), name)[0]
    assert told.unable == [
        f"a secret in a body of content-encoding {name} couldn't be replaced: the replay can't read it"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_bomb(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST", 10_000)
    pieces = list(cut(WHOLE[name][0](bytes(9_000_000)), [7] * 9))
    told = streams()
    assert stored(told, head(name), pieces) == pieces
    assert told.unable == [f"a body of content-encoding {name} isn't searched for secrets: it unpacks to too much"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_damaged(name: str) -> None:
    texts = [b"good\n", KEY + b"\n", b"more\n"]
    pieces = [*flushed(name, texts)[:2], b"\xff" * 40, b"behind"]
    told = streams()
    kept = stored(told, head(name), pieces)
    assert kept[2:] == [bytes(40), bytes(6)]
    assert KEY not in decode(b"".join(kept), name)[0]
    assert len(told.unable) == 1
    told = streams()
    assert stored(told, head(name), [b"not packed at all", b"indeed"]) == [b"not packed at all", b"indeed"]
    assert "isn't searched" in told.unable[0]


def no_room(*_: Any, **__: Any) -> None:
    """In place of `packing.exactly`."""


def test_a_body_whose_length_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    body = gzip.compress(b"a@example.org")
    told = streams()
    kept = stored(told, head("gzip", len(body)), list(cut(body, [20])))
    if told.unable:
        assert told.unable == [
            "a body of content-encoding gzip got longer without its secrets: who counts can't read it at replay"
        ]
    assert decode(b"".join(kept), "gzip")[0].endswith(b"@r.invalid")
    monkeypatch.setattr(packing, "exactly", no_room)
    told = streams()
    kept = stored(told, head("gzip", len(body)), [body])
    assert "got longer" in told.unable[0]
    assert decode(b"".join(kept), "gzip")[0].endswith(b"@r.invalid")


@pytest.mark.parametrize(("name", "module"), [("br", "brotli"), ("zstd", "zstandard")])
def test_without_the_library(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, module)
    told = streams()
    assert stored(told, head(name), [b"whatever"]) == [b"whatever"]
    assert told.unable == [f"a body of content-encoding {name} isn't searched for secrets: nothing here can unpack it"]
    problems: list[str] = []
    assert (
        packed.whole(Texts(Pseudonyms(b"")), [["content-encoding", name]], b"whatever", problems.append) == b"whatever"
    )
    assert len(problems) == 1


def test_a_brotli_that_cannot_be_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        error = ValueError

        class Decompressor:
            def process(self, data: bytes) -> bytes:
                return data

    monkeypatch.setitem(sys.modules, "brotli", Old)
    told = streams()
    assert stored(told, head("br"), [b"whatever"]) == [b"whatever"]
    assert "can't bound its output" in told.unable[0]


@pytest.mark.parametrize(
    "how", [None, {}, {"headers": "?"}, {"headers": []}, head("identity"), {"headers": [["a", "b"]]}]
)
def test_what_is_not_compressed(how: Any) -> None:
    assert packed.encoding_of(how) is None


def test_how_long_it_is_said_to_be() -> None:
    assert packed.encoding_of(head("X-GZIP", 9)) == ("gzip", 9)
    assert packed.encoding_of(head("gzip", 9, **{"Transfer-Encoding": "chunked"})) == ("gzip", None)


@pytest.mark.parametrize(("name", "pack"), [(name, pack) for name in NAMES for pack in WHOLE[name]])
@given(text=TEXTS)
def test_a_request(name: str, pack: Callable[[bytes], bytes], text: bytes) -> None:
    problems: list[str] = []
    body = pack(text)
    safe = packed.whole(Texts(Pseudonyms(b"")), [["Content-Encoding", name]], body, problems.append)
    assert problems == []
    found, warnings = decode(safe, name)
    assert warnings == []
    assert KEY not in found
    assert safe == body or KEY in text or b"bob@" in text


def test_a_request_that_is_not_what_it_says() -> None:
    problems: list[str] = []
    texts = Texts(Pseudonyms(b""))
    assert packed.whole(texts, [["Content-Encoding", "gzip"]], b"plain", problems.append) == b"plain"
    assert "isn't searched" in problems[0]
    assert packed.whole(texts, [], b"plain", problems.append) == b"plain"
    assert packed.whole(texts, [["Content-Encoding", "gzip"]], b"", problems.append) == b""


@pytest.mark.parametrize("name", NAMES)
@given(text=st.binary(max_size=200), more=st.integers(0, 60), raw=st.booleans())
def test_exactly_so_many_bytes(name: str, text: bytes, more: int, raw: bool) -> None:
    size = len(WHOLE[name][1 if raw and name == "deflate" else 0](text)) + more
    made = packing.exactly(name, text, size, raw=raw and name == "deflate")
    if made is not None:
        assert len(made) == size
        assert decode(made, name) == (text, [])
    assert packing.exactly(name, text, 1) is None


def test_stand_ins_that_pack_better() -> None:
    text = b"sk-<redacted:c1dd7a> <~12> abcdef@r.invalid aabbcc%40r.invalid, deadbeef"
    assert plainer(text, 4) == b"sk-<redacted:c1dd00> <~12> abcd00@r.invalid aabb00%40r.invalid, deadbeef"
    assert plainer(text, 0) == b"sk-<redacted:000000> <~12> 000000@r.invalid 000000%40r.invalid, deadbeef"
