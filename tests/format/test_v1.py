"""The cassettes of version 1 stay readable, and docs/format.md describes them: two readers agree on the same bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from replay.cassette.named import Named
from replay.cassette.reader import Reader
from replay.cassette.revive import revive
from replay.cassette.verify import verify
from tests.format import sample
from tests.format.tiny import Tiny

FOLDER = Path(__file__).parents[2] / "fixtures" / "cassettes" / "v1"
STATES = ["open", "torn", "sealed"]


@pytest.mark.parametrize("state", STATES)
def test_the_reader_of_the_page_agrees(state: str) -> None:
    path = FOLDER / f"{state}.cassette"
    tiny = Tiny(path.read_bytes())
    with Reader.open(path) as reader:
        assert list(reader.frames()) == tiny.frames
        assert len(reader) == len(tiny.events)
        assert [reader.event(i).body for i in tiny.events] == [tiny.body(i) for i in tiny.events]
        assert tiny.sealed == (reader.status == "sealed")
        if tiny.sealed:
            assert tiny.index["events"] == len(reader)
            assert tiny.index["size"] == len(tiny.plain)


@pytest.mark.parametrize(("state", "events"), [("open", 10), ("torn", 9), ("sealed", 10)])
def test_what_was_recorded_is_there(state: str, events: int) -> None:
    with load(FOLDER / f"{state}.cassette") as cassette:
        assert cassette.status == state
        assert len(cassette.events) == events
        assert cassette.header["program"] == "shop"
        assert cassette.id == "01HF7YAT000000000000000000"
        assert cassette.lanes == ["m", "m/t1"]
        assert [event.body for event in cassette.events[:4]] == sample.HISTORY
        assert [(spot.what, spot.count) for spot in cassette.blind_spots] == [("thread", 2)]
        assert [gap.id for gap in cassette.gaps] == [7]
        stream = cassette.events[4]
        assert (stream.status, stream.response, stream.lane, dict(stream.meta)) == (
            "streamed", {"status": 200}, "m/t1", {"agent": "seller"},
        )  # fmt: skip
        assert [(piece.status, piece.value) for piece in stream.pieces] == [
            ("piece", b"first"), ("piece", b"second"), ("end", None),
        ]  # fmt: skip
        failed = cassette.events[6]
        assert failed.error is not None
        assert (failed.status, failed.error.type) == ("failed", "tests.format.sample.SoldOut")
        assert str(failed.site) == "shop.py:12"
        assert cassette.events[8].response == [1.5, 2.5, 3.5]
        assert list(cassette.reader.track) == [[0, 1, 0, 2]]
        assert cassette.outcome == ({"exit_code": 3, "exception": None} if state == "sealed" else None)


def test_every_value_comes_back() -> None:
    with load(FOLDER / "sealed.cassette") as cassette:
        values = revive(cassette.events[5].response)
    assert values == sample.VALUES
    assert repr(values) == repr(sample.VALUES)  # types, signs of zero, folds
    assert math.copysign(1, values["floats"][1]) == -1


def test_an_exception_comes_back_with_its_cause() -> None:
    with load(FOLDER / "sealed.cassette") as cassette:
        failed = cassette.events[6].error
    assert failed is not None
    error = revive(failed.value)
    assert type(error) is sample.SoldOut
    assert (error.args, error.left, error.__notes__, repr(error.__cause__)) == (
        ("lamp", 0), 0, ["asked twice"], "KeyError('lamp')",
    )  # fmt: skip


def test_without_reviving_objects_are_inert() -> None:
    with load(FOLDER / "open.cassette") as cassette:
        order, point, ident = cassette.events[5].response["objects"]
    assert order == Named("tests.format.sample", "Order", "dataclass", {"id": 7, "lines": ["lamp"]})
    assert point.state == {"x": 1, "y": 2}
    assert ident.state[0] == "x-1"


@pytest.mark.parametrize(
    ("state", "intact", "problem"), [("open", True, None), ("torn", False, "truncated"), ("sealed", True, None)]
)
def test_verify(state: str, intact: bool, problem: str | None) -> None:
    report = verify(FOLDER / f"{state}.cassette")
    assert (report.intact, report.problem, report.status) == (intact, problem, state)
    assert report.chains == (1 if state == "sealed" else 0)


@pytest.fixture
def unchanged() -> Callable[[], None]:
    before = {path: path.read_bytes() for path in FOLDER.iterdir()}

    def check() -> None:
        assert {path: path.read_bytes() for path in FOLDER.iterdir()} == before

    return check


def test_reading_changes_nothing(unchanged: Callable[[], None]) -> None:
    for state in STATES:
        with load(FOLDER / f"{state}.cassette") as cassette:
            list(cassette.events)
        verify(FOLDER / f"{state}.cassette")
    unchanged()


def test_what_is_written_today_is_the_same_version(tmp_path: Path) -> None:
    """The bytes of a recording are still those of version 1; another byte would be another version."""
    sample.write(tmp_path / "now.cassette").close()
    assert (tmp_path / "now.cassette").read_bytes() == (FOLDER / "open.cassette").read_bytes()
