"""What verify says of each way a cassette can be tampered with."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest

from replay.cassette import frame as f
from replay.cassette import writer
from replay.cassette.verify import verify
from tests.cassette.recordings import add, begin


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """100 events and several CHAIN frames."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1000)
    path = tmp_path / "x.cassette"
    recording = begin(path)
    for number in range(100):
        add(recording, f"value {number:03}")
    recording.end({})
    recording.close()
    return path


def pieces(path: Path) -> list[bytes]:
    """The preamble and each frame."""
    data = path.read_bytes()
    ends = [frame[3] for frame in f.parse(data, 0, len(f.PREAMBLE)).frames]
    begins = [0, len(f.PREAMBLE), *ends]
    return [data[a:b] for a, b in itertools.pairwise(begins)]


def number(piece: bytes) -> int | None:
    _, _, type_, event = f.HEAD.unpack(piece[:13])
    return event if type_ == f.EVENT else None


def place(cut: list[bytes], event: int) -> int:
    return next(i for i, piece in enumerate(cut) if i and number(piece) == event)


def test_an_untouched_one(path: Path) -> None:
    report = verify(path)
    assert (report.intact, report.events, report.problem, report.unchained) == (True, 100, None, 0)
    assert report.chains >= 5
    assert len(report.chain or "") == 64


def test_altered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"value 040", b"value O40"))
    report = verify(path)
    assert (report.problem, report.event, report.events, report.status) == ("altered", 40, 40, "torn")
    assert report.offset == sum(map(len, pieces(path)[: place(pieces(path), 39) + 1]))


def test_dropped(path: Path) -> None:
    cut = pieces(path)
    del cut[place(cut, 40) : place(cut, 43)]
    path.write_bytes(b"".join(cut))
    report = verify(path)
    assert (report.problem, report.event, report.detail) == ("dropped", 40, "events 40 to 42 are missing")


def test_reordered(path: Path) -> None:
    cut = pieces(path)
    at = place(cut, 44)
    cut[at], cut[at + 1] = cut[at + 1], cut[at]
    path.write_bytes(b"".join(cut))
    report = verify(path)
    assert (report.problem, report.event) == ("reordered", 44)


def test_doubled(path: Path) -> None:
    cut = pieces(path)
    at = place(cut, 40)
    cut.insert(at, cut[at])
    path.write_bytes(b"".join(cut))
    report = verify(path)
    assert (report.problem, report.event, report.events) == ("reordered", 41, 41)


def test_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])
    assert (verify(path).problem, verify(path).events) == ("truncated", 100)


def test_altered_with_new_checksums(path: Path) -> None:
    """As somebody would who knows the format: crcs made to fit again, but not the sha256 of CHAIN frames."""
    cut = pieces(path)
    at = place(cut, 40)
    cut[at] = cut[at].replace(b"value 040", b"value O40")
    seed, data = 0, cut[0]
    for piece in cut[1:]:
        _, _, type_, event = struct.unpack(">IIBI", piece[:13])
        piece, seed = f.encode(type_, event, piece[13:], seed)
        data += piece
    path.write_bytes(data)
    report = verify(path)
    assert (report.intact, report.problem) == (False, "altered")
    assert report.event is not None
    assert 10 <= report.event <= 40
    assert report.chains >= 1
    assert "new checksums" in report.detail


def test_junk_in_the_middle(path: Path) -> None:
    cut = pieces(path)
    cut[place(cut, 40)] = b"\xff" * 20
    path.write_bytes(b"".join(cut))
    assert verify(path).problem == "altered"


@pytest.mark.parametrize("how", ["dropped", "reordered", "altered"])
def test_blocks(how: str, path: Path, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed.cassette"
    recording = begin(sealed)
    for one in range(300):
        add(recording, f"{one}")
    recording.seal()
    recording.close()
    data = sealed.read_bytes()
    header = f.parse(data, 0, 12, limit=1).end
    at, blocks = header, [data[:header]]
    while data[at + 8] == f.BLOCK:
        size = f.whole_size(data, at)
        blocks.append(data[at : at + size])
        at += size
    blocks.append(data[at:])
    assert len(blocks) > 6
    if how == "dropped":
        del blocks[3]
    elif how == "reordered":
        blocks[3], blocks[4] = blocks[4], blocks[3]
    else:
        blocks[3] = blocks[3][:-1] + bytes([blocks[3][-1] ^ 1])
    sealed.write_bytes(b"".join(blocks))
    report = verify(sealed)
    assert (report.intact, report.problem) == (False, how)
    assert 0 < report.events < 300
