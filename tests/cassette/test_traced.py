"""Cassettes are found by the trace that they are part of."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.cassette.traced import traced
from replay.cassette.writer import Writer
from replay.model.errors import CassetteMissing, UsageError

ONE, OTHER = "0af7651916cd43dd8448eb211c80319c", "0af7000000000000000000000000000f"


def made(path: Path, trace: object, second: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    writer = Writer.create(path, {"trace": trace, "created": f"2026-11-23T10:00:{second:02}.000Z"})
    writer.end({})
    writer.close()
    return path


def test_those_of_a_trace_below_a_directory_as_they_began(tmp_path: Path) -> None:
    first = made(tmp_path / "z.cassette", {"id": ONE})
    second = made(tmp_path / "z.d" / "a.cassette", {"id": ONE}, second=1)
    made(tmp_path / "other.cassette", {"id": OTHER})
    made(tmp_path / "none.cassette", None)
    (tmp_path / "broken.cassette").write_bytes(b"no cassette")
    assert traced("0AF765", tmp_path) == [first, second]
    assert traced(OTHER, tmp_path) == [tmp_path / "other.cassette"]


def test_none_and_several(tmp_path: Path) -> None:
    for number, trace in enumerate((ONE, OTHER)):
        made(tmp_path / f"{number}.cassette", {"id": trace})
    for unknown in ("ffff", "", " "):
        with pytest.raises(CassetteMissing, match="no cassette of trace"):
            traced(unknown, tmp_path)
    with pytest.raises(UsageError, match="fits 2 traces"):
        traced("0af7", tmp_path)
