"""AWS event streams: whole, cut and damaged."""

from __future__ import annotations

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from replay.semantics.eventstream import Frame, parse


def frame(headers: bytes, payload: bytes) -> bytes:
    """One frame, by the description of the format."""
    head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = head + struct.pack(">I", zlib.crc32(head)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def text(name: str, value: str) -> bytes:
    """A string header."""
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()


@given(st.lists(st.tuples(st.dictionaries(st.text("abc:-", max_size=9), st.text(max_size=9)), st.binary()), max_size=4))
def test_round_trip_and_every_cut(frames: list[tuple[dict[str, str], bytes]]) -> None:
    parts = [frame(b"".join(text(n, v) for n, v in headers.items()), payload) for headers, payload in frames]
    want = [Frame(headers, payload) for headers, payload in frames]
    assert parse(b"".join(parts)) == (want, None)
    if parts:
        assert parse(b"".join(parts)[:-1]) == (want[:-1], "the event stream is cut inside a frame")


def test_headers_of_other_types_are_skipped() -> None:
    headers = b"\x01t\x00" + b"\x01n\x04" + bytes(4) + b"\x01b\x06\x00\x02xy" + text(":event-type", "x")
    assert parse(frame(headers, b""))[0] == [Frame({":event-type": "x"}, b"")]
    unknown = text("a", "1") + b"\x01z\x63" + text("b", "2")
    assert parse(frame(unknown, b""))[0] == [Frame({"a": "1"}, b"")]


def test_damage_is_named() -> None:
    good = frame(b"", b"one")
    for at in (0, 9, 13, len(good) - 1):
        bad = bytearray(good)
        bad[at] ^= 1
        assert parse(good + bytes(bad)) == ([Frame({}, b"one")], "the event stream has a damaged frame")
    head = struct.pack(">II", 3, 0)
    assert parse(head + struct.pack(">I", zlib.crc32(head)) + bytes(4))[1] == "the event stream has a damaged frame"
