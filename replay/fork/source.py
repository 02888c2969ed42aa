"""Who answers behind the fork point: the plan's substitutes, the recordings, a program, the world."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn

from replay.boundary.door import Call
from replay.boundary.lanes import TOOL, Lane
from replay.fork.answers import ERROR, MISSING, RESULT, STREAM, Answer, Answers, Script
from replay.fork.launcher import Line
from replay.fork.plan import LIVE, RECORDED, Plan, Substitute
from replay.matching.compare import Request
from replay.player.answers import as_stored

Stop = Callable[[str, str, Call[Any], Lane | None], NoReturn]

_OURS: Final = frozenset(("order", "env"))
"""Kinds of crossings that reach nobody: they are simply done."""
_KEPT: Final = frozenset(("file", TOOL, *_OURS))
_UNCONNECTED: Final = frozenset(("http", "mcp", "grpc", "process"))
"""Kinds that begin anew with each call; others go over a connection that was opened on the recorded path."""


@dataclass(frozen=True, slots=True)
class Run:
    """The call is performed. `live`: out in the world. `substitute`: then that outcome takes the place of its own."""

    live: bool = False
    substitute: Answer | None = None


_PERFORM = Run()


class Source:
    """For one execution.

    Args:
        plan: what is wanted. script: of the base. answers: of all recordings.
        bodies: bodies of tools run. models: names of calls that ask a model.
        line: to the launcher. stop: called with (status, reason, call, lane); ends the process.
        permit: called with True while something live is performed, and with False behind it.
    """

    def __init__(
        self,
        plan: Plan,
        script: Script,
        answers: Answers,
        *,
        bodies: bool,
        models: frozenset[str],
        line: Line,
        stop: Stop,
        permit: Callable[[bool], None],
        content: Callable[[int, int], bytes | None],
    ) -> None:
        self._plan = plan
        self._script = script
        self._answers = answers
        self._bodies = bodies
        self._models = models
        self._line = line
        self._stop = stop
        self._permit = permit
        self._content = content
        self.is_live = plan.then == LIVE

    def find(self, lane: Lane, call: Call[Any], *, begun: bool) -> Answer | Run:
        """What comes of that call; ends the process where nobody knows.

        Args:
            begun: it was begun before the fork point, and has its event id.
        """
        request = as_stored(Request(call.kind, call.name, call.request, call.body))
        known = self._begun(call) if begun else self._answers.own(lane.path, request)
        wanted = None
        if known is not None and known.cassette == 0:
            wanted = self._plan.substitutes.get(known.event)
        runs = call.kind in _KEPT and (call.kind != TOOL or self._bodies) and not _is_terminal(call)
        if known is not None and (wanted is not None or runs):
            self._answers.take(known)
        if wanted is not None and known is not None:
            answer = _substituted(known, wanted)
            return Run(substitute=answer) if runs and call.kind == TOOL and wanted.how != "drop" else answer
        if runs:
            return _PERFORM
        asked_anew = begun and self._plan.tells_otherwise and call.event == self._plan.at
        if begun and known is not None and known.status is not None and not asked_anew:
            return self._with_content(known)
        if self._plan.follows and not asked_anew and not (self._plan.anew and call.name in self._models):
            known = self._answers.find(lane.path, request)
            if known is not None:
                return self._with_content(self._answers.take(known))
        return self._then(lane, call, request)

    def draw(self, lane: Lane, source: str) -> Any:
        """The recording's next value of that source on that lane, or MISSING."""
        found = self._answers.draw(lane.path, source)
        wanted = None if found is None else self._plan.substitutes.get(found.event)
        if found is not None and wanted is not None and found.number < len(wanted.value):
            return wanted.value[found.number]
        return MISSING if found is None or not self._plan.follows else found.value

    def under_way(self, event: int) -> Answer | None:
        """The stream of the base that was open at the fork point."""
        found = self._script.under_way.get(event)
        if found is None:
            return None
        wanted = self._plan.substitutes.get(event)
        return found if wanted is None or wanted.pieces is None else _substituted(found, wanted)

    @contextmanager
    def performing(self, call: Call[Any], run: Run) -> Generator[None]:
        """While the block runs, what it reaches is allowed."""
        if not run.live:
            yield
            return
        self._permit(True)
        try:
            yield
        finally:
            self._permit(False)

    def unresolved(self, call: Call[Any], reason: str, lane: Lane | None = None) -> NoReturn:
        """Nobody knows what comes of it."""
        self._stop("unresolved", f"{call.kind} {call.name}: {reason}", call, lane)

    # -- inside --------------------------------------------------------------------------------------------------

    def _begun(self, call: Call[Any]) -> Answer | None:
        return None if call.event is None else self._script.under_way.get(call.event)

    def _with_content(self, answer: Answer) -> Answer:
        if answer.content is None and has_content(answer.value):
            answer.content = self._content(answer.cassette, answer.event)
        return answer

    def _then(self, lane: Lane, call: Call[Any], request: Request) -> Answer | Run:
        plan = self._plan
        is_model = call.name in self._models
        if plan.then == RECORDED:
            self.unresolved(call, "no recording has an answer to this request that isn't used yet", lane)
        if plan.then != LIVE:
            known = None if is_model else self._answers.find(lane.path, request)
            return self._ask(lane, call, "program") if known is None else self._answers.take(known)
        if is_model and plan.tells_otherwise:
            return self._ask(lane, call, "http")
        if call.kind == TOOL or _is_terminal(call):
            return _PERFORM
        if call.kind not in _UNCONNECTED:
            self.unresolved(call, "its connection was opened before the fork point: nobody is at its other end", lane)
        if call.effect == "write" and not is_model and not plan.allow_effects and not self._is_approved(call):
            reason = f"{call.kind} {call.name} would change the world; --allow-effects lets such calls out"
            self._stop("held", reason, call, lane)
        return Run(live=True)

    def _is_approved(self, call: Call[Any]) -> bool:
        return self._plan.ask and bool(self._line.ask({"ask": "approve", **_asked(call)}))

    def _ask(self, lane: Lane, call: Call[Any], whom: str) -> Answer:
        found: Mapping[str, Any] = self._line.ask({"ask": whom, **_asked(call)})
        if "problem" in found:
            self.unresolved(call, found["problem"], lane)
        pieces = [(RESULT, piece, False, 0) for piece in found.get("pieces", ())]
        status = STREAM if call.streams else RESULT
        return Answer(-1, -1, "", Request(call.kind, call.name), 0, status, found["value"], True, pieces)


def _asked(call: Call[Any]) -> dict[str, Any]:
    stored = as_stored(Request(call.kind, call.name, call.request, call.body))
    return {"kind": call.kind, "name": call.name, "request": stored.request, "body": call.body}


def _is_terminal(call: Call[Any]) -> bool:
    """Standard input: no file of the overlay."""
    return call.kind == "file" and call.name.startswith(("stdin", "input"))


def has_content(value: Any) -> bool:
    """Whether an outcome, as it is stored, has its large part elsewhere."""
    return isinstance(value, dict) and "sha256" in value


def _substituted(known: Answer, wanted: Substitute) -> Answer:
    if wanted.how == "drop":
        return replace(known, status=ERROR, value=ConnectionResetError("dropped by the fork"), pieces=[])
    status = ERROR if wanted.how == "error" else STREAM if known.status == STREAM else RESULT
    pieces = known.pieces if wanted.pieces is None else [(RESULT, piece, False, 0) for piece in wanted.pieces]
    if status == ERROR:
        pieces = []
    return replace(known, status=status, value=wanted.value, pieces=list(pieces), content=wanted.content)
