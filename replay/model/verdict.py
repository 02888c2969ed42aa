"""What a replay found: frozen data, JSON-ready."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Protocol

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
    """What the program asked instead of what was recorded, and got the recorded answer all the same."""

    event: int
    request: Any
    body: bytes | None


class _Asked(Protocol):
    @property
    def request(self) -> Any: ...
    @property
    def body(self) -> bytes | None: ...


DRIFTS: Final = 1000
"""So many are kept; the others are only counted."""


@dataclass(slots=True)
class Verdict:
    """The state of a replay; `latched` problems stay whatever the program does with exceptions.

    Attributes:
        events: how many recorded events were replayed.
        cut: the recording was unfinished, and the replay reached its end without a difference.
        drift: how many differing requests `lenient` answered all the same. drifted: the first of them, as they were.
        tools: how many tool calls it came to.
        inside: events of bodies that weren't run again, as runs: [first, behind the last]; of so many tools: `bodies`.
        until: it was to stop before that event. reached: the last recorded event that came out alike.
        gap: the reason, where the replay reached something that was not stored.
    """

    events: int = 0
    divergence: Divergence | None = None
    escapes: list[Escape] = field(default_factory=list[Escape])
    drift: int = 0
    drifted: list[Drift] = field(default_factory=list[Drift])
    cut: bool = False
    gap: str | None = None
    finished: bool = False
    until: int | None = None
    reached: int = -1
    tools: int = 0
    inside: list[list[int]] = field(default_factory=list[list[int]])
    bodies: int = 0

    def drifts(self, event: int, asked: _Asked) -> None:
        """One more, in storable form."""
        self.drift += 1
        if len(self.drifted) < DRIFTS:
            self.drifted.append(Drift(event, asked.request, asked.body))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict of all fields (requests may hold values that need `default=repr`)."""
        return {**asdict(self), "identical": self.identical}

    @property
    def identical(self) -> bool:
        """Nothing differed, nothing escaped, nothing was missing, and the end (or the cut) was reached."""
        clean = self.divergence is None and not self.escapes and self.gap is None and not self.drift
        return clean and (self.finished or self.cut)
