"""One event out of a BLOCK is read without its neighbours being checked; what was altered is never taken for right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette import frame as f
from replay.cassette._msgpack import plain
from replay.cassette.footer import Footer, Segment, Stored
from replay.cassette.frame import Frame
from replay.cassette.sealing import compressed
from replay.cassette.segment import Run
from replay.cassette.source import FileSource

SEED = 4711
frames = st.lists(
    st.tuples(st.sampled_from([f.CALL, f.RETURN, f.EVENT, f.CHUNK]), st.integers(0, 5), st.binary(max_size=40)),
    min_size=1,
    max_size=20,
)


def framed(found: list[tuple[int, int, bytes]], seed: int = SEED) -> bytes:
    data = b""
    for type_, event, payload in found:
        whole, seed = f.encode(type_, event, payload, seed)
        data += whole
    return data


def parsed(data: bytes) -> list[Frame]:
    return f.parse(data, SEED).frames


class Blocks:
    """Files of one segment that begins with event 0: packed, with a checksum that is right, or as it is."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "segment"

    def __call__(self, data: bytes, *, packed: bool = True) -> Run:
        stored = f.encode(f.BLOCK, f.NO_EVENT, plain([len(data), 0, compressed(data)]), SEED)[0] if packed else data
        self._path.write_bytes(stored)
        footer = Footer([Segment(0, SEED, 0)], len(data), 6, {}, (), (), (), [], [Stored(0, len(stored), packed)])
        return Run(FileSource(self._path), footer, 0)


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Blocks:
    return Blocks(tmp_path_factory.mktemp("segments"))


@given(found=frames, packed=st.booleans(), asked=st.lists(st.integers(0, 6), max_size=40))
def test_the_frames_of_an_event(block: Blocks, found: Any, packed: bool, asked: list[int]) -> None:
    run = block(framed(found), packed=packed)
    for event in asked:
        expected = [frame for frame in found if frame[1] == event]
        assert run.of(event) == expected
        assert run.of(event, 1) == expected[:1]
    assert list(run.records()) == found
    assert run.damage is None
    assert run.of(0) == [frame for frame in found if frame[1] == 0]


@given(found=frames)
def test_lengths_lead_where_checksums_do(found: Any) -> None:
    data = framed(found)
    events, ends = f.walk(data)
    assert events == [event for _, event, _ in found]
    assert ends == [0, *(end for *_, end in parsed(data))]


@given(found=frames, at=st.integers(0), to=st.integers(1, 255), asked=st.lists(st.integers(0, 5), min_size=1))
def test_an_altered_byte_behind_a_right_checksum(block: Blocks, found: Any, at: int, to: int, asked: list[int]) -> None:
    """Who repacks a BLOCK may leave frames out; none is given that wasn't written (`verify` finds both)."""
    data = bytearray(framed(found))
    data[at % len(data)] ^= to
    run = block(bytes(data))
    good = f.parse(bytes(data), SEED).frames
    for event in asked:
        assert all(frame in found and frame[1] == event for frame in run.of(event))
    assert len(list(run.records())) == len(good)


@pytest.mark.parametrize(("cut", "more"), [(-1, b""), (None, b"\0"), (14, b"")])
def test_lengths_that_do_not_fill_it(block: Blocks, cut: int | None, more: bytes) -> None:
    found = [(f.EVENT, 0, b"one"), (f.EVENT, 1, b"other")]
    run = block(framed(found)[:cut] + more)
    assert run.of(1) in ([], found[1:])
    assert run.damage is not None


@pytest.mark.parametrize("lie", [0, 1])
def test_a_block_that_was_altered(tmp_path: Path, lie: int) -> None:
    """Its checksum is wrong, or the length that it says."""
    data = framed([(f.EVENT, 0, b"one" * 9)])
    payload = plain([len(data) + lie, 0, compressed(data)])
    stored = bytearray(f.encode(f.BLOCK, f.NO_EVENT, payload, SEED)[0])
    stored[0] ^= 1 - lie
    path = tmp_path / "segment"
    path.write_bytes(stored)
    footer = Footer([Segment(0, SEED, 0)], len(data), 1, {}, (), (), (), [], [Stored(0, len(stored), True)])
    run = Run(FileSource(path), footer, 0)
    assert run.of(0) == [(f.EVENT, 0, b"one" * 9)]  # salvaged, its own checksum is right
    assert run.damage is not None
    assert ("lengths" if lie else "altered") in run.damage.what
