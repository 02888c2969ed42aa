"""`assert one == other` of runs, cassettes and trajectories: what differs, step by step, rather than two reprs."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import cast

from replay.cassette.cassette import Cassette
from replay.launch import Run
from replay.model.visible import one_line
from replay.testing.judging import subject_of
from replay.testing.trajectories import Trajectory, trajectory

_AROUND = 2


def compared(left: object, right: object) -> list[str] | None:
    """The lines for pytest; None where it does better by itself."""
    if isinstance(left, Trajectory) and isinstance(right, Sequence):
        one, other = list(left), [str(each) for each in cast("Sequence[object]", right)]
    elif isinstance(left, (Run, Cassette)) and isinstance(right, (Run, Cassette)):
        one, other = (list(trajectory(subject_of(each).events)) for each in (left, right))
    else:
        return None
    if one == other:
        return [
            "both did the same steps; they differ in how they were run",
            repr(cast("object", left))[:500],
            repr(cast("object", right))[:500],
        ]
    return [
        f"the {'trajectories' if isinstance(left, Trajectory) else 'runs'} differ (- left, + right)",
        *aligned(one, other),
    ]


def aligned(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Both, step by step, with what is the same left out but for the steps around.

    Example:
        >>> aligned(["a", "b"], ["a", "c"])
        ['    0     0   a', '-   1         b', '+         1   c']
    """
    lines: list[str] = []
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += _same(one, a, b, c, first=a == 0, last=b == len(one))
        else:
            lines += [f"- {n:>3}         {one_line(one[n], 300)}" for n in range(a, b)]
            lines += [f"+       {n:>3}   {one_line(other[n], 300)}" for n in range(c, d)]
    return lines


def _same(one: Sequence[str], a: int, b: int, c: int, *, first: bool, last: bool) -> list[str]:
    head = range(a, a if first else min(b, a + _AROUND))
    tail = range(max(head.stop, b if last else b - _AROUND), b)
    left_out = tail.start - head.stop
    shown = [*head, *([-1] if left_out > 0 else []), *tail]
    return [
        f"  … {left_out} the same" if n < 0 else f"  {n:>3}   {c + n - a:>3}   {one_line(one[n], 300)}" for n in shown
    ]
