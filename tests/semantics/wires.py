"""Where the recordings of other projects are."""

from __future__ import annotations

from pathlib import Path

from benchmarks.semantics import files
from benchmarks.vcr import events

__all__ = ["FIXTURES", "RECORDINGS", "events", "one_line"]

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wire"
RECORDINGS = list(files(FIXTURES))


def one_line(text: str) -> str:
    """The text with all white space as single blanks."""
    return " ".join(text.split())
