"""Expectations: one small language for what a run should have been like. Parsed by hand, never `eval`ed; pure.

    from replay import expect

    found = expect.judge('tool refund called at most 1 and output contains "ok"', expect.recorded(cassette))
    found.holds     # True, False, or None where the recording doesn't show it
    found.why, found.events

docs/expressions.md has the language.
"""

from __future__ import annotations

from replay.expect.again import reexecuted
from replay.expect.grammar import parse
from replay.expect.judge import Judged, judge
from replay.expect.subject import Subject, recorded
from replay.expect.syntax import Expression, show
from replay.model.errors import ExpressionInvalid

__all__ = ["Expression", "ExpressionInvalid", "Judged", "Subject", "judge", "parse", "recorded", "reexecuted", "show"]
