"""A recording that somebody cuts or removes, or whose disk is full, ends with whole frames and says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replay.cassette.cassette import Cassette
from replay.cassette.reader import Reader
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from tests.cassette.recordings import add, begin
from tests.cassette.test_writer import child

VALUES = [f"value {number}, " * 17 for number in range(4)]
"""Longer than what the reason takes."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.cassette"


def recorded(path: Path, heard: list[OSError], first: str = "") -> Writer:
    writer = begin(path)
    writer.on_failure = heard.append
    for value in [first or VALUES[0], *VALUES[1:]]:
        add(writer, value)
    writer.flush()
    return writer


def said(path: Path) -> tuple[list[object], str | None]:
    """What was recorded, and why it stopped."""
    with Reader.open(path) as reader:
        found = Cassette(reader)
        return [event.response for event in found.events if event.kind != "gap"], found.stopped


def test_whole_recordings_have_not_stopped(path: Path) -> None:
    heard: list[OSError] = []
    writer = recorded(path, heard)
    assert writer.settle()
    writer.close()
    assert (said(path), heard) == ((VALUES, None), [])


def test_cut_anywhere(path: Path) -> None:
    """Whatever is left, down to nothing: its whole events, and the reason, without any damage."""
    sizes: set[int] = set()
    writer = recorded(path, [])
    size = writer.size
    writer.close()
    for cut in range(size):
        path.unlink()
        heard: list[OSError] = []
        writer = recorded(path, heard)
        os.truncate(path, cut)
        assert not writer.settle()
        assert writer.broken
        add(writer, "after")
        writer.flush()
        writer.close()
        values, why = said(path)
        assert values == VALUES[: len(values)]
        reason = f"somebody cut the cassette to {cut} bytes while it was recorded"
        assert why == f"the recording stopped here: {reason}"
        assert {error.strerror for error in heard} == {reason}
        assert verify(path).intact
        sizes.add(len(values))
    assert sizes == {0, 1, 2, 3}


def test_cut_in_its_second_segment(path: Path) -> None:
    heard: list[OSError] = []
    writer = recorded(path, heard, first="x" * 300_000)
    os.truncate(path, writer.size - 3)
    assert not writer.settle()
    writer.close()
    values, why = said(path)
    assert values == ["x" * 300_000, *VALUES[1:3]]
    assert why is not None
    assert verify(path).intact


def test_overwritten_and_cut(path: Path) -> None:
    """Nothing of it can be read any more: only the header, which the writer knows, comes again."""
    writer = recorded(path, [])
    path.write_bytes(b"something else")
    assert not writer.settle()
    writer.close()
    values, why = said(path)
    assert (values, why is None) == ([], False)


def test_cut_while_it_goes_on(path: Path) -> None:
    """Noticed at the end of a segment."""
    heard: list[OSError] = []
    writer = recorded(path, heard)
    os.truncate(path, writer.size - 1)
    for _ in range(3):
        add(writer, "y" * 200_000)
    assert writer.broken
    assert len(heard) == 1
    assert not writer.settle()
    writer.close()
    assert said(path)[0] == VALUES[: len(said(path)[0])]


def test_removed(path: Path) -> None:
    heard: list[OSError] = []
    writer = recorded(path, heard)
    path.unlink()
    assert not writer.settle()
    writer.close()
    assert {error.strerror for error in heard} == {"the cassette was removed while it was recorded"}
    assert not path.exists()


def test_a_full_disk_that_is_heard_of_by_a_call(path: Path) -> None:
    """Not raised, where somebody listens; and what waits at the end is given up for the reason."""
    out = child(
        """
heard = []
writer.on_failure = heard.append
for number in range(30):
    add(writer, "x" * 500)
    writer.flush()
whole = writer.settle()
add(writer, "after")
writer.flush()
print(len(heard) > 5, whole, writer.broken, writer._pending, {error.errno for error in heard})
""",
        path,
    )
    assert out == "True False True [] {27}\n"
    values, why = said(path)
    assert set(values) == {"x" * 500}
    assert 10 < len(values) < 25
    assert why == "the recording stopped here: File too large"
    assert verify(path).intact


def test_a_full_disk_that_is_heard_of_by_a_call_and_stays_full(path: Path) -> None:
    out = child(
        """
heard = []
writer.on_failure = heard.append
for number in range(100):
    add(writer, "x" * 500)
    writer.flush()
print(writer.broken, writer._pending, {error.errno for error in heard})
""",
        path,
    )
    assert out == "True [] {27}\n"
    assert said(path)[1] == "the recording stopped here: File too large"


def test_not_even_the_reason_can_be_written(path: Path) -> None:
    """What a crash would leave is left: the file as it is, up to its last whole frame."""
    out = child(
        """
heard = []
writer.on_failure = heard.append
add(writer, "x" * 500)
writer.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (5, resource.RLIM_INFINITY))
writer.stop(OSError(28, "No space left on device"))
print(writer.broken, [error.errno for error in heard])
""",
        path,
    )
    assert out == "True [28]\n"
    assert said(path)[1] is None
