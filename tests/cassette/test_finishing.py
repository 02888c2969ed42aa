"""Finishing from outside: the outcome is completed, the file sealed, and what was there stays readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.cassette.finishing import finish
from replay.cassette.reader import Reader
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import CassetteDamaged
from tests.cassette.recordings import add, begin

SIZES = st.lists(st.integers(0, 60_000), max_size=14)


def ended(path: Path, sizes: list[int]) -> Writer:
    """An open recording that has ended: events of these sizes, streams that reach far, a gap, a blind spot."""
    writer = begin(path)
    stream = writer.call(0, "tool", "stream", "read", 1, 0, "q", None, None, None)
    writer.ret(stream, 2, 2, None, False)
    for number, size in enumerate(sizes):
        add(writer, "x" * size, kind="gap" if number == 1 else "tool")
        writer.chunk(stream, 0, 3, 0, number, False)
    writer.chunk(stream, 0, 4, 3, None, False)
    writer.blind("process", "git", 0, 2)
    writer.end({"exception": None, "took": 5})
    writer.close()
    return writer


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SIZES)
def test_all_of_it_is_there(tmp_path: Path, sizes: list[int]) -> None:
    path = tmp_path / "x.cassette"
    path.unlink(missing_ok=True)
    ended(path, sizes)
    finish(path, {"exit_code": 3, "took": 6})
    with Reader.open(path) as reader:
        assert reader.status == "sealed"
        assert reader.outcome == {"exception": None, "took": 6, "exit_code": 3}
        assert len(reader) == len(sizes) + 1
        assert [len(reader.event(number + 1).response) for number in range(len(sizes))] == sizes
        pieces = reader.event(0).pieces
        assert [piece.value for piece in pieces if piece.status == "piece"] == list(range(len(sizes)))
        assert pieces[-1].status == "end"
        assert [spot.count for spot in reader.blind_spots] == [2]
    report = verify(path)
    assert (report.intact, report.status, report.unchained) == (True, "sealed", 0)


def test_a_recording_that_did_not_end_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path)
    add(writer, 1)
    writer.flush()
    writer.close()
    before = path.read_bytes()
    with pytest.raises(CassetteDamaged, match="didn't end") as error:
        finish(path, {"exit_code": 0})
    assert error.value.good_events == 1
    assert path.read_bytes() == before


def test_a_torn_recording_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    ended(path, [10, 20])
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(CassetteDamaged):
        finish(path, {"exit_code": 0})
    assert path.read_bytes() == whole[:-3]


def test_a_long_recording_is_cut_into_segments(tmp_path: Path) -> None:
    """Reading one event of a large one doesn't unpack it whole: both ends come back, the strays too."""
    path = tmp_path / "x.cassette"
    ended(path, [50_000] * 12)
    finish(path, {"exit_code": 0})
    with Reader.open(path) as reader:
        assert reader.event(12).response == "x" * 50_000
        assert [piece.value for piece in reader.event(0).pieces[:-1]] == list(range(12))
        assert reader.event(2).kind == "gap"
