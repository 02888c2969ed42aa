"""One cassette against the present code: what came of it, as data that travels between processes and machines."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from replay.boundary import originals
from replay.launch import Run, run
from replay.launch.scratch import Reaper
from replay.launch.starting import alone
from replay.launch.zygote import Way, Zygotes
from replay.limits import Limits
from replay.model.errors import ReplayError

Status = Literal["same", "different", "unjudged"]
_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one cassette.

    Attributes:
        status: `unjudged`: it couldn't be re-executed, or reached what the recording lacks; `reason` says why.
        event: the first that differs; None past the end, or where none does.
        expected, got: what was recorded there and what came, in words. site: `file:line` of what came.
        likely: a guess at the cause. said: the end of the program's standard error, where it isn't `same`.
        seconds: it took. why_alone: why its process was started for it, and not forked; empty where it was forked.
    """

    cassette: str
    status: Status
    reason: str = ""
    event: int | None = None
    expected: str | None = None
    got: str | None = None
    site: str | None = None
    likely: str = ""
    said: str = ""
    events: int = 0
    seconds: float = 0.0
    why_alone: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict of all fields; `Trial(**…)` is its inverse."""
        return asdict(self)


class Trials:
    """Tries cassettes, one after the other, each in a process of its own. For one thread; a context.

    Args:
        limits: of each.

    Example:
        with trials(Limits(seconds=60)) as attempt:
            done = [attempt(path) for path in paths]
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._zygotes = Zygotes(limits)
        self._reaper = Reaper()

    def __call__(self, cassette: str) -> Trial:
        began = originals.clock_ns()
        try:
            found = self._tried(cassette)
        except ReplayError as error:
            found = Trial(cassette, "unjudged", str(error), why_alone=self._zygotes.last.why_not)
        except Exception as error:  # ours: it must not be the end of the others
            found = Trial(cassette, "unjudged", f"internal error: {type(error).__name__}: {error}")
        return replace(found, seconds=round((originals.clock_ns() - began) / 1e9, 4))

    def close(self) -> None:
        self._zygotes.close()
        self._reaper.close()

    def _tried(self, cassette: str) -> Trial:
        self._zygotes.last = Way(forked=False)
        try:
            first = run(cassette, run_tools=False, start=self._zygotes.start, remove=self._reaper)
        except ReplayError:
            if self._zygotes.last.exact:
                raise
            first = None
        way = self._zygotes.last
        if first is not None and (first.identical or (way.exact and not (first.differs and first.answered))):
            return judged(cassette, first, way.why_not)
        if way.exact:  # its tools were only answered
            return judged(cassette, run(cassette, start=self._zygotes.start, remove=self._reaper), way.why_not)
        again = run(cassette, start=alone(self._limits), remove=self._reaper)
        return judged(cassette, again, "" if again.differs else "it depends on the hash seed")


@contextmanager
def trials(limits: Limits) -> Generator[Trials]:
    """Something that tries cassettes, for as long as the block runs."""
    made = Trials(limits)
    try:
        yield made
    finally:
        made.close()


def judged(cassette: str, run: Run, why_alone: str = "") -> Trial:
    """A replay's outcome as a trial's."""
    if run.identical:
        return Trial(cassette, "same", events=run.events, why_alone=why_alone)
    said = run.stderr[-_TAIL:].decode("utf-8", "replace")
    found = run.divergence
    if run.escapes:
        escape = run.escapes[0]
        return Trial(
            cassette,
            "different",
            f"it tried to get out: {escape.what}: {escape.detail}",
            got=f"{escape.what} {escape.detail}",
            site=escape.site,
            said=said,
            events=run.events,
            why_alone=why_alone,
        )
    if found is None:
        reason = run.gap or "it didn't reach its end"
        return Trial(cassette, "unjudged", reason, said=said, events=run.events, why_alone=why_alone)
    return Trial(
        cassette,
        "different",
        found.reason,
        found.event,
        None if found.expected is None else found.expected.what,
        None if found.got is None else found.got.what,
        found.site,
        f"{found.cause}: {found.why}" if found.why else found.cause,
        said,
        run.events,
        why_alone=why_alone,
    )
