"""How two re-executions of one recording differ, as lines to read: what one did, and the other did instead."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from replay import expect
from replay.cassette.cassette import load
from replay.launch import Run
from replay.model.event import Event

_CHANCE: Final = frozenset({"clock", "entropy", "env"})
_LONGEST: Final = 300
_MOST: Final = 5_000
"""Steps of each that are compared."""


def changes(before: Run, after: Run) -> list[str]:
    """Lines that begin with `-` (only before) or `+` (only after), in order; draws of clock and chance are left out.

    Raises:
        CassetteDamaged: an event can't be read.
    """
    one, other = _steps(before), _steps(after)
    found: list[str] = []
    for what, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what != "equal":
            found += [f"- {line}" for line in one[a:b]] + [f"+ {line}" for line in other[c:d]]
    return found


def _steps(run: Run) -> list[str]:
    with load(run.cassette) as cassette:
        subject = expect.reexecuted(cassette, run)
        lines = [_line(event) for event in _first(subject.events) if event.kind not in _CHANCE]
    raised: Any = subject.values.get("exception")
    if isinstance(raised, str):
        lines.append(f"raises {raised}")
    if subject.open:
        lines.append("…")  # nobody knows what came then
    elif isinstance(subject.values.get("exit"), int):
        lines.append(f"ends with exit code {subject.values['exit']}")
    return lines


def _first(events: Sequence[Event]) -> list[Event]:
    return list(events[:_MOST])


def _line(event: Event) -> str:
    request: Any = event.request
    said = repr(request) if request not in (None, {}, "") else ""
    body = "" if event.body is None else f" {event.body.decode('utf-8', 'backslashreplace')}"
    text = f"{event.kind} {event.name} {said}{body}".strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 60]} … {text[-50:]}"
