"""A judged expectation in words."""

from __future__ import annotations

from replay.expect import Expression, Judged, show
from replay_cli import exits
from replay_cli.render.text import one_line

_SAID = {True: "holds", False: "doesn't hold", None: "can't be decided"}
_CODES = {True: exits.SAME, False: exits.DIFFERENT, None: exits.CANNOT_JUDGE}


def expected_lines(expression: Expression, judged: Judged) -> list[str]:
    """`doesn't hold: …`, and why."""
    events = f" (event{'s' if len(judged.events) > 1 else ''} {', '.join(map(str, judged.events))})"
    return [
        one_line(f"{_SAID[judged.holds]}: {show(expression)}"),
        one_line(f"    {judged.why}{events if judged.events else ''}"),
    ]


def exit_code(judged: Judged) -> int:
    """0, 1 or 125."""
    return _CODES[judged.holds]
