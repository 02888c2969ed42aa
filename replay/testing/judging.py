"""What is judged, and the failure that says why it doesn't hold."""

from __future__ import annotations

import shlex
from itertools import islice
from typing import Any

from replay.cassette.cassette import Cassette, load
from replay.expect import Judged, Subject, recorded, reexecuted
from replay.launch import Run
from replay.model.visible import one_line
from replay.testing.trajectories import line_of

_SHOWN = 5
_last: list[tuple[Any, Subject]] = []


class Failure(AssertionError):
    """An expectation that doesn't hold, or can't be decided. `judged`: which of both, and by which events."""

    judged: Judged

    @classmethod
    def of(cls, text: str, judged: Judged, run: Any = None) -> Failure:
        """With what decides it: the reason, the events with their call sites, and the command that shows more."""
        head = "doesn't hold" if judged.holds is False else "can't be decided"
        lines = [f"{head}: {one_line(text)}", f"    {one_line(judged.why)}"]
        if run is not None:
            events = subject_of(run).events
            chosen = set(judged.events[:_SHOWN])
            for event in islice((each for each in events if each.id in chosen), _SHOWN):
                where = f"  at {one_line(str(event.site))}" if event.site else ""
                lines.append(f"    event {event.id}  {one_line(line_of(event), 160)}{where}")
            if len(judged.events) > _SHOWN:
                lines.append(f"    … and {len(judged.events) - _SHOWN} more")
            path = path_of(run)
            if path and judged.events:
                lines.append(f"to look at it: {shlex.join(['replay', 'show', path, str(judged.events[-1])])}")
        failure = cls("\n".join(lines))
        failure.judged = judged
        return failure


def subject_of(run: Any) -> Subject:
    """What a Run did; what a Cassette holds.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(run, Subject):
        return run
    if isinstance(run, Cassette):
        return recorded(run)
    if not isinstance(run, Run):
        raise TypeError(f"expect() takes a Run (`replayed`, `replay.run`) or a Cassette, not {type(run).__name__}")
    for known, subject in _last:
        if known is run:
            return subject
    with load(run.cassette) as cassette:
        subject = reexecuted(cassette, run)
    _last[:] = [(run, subject)]  # a test asks several things of one run
    return subject


def path_of(run: Any) -> str | None:
    """Of the cassette."""
    if isinstance(run, Run):
        return run.cassette
    return str(run.path) if isinstance(run, Cassette) else None
