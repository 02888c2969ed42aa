"""Framing: what is encoded is parsed, wherever the buffer is cut; what is damaged is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette import frame as f

FRAMES = st.lists(
    st.tuples(st.integers(1, 11), st.integers(0, 2**32 - 1), st.binary(max_size=40)), min_size=1, max_size=8
)


def encoded(frames: list[tuple[int, int, bytes]]) -> tuple[bytes, list[int]]:
    data, seed, ends = b"", 0, [0]
    for type_, event, payload in frames:
        one, seed = f.encode(type_, event, payload, seed)
        data += one
        ends.append(len(data))
    return data, ends


def decoded(data: bytes, parsed: f.Parsed) -> list[tuple[int, int, bytes]]:
    return [(type_, event, data[start:end]) for type_, event, start, end in parsed.frames]


@given(FRAMES, st.data())
def test_any_cut_gives_the_whole_frames_before_it(frames: list[tuple[int, int, bytes]], draw: st.DataObject) -> None:
    data, ends = encoded(frames)
    cut = draw.draw(st.integers(0, len(data)))
    parsed = f.parse(data[:cut], 0)
    whole = sum(end <= cut for end in ends) - 1
    assert decoded(data, parsed) == frames[:whole]
    assert parsed.end == ends[whole]
    assert parsed.problem is None
    rest = f.parse(data[parsed.end :], parsed.crc)
    assert decoded(data[parsed.end :], rest) == frames[whole:]


@given(FRAMES, st.data())
def test_any_flipped_bit_is_found_and_what_is_before_it_is_kept(
    frames: list[tuple[int, int, bytes]], draw: st.DataObject
) -> None:
    data, ends = encoded(frames)
    bit = draw.draw(st.integers(0, 8 * len(data) - 1))
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    parsed = f.parse(bytes(flipped), 0)
    before = sum(end <= bit // 8 for end in ends) - 1
    assert decoded(bytes(flipped), parsed) == frames[:before]
    assert parsed.end < len(data)


def test_a_length_beyond_the_limit_is_damage() -> None:
    data = bytearray(encoded([(4, 0, b"x")])[0])
    data[4] = 0xFF
    assert f.parse(bytes(data), 0).problem == f"a length of {0xFF000001} bytes"


def test_a_limit_stops_the_parser() -> None:
    data, ends = encoded([(4, 0, b"x"), (4, 1, b"y")])
    assert f.parse(data, 0, limit=1).end == ends[1]


def test_an_envelope_ends_a_parse_and_seeds_nothing() -> None:
    first, seed = f.encode(f.EVENT, 0, b"x", 0)
    block, _ = f.encode(f.BLOCK, f.NO_EVENT, b"y", seed)
    parsed = f.parse(first + block + b"rest", 0)
    assert [frame[0] for frame in parsed.frames] == [f.EVENT, f.BLOCK]
    assert (parsed.crc, parsed.end) == (seed, len(first + block))


def test_whole_size() -> None:
    data = encoded([(4, 0, b"12345")])[0]
    assert f.whole_size(data, 0) == 18
    assert f.whole_size(data[:12], 0) == 13


def test_a_payload_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f, "MAX_PAYLOAD", 3)
    with pytest.raises(OverflowError, match="up to 3 bytes"):
        f.encode(f.EVENT, 0, b"1234", 0)
