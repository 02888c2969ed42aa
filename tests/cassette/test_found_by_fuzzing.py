"""What the fuzzer found, each as the smallest case of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zstandard

from replay.cassette import footer
from replay.cassette import frame as f
from replay.cassette._msgpack import plain, unplain
from replay.cassette.finishing import finish
from replay.cassette.reader import Reader
from replay.cassette.redact.scanning import scan
from replay.cassette.scan import salvaged
from replay.cassette.verify import verify
from replay.model.errors import CassetteDamaged, UsageError
from tests.cassette import forging
from tests.cassette.recordings import record


def test_a_sealed_one_isnt_finished_again(tmp_path: Path) -> None:
    """It read the file as if it weren't packed; and a large one, which isn't, got frames behind its trailer."""
    path = tmp_path / "x.cassette"
    record(path, [1, 2], seal=True)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="sealed already"):
        finish(path, {})
    assert path.read_bytes() == before


def test_an_end_that_holds_no_map(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1])
    data, seed = path.read_bytes(), f.parse(path.read_bytes(), 0, len(f.PREAMBLE)).crc
    path.write_bytes(data + f.encode(f.END, f.NO_EVENT, b"\x90", seed)[0])
    with pytest.raises(CassetteDamaged, match="no map"):
        finish(path, {})


@pytest.mark.parametrize("payload", [b"", b"\x93", b"\xa2\xff\xff", b"\x91" * 3000 + b"\x90"])
def test_looking_for_secrets_in_frames_of_a_later_format(payload: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1, 2], seal=True)
    frames, signatures = forging.taken(path)
    frames[4:4] = [(17, f.NO_EVENT, payload), (17, f.NO_EVENT, b"\x93 AKIAIOSFODNN7EXAMPLF ")]
    forging.put(path, frames, signatures)
    assert len(list(scan(path))) == 1


@pytest.mark.parametrize("type_", [f.EVENT, f.RETURN])
def test_looking_for_secrets_in_frames_that_are_none(type_: int, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1, 2], seal=True)
    frames, signatures = forging.taken(path)
    at = next(at for at, frame in enumerate(frames) if frame[0] == type_)
    frames[at] = (type_, frames[at][1], b"\x93")
    forging.put(path, frames, signatures)
    with pytest.raises(CassetteDamaged):
        list(scan(path))


def forged(path: Path, **more: object) -> None:
    """A sealed cassette whose footer says something else."""
    record(path, [1, 2], seal=True)
    data = path.read_bytes()
    at, seed = footer.find(data[-f.TRAILER.size :]) or (0, 0)
    said: dict[str, Any] = unplain(data[at + f.HEAD.size : -f.TRAILER.size], int_keys=True)
    index, _ = f.encode(f.INDEX, f.NO_EVENT, plain({**said, **more}), seed)
    path.write_bytes(data[:at] + index + footer.trailer(at, seed))


@pytest.mark.parametrize("count", [-1, 1 << 31, f.NO_EVENT])
def test_a_footer_with_as_many_events_as_there_cannot_be(count: int, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    forged(path, events=count)
    with Reader.open(path) as reader:
        assert len(reader) >= 0


@pytest.mark.parametrize("segment", [99, -7])
def test_a_footer_with_frames_where_there_is_nothing(segment: int, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    forged(path, strays={0: [segment]})
    with Reader.open(path) as reader:
        assert reader.event(0).response == 1
    assert not verify(path).intact


def test_a_damaged_block_that_is_a_bomb() -> None:
    bomb = bytes(f.HEAD.size) + zstandard.compress(bytes(48 << 20))
    assert 32 << 20 < len(salvaged(bomb)) < 40 << 20


def test_a_block_that_holds_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, ["one" * 200, "two" * 200], seal=True)
    data = path.read_bytes()
    header = f.parse(data, 0, len(f.PREAMBLE), limit=1)
    size = f.whole_size(data, header.end)
    fields = unplain(data[header.end + f.HEAD.size : header.end + size])
    block, _ = f.encode(f.BLOCK, f.NO_EVENT, plain([fields[0] + 1, *fields[1:]]), header.crc)
    assert len(block) == size
    path.write_bytes(data[: header.end] + block + data[header.end + size :])
    with Reader.open(path) as reader:
        assert [reader.event(number).response for number in range(2)] == ["one" * 200, "two" * 200]
        with pytest.raises(CassetteDamaged, match="its lengths differ"):
            list(reader.frames())
