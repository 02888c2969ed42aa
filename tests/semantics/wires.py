"""Where the recordings of other projects are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.semantics import files
from replay.interop.vcr import reading
from replay.model.event import Event

__all__ = ["FIXTURES", "RECORDINGS", "events", "one_line"]

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wire"
RECORDINGS = list(files(FIXTURES))


def events(path: Path) -> Iterator[Event]:
    """Streams in pieces of 7 bytes, so that nothing depends on where they are cut."""
    return reading.events(path, cut=7)


def one_line(text: str) -> str:
    """The text with all white space as single blanks."""
    return " ".join(text.split())
