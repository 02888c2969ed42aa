"""What a replay found: frozen data, JSON-ready."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Cause = Literal["code changed", "unrecorded input", "order", "recording incomplete", "unknown"]


@dataclass(frozen=True, slots=True)
class Crossing:
    """One side of a difference: what was, or should have been, done.

    `what` is a readable phrase (`http POST /v1/chat/completions`), `request` the storable request where there is one.
    """

    what: str
    lane: str = ""
    request: Any = None
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recorded call that resembles what came, and why it didn't match. `score` from 0 to 1."""

    event: int
    what: str
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference between a replay and its recording.

    Attributes:
        event: id of the recorded event at which they part; None past the end.
        reason: one sentence.
        expected, got: both sides. `recorded_site`, `site`: `file:line` of each.
        cause: the likely cause; `why`: the reason for thinking so.
        changes: the request's differences, one readable line each.
        candidates: nearest recorded calls, best first.
    """

    event: int | None
    reason: str
    expected: Crossing | None
    got: Crossing | None
    recorded_site: str | None = None
    site: str | None = None
    cause: Cause = "unknown"
    why: str = ""
    changes: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict of all fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Escape:
    """An attempt to get past the door at replay: what, on which object, from where."""

    what: str
    detail: str
    site: str | None


@dataclass(frozen=True, slots=True)
class HoleUse:
    """Something real that a replay did because it was allowed to: by which hole, what, on which object, from where."""

    hole: str
    what: str
    detail: str
    site: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """A recorded call that asked otherwise at replay, and got the recorded answer all the same.

    Attributes:
        event: its id. what: a readable phrase. lane: whose. change: what differed, in one line. site: `file:line`.
    """

    event: int
    what: str
    lane: str
    change: str
    site: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the program asked instead of what is recorded as that event, in storable form."""

    event: int
    request: Any
    body: bytes | None


DRIFTS: Final = 1000
"""So many of them are kept."""


@dataclass(slots=True)
class Verdict:
    """The state of a replay; `latched` problems stay whatever the program does with exceptions.

    Attributes:
        events: how many recorded events were replayed.
        cut: the recording was unfinished, and the replay reached its end without a difference.
        drift: differing requests that `lenient` answered all the same. drifted: the first DRIFTS of them, as they were.
        evidence_until: the first event that rests on an answer to another question (`replay.player.drift`).
        tools: how many tool calls it came to.
        inside: events of bodies that weren't run again, as runs: [first, behind the last]; of so many tools: `bodies`.
        until: it was to stop before that event. reached: the last recorded event that came out alike.
        gap: the reason, where the replay reached something that was not stored.
    """

    events: int = 0
    divergence: Divergence | None = None
    escapes: list[Escape] = field(default_factory=list[Escape])
    drift: list[Drift] = field(default_factory=list[Drift])
    drifted: list[Asked] = field(default_factory=list[Asked])
    evidence_until: int | None = None
    cut: bool = False
    gap: str | None = None
    finished: bool = False
    until: int | None = None
    reached: int = -1
    tools: int = 0
    inside: list[list[int]] = field(default_factory=list[list[int]])
    bodies: int = 0

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict of all fields (requests may hold values that need `default=repr`)."""
        return {**asdict(self), "identical": self.identical}

    @property
    def identical(self) -> bool:
        """Nothing differed, nothing escaped, nothing was missing, and the end (or the cut) was reached."""
        clean = self.divergence is None and not self.escapes and self.gap is None and not self.drift
        return clean and (self.finished or self.cut)
