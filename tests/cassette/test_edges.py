"""Branches that only an odd file, a full disk or a race reaches; each made to happen, in this process."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from replay.cassette import directory, footer, sealing
from replay.cassette import frame as f
from replay.cassette.cassette import load
from replay.cassette.codec import pack, unpack
from replay.cassette.disk import Plain
from replay.cassette.explain import explain
from replay.cassette.finishing import finish
from replay.cassette.reader import Reader
from replay.cassette.source import FileSource
from replay.cassette.verify import verify
from replay.cassette.writer import BACKLOG, Writer
from replay.model.errors import NotStorable
from tests.cassette.recordings import add, begin, record


@contextmanager
def largest_file(size: int) -> Generator[None]:
    """As if the disk were full at that size: writes beyond it fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a module imported now would be cut off, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = bytecode


def test_a_disk_without_room_for_a_header(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    with largest_file(5), pytest.raises(OSError, match="large"):
        Writer.create(path, {})
    assert not path.exists()


def test_a_disk_that_takes_a_little_at_a_time(tmp_path: Path) -> None:
    """What wasn't written stays pending, also half a frame; nothing is lost in the end."""
    path = tmp_path / "x.cassette"
    writer = begin(path)
    writer.flush()
    start = path.stat().st_size
    add(writer, "x" * 1000)
    for room in (10, 20, 400):
        with largest_file(start + room), pytest.raises(OSError, match="large"):
            writer.flush()
        assert path.stat().st_size == start + room
    add(writer, "later")
    writer.end({})
    writer.close()
    with Reader.open(path) as reader:
        assert [reader.event(number).response for number in range(2)] == ["x" * 1000, "later"]


def test_a_disk_that_never_takes_anything_again(tmp_path: Path) -> None:
    """Where not even cutting back is possible, the writer still gives up and says so."""
    path = tmp_path / "x.cassette"
    writer = Writer(os.open(path, os.O_WRONLY | os.O_CREAT), os.fspath(path), {})
    writer.flush()
    with largest_file(path.stat().st_size + 10):
        for _ in range(BACKLOG // (1 << 20) + 3):
            writer.event(0, "tool", "t", "read", 0, None, "x" * (1 << 20), None, None, None, 0, 0, None)
            with pytest.raises(OSError, match=r"large|full"):
                writer.flush()
    assert writer.broken
    writer.close()


@pytest.mark.parametrize("large", [False, True])
def test_a_seal_that_finds_no_room_leaves_the_file_as_it_was(tmp_path: Path, large: bool) -> None:
    """One that is packed beside, and one too large for that, which gets its footer behind it."""
    path = tmp_path / "x.cassette"
    writer = begin(path)
    events = sealing.PACK_UP_TO // (1 << 20) + 1 if large else 50
    for _ in range(events):
        add(writer, "x" * (1 << 20) if large else "x")
        writer.flush()
    writer.end({"exit_code": 0})
    size = path.stat().st_size
    with largest_file(size + 3 if large else 100), pytest.raises(OSError, match="large"):
        writer.seal()
    writer.close()
    assert path.stat().st_size == size
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    with Reader.open(path) as reader:
        assert (reader.status, len(reader), reader.outcome) == ("open", events, {"exit_code": 0})


def test_many_small_events_make_a_segment_without_a_chain(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, list(range(1500)), seal=True)
    with Reader.open(path) as reader:
        assert [reader.event(number).response for number in (0, 700, 1499)] == [0, 700, 1499]
    assert verify(path).chains == 1


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    source = FileSource(os.fspath(path))
    os.truncate(path, 4)
    assert source.read_at(0, 10) == b"0123"
    source.close()
    disk = Plain(os.open(path, os.O_RDONLY))
    with pytest.raises(OSError, match="shorter"):
        disk.read(0, 10)
    disk.close()


def test_a_cassette_that_is_gone_sorts_first(tmp_path: Path) -> None:
    assert directory._age(tmp_path / "gone.cassette") == (0, "gone.cassette")  # pyright: ignore[reportPrivateUsage]


def test_the_id(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1])
    with load(path) as cassette:
        assert cassette.id == cassette.header["id"]
        assert len(cassette.id) == 26


def test_no_trailer_in_too_few_bytes() -> None:
    assert footer.find(b"too short") is None
    assert footer.find(footer.trailer(77, 5)) == (77, 5)


def test_gaps_of_an_open_file_are_asked_for_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path)
    for kind in ("tool", "gap", "tool", "gap"):
        add(writer, kind=kind)
    writer.flush()
    writer.close()
    with Reader.open(path) as reader:
        assert reader.gaps == [1, 3]
        assert reader.gaps == [1, 3]


@pytest.mark.parametrize(
    ("stored", "type_name", "message"),
    [({"gap": "why"}, "dict", "{'gap': 'why'}"), (ValueError("no"), "builtins.ValueError", "no")],
)
def test_failures(tmp_path: Path, stored: object, type_name: str, message: str) -> None:
    """Exceptions, and what a recorder stores in place of one."""
    path = tmp_path / "x.cassette"
    writer = begin(path)
    event = writer.call(0, "tool", "t", "read", 1, None, None, None, None, None)
    writer.ret(event, 2, 1, stored, False)
    writer.flush()
    writer.close()
    with Reader.open(path) as reader:
        error = reader.event(0).error
    assert error is not None
    assert (error.type, error.message) == (type_name, message)


def test_a_file_that_makes_no_sense_from_its_second_window_on(tmp_path: Path) -> None:
    """Checksums right, numbers wrong: what comes before is readable, the rest is damage."""
    path = tmp_path / "x.cassette"
    record(path, [1])
    with Reader.open(path) as reader:
        header = pack(reader.header)
    frames(path, (f.HEADER, header), (f.SITE, pack([0, "x" * 700_000, 1, ""])), (f.LANE, pack("nonsense")))
    report = verify(path)
    assert (report.intact, report.events) == (False, 0)
    assert report.detail.startswith("LANE")


@pytest.mark.parametrize("path", [PurePosixPath("/a/b"), PureWindowsPath("C:\\a\\b"), PurePosixPath("ü")])
def test_paths(path: PurePosixPath) -> None:
    assert (unpack(pack(path)), type(unpack(pack(path)))) == (path, type(path))


@dataclass
class Deep:
    """Its parts are storable; only all of it together is not."""

    inner: list[object] = field(default_factory=list[object])


def test_where_no_part_is_to_blame() -> None:
    for whole in ({1, 2}, Deep([1]), {"a": 1}, [1], (1,)):
        found = explain(whole, "value", NotStorable("x"), pack)
        assert (found.where, found.type_name) == ("value", "x")


def frames(path: Path, *parts: tuple[int, bytes]) -> None:
    """A file of these frames, checksums right."""
    data, crc = f.PREAMBLE, 0
    for type_, payload in parts:
        frame, crc = f.encode(type_, f.NO_EVENT, payload or pack([sha256(data).digest()]), crc)
        data += frame
    path.write_bytes(data)


def test_a_chain_that_fits_behind_one_that_does_not(tmp_path: Path) -> None:
    """The first is what counts: from there on something was exchanged."""
    path = tmp_path / "x.cassette"
    record(path, [1])
    with Reader.open(path) as reader:
        header = pack(reader.header)
    frames(path, (f.HEADER, header), (f.CHAIN, pack([bytes(32)])), (f.CHAIN, b""), (f.END, pack({})))
    report = verify(path)
    assert (report.intact, report.chains, report.problem) == (False, 0, "altered")
    frames(path, (f.HEADER, header), (f.CHAIN, b""), (f.CHAIN, b""), (f.END, pack({})))
    report = verify(path)
    assert (report.intact, report.chains) == (True, 2)


def test_damage_with_a_great_deal_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, list(range(300)))
    data = bytearray(path.read_bytes())
    data[data.find(b"add", len(data) // 3)] ^= 1
    path.write_bytes(data + f.HEAD.pack(0, 0, f.TRACK, f.NO_EVENT) * 100_001)
    report = verify(path)
    assert (report.intact, report.problem) == (False, "altered")
    assert 50 < report.events < 150


@pytest.mark.parametrize(("before", "size"), [(1, 10), (1, 300_000), (250_000, 20_000)])
def test_an_outcome_that_fills_a_segment(tmp_path: Path, before: int, size: int) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path)
    add(writer, "x" * before)
    writer.end({"said": "x" * size})
    writer.close()
    finish(path, {"exit_code": 0})
    with Reader.open(path) as reader:
        assert reader.outcome == {"said": "x" * size, "exit_code": 0}
        assert (reader.status, reader.event(0).response) == ("sealed", "x" * before)


def test_a_sealed_file_that_was_cut_is_told_from_one_that_never_was_sealed(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [os.urandom(50).hex() * 40 for _ in range(400)], seal=True)
    with Reader.open(path) as reader:
        assert not reader.lost_its_seal
    whole = path.read_bytes()
    for kept in (len(whole) - 5, len(whole) * 9 // 10, 800):
        path.write_bytes(whole[:kept])
        with Reader.open(path) as reader:
            assert reader.lost_its_seal, kept
    path.unlink()
    record(path, list(range(50)))
    with Reader.open(path) as reader:
        assert not reader.lost_its_seal
    path.write_bytes(path.read_bytes()[:-3])
    with Reader.open(path) as reader:
        assert reader.damage is not None
        assert not reader.lost_its_seal
