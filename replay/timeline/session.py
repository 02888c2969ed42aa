"""A session of debugging in time: one recording, the event where one stands, and the processes that stand at others.

Rules:
- Going to an event is going on from the last process that stands before it, in a fork of it, which leaves forks of
  itself on the way (`checkpoints`). Where it can't be forked (threads, files that have no name), the process itself
  goes on, and going back means executing from the beginning.
- Where a fork of a checkpoint ends or differs, and no execution has done so there, the checkpoints aren't trusted any
  more: it is executed from the beginning, and what that does is told.
- An expression is evaluated in a fork, within limits, and the fork is ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from replay.cassette.directory import resolve
from replay.cassette.reader import Reader
from replay.launch.replaying import stops_at
from replay.limits import Limits
from replay.model.errors import LimitReached, NotReplayable
from replay.model.inside import outer
from replay.timeline import checkpoints, search
from replay.timeline.execution import Execution, Gone, Process, Stop

LIMITS: Final = Limits(seconds=5.0, memory=2 << 30)
"""Of one evaluation."""
MEMORY: Final = 2 << 30
"""Bytes that snapshots may take, if each were a copy."""
_FEWEST: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A frame of the agent's own code."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Value:
    """What came of an expression.

    Attributes:
        text: its `repr`. type: its class. truth: whether it counts as true. printed: what evaluating it printed.
        error: instead of a value: the exception, in a line; kind: its class.
    """

    text: str = ""
    type: str = ""
    truth: bool = False
    printed: str = ""
    error: str | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class When:
    """The answer to `when`. errors: how often it raised, so that nothing could be told; error: the last of them."""

    found: search.Found
    errors: int
    error: str | None


@dataclass(frozen=True, slots=True)
class End:
    """How the execution ends. `event`: the last one at which it could be stopped."""

    what: str
    differs: bool
    event: int


class Session:
    """Args:
        cassette: a path, an id prefix or `latest`. command: another command than the recorded one.
        run_tools: execute the bodies of tools, so that one can stop inside them.
        limits: of one evaluation.

    Attributes:
        path: the cassette. events: ids at which it can stop, ascending. total: how many events there are at all.
        position: the event where one stands; -1 before the first `goto`.
        end: how it ends, as soon as it has been there. executions: how often it was executed from the beginning.

    Raises:
        NotReplayable and all else that `replay.launch.run` raises.

    Example:
        with Session("incident.cassette") as session:
            session.goto(12)
            print(session.evaluate("state").text)
    """

    def __init__(
        self,
        cassette: str | os.PathLike[str],
        *,
        command: Sequence[str] | None = None,
        run_tools: bool = False,
        limits: Limits = LIMITS,
    ) -> None:
        self.path = os.path.abspath(resolve(cassette))
        self.run_tools = run_tools
        self.end: End | None = None
        self.executions = 0
        self._command = command
        self._limits = limits
        self._stack = ExitStack()
        self.position = -1
        self._forks = True
        self._checked = False
        self._how = ("", False)
        self._held: dict[int, Process] = {}
        self._here: Process | None = None
        with Reader.open(self.path) as reader:
            self.total = len(reader)
            found = (reader.event(number) for number in range(self.total))
            self.events = [each.id for each in found if stops_at(each) and (run_tools or outer(each.lane) is None)]
        if not self.events:
            raise NotReplayable(f"{self.path} has no event at which it could be stopped", hint="replay run executes it")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # -- where one stands --------------------------------------------------------------------------------------

    @property
    def goes_back(self) -> bool:
        """Whether going back from here is by checkpoints, and not by executing from the beginning."""
        return self._forks and self._present().can_fork

    @property
    def held(self) -> list[int]:
        """The events at which processes stand."""
        return sorted(self._held)

    def goto(self, event: int) -> Stop:
        """Stand at that event, or the next one behind it at which the program stops; else at the last one.

        Raises:
            NotReplayable: it can't be stopped anywhere.
        """
        try:
            return self._go(event)
        except _Untrusted:
            self._forks, self.end = False, None
            self._drop_all()
            return self._go(event)

    def forward(self, count: int = 1) -> Stop:
        """`count` stops further; at most to the last."""
        for _ in range(count):
            if self.position >= self._last():
                self._see_end()
                break
            self.goto(self.position + 1)
        return self.stop

    def back(self, count: int = 1) -> Stop:
        """`count` stops back; at most to the first."""
        for _ in range(count):
            began = self.position
            for earlier in reversed([event for event in self.events if event < began]):
                self.goto(earlier)
                if self.position < began:
                    break
        return self.stop

    @property
    def stop(self) -> Stop:
        """Where one stands."""
        found = self._present().stop
        assert found is not None
        return found

    def stack(self) -> list[Place]:
        """The agent's own code that leads to the event, innermost first."""
        return [Place(*each) for each in self._present().ask(do="stack")["stack"]]

    def locals(self, frame: int = 0) -> list[tuple[str, str]]:
        """Names and values of that frame of `stack`."""
        try:
            return [(name, text) for name, text in self._aside(do="locals", frame=frame)["locals"]]
        except (Gone, LimitReached):
            return []

    def evaluate(self, expression: str, frame: int = 0) -> Value:
        """In that frame of `stack`, and where it doesn't know a name, in its callers. Nothing of it stays."""
        try:
            found = self._aside(do="evaluate", what=expression, frame=frame)
        except LimitReached as error:
            return Value(error=f"ended: {error.what}", kind="LimitReached")
        except Gone:
            return Value(error="ended the process in which it was evaluated", kind="Gone")
        if "error" in found:
            return Value(error=found["error"], kind=found["kind"], printed=found["printed"])
        return Value(found["value"], found["type"], found["truth"], found["printed"])

    def when(self, expression: str, *, scan: bool = False, told: Callable[[int], None] | None = None) -> When:
        """The first event at which it is true; one stands there afterwards, or where one stood.

        Args:
            scan: look at each event, instead of halving (`search`).
            told: called with each event that is looked at.
        """
        began = self.position
        errors: list[str] = []

        def holds(event: int) -> bool | None:
            if told is not None:
                told(event)
            self.goto(event)
            value = self.evaluate(expression)
            if value.error is not None:
                errors.append(value.error)
                if value.kind in ("SyntaxError", "LimitReached"):
                    raise _Pointless
                return None
            return value.truth

        try:
            self.goto(self.events[-1] if not scan else self.events[0])
            events = self._reachable()
            found = (search.scan if scan else search.halve)(events, holds)
        except _Pointless:
            found = search.Found(None, None, len(errors))
        except BaseException:
            self.goto(began)
            raise
        self.goto(began if found.event is None else found.event)
        return When(found, len(errors), next(iter(errors[-1:]), None))

    # -- inside ------------------------------------------------------------------------------------------------

    def _see_end(self) -> None:
        """From the last event on."""
        if self.end is None:
            process, reached = self._advance(self._present(), self.total)
            self.end = End(*self._how, self.position) if not reached else End(self.stop.why, True, self._at(process))
            self.goto(self._at(process))

    def _reachable(self) -> list[int]:
        """Where it can be stopped, as far as is known: a replay that goes another way ends sooner."""
        last = self._last()
        known = [event for event in self.events if event <= last]
        return known if last in known else [*known, last]

    def _last(self) -> int:
        return self.events[-1] if self.end is None else self.end.event

    def _at(self, process: Process) -> int:
        """The event at which it stands."""
        stop = process.stop
        return self.total if stop is None or stop.event is None else stop.event

    def _go(self, target: int) -> Stop:
        """See `goto`. Where the program ends before `target`, its last stop is searched by halving."""
        target = min(max(target, 0), self._last())
        ceiling: int | None = None
        while True:
            begin = checkpoints.start(self._held, target)
            process, reached = self._advance(self._execute() if begin is None else self._held[begin], target)
            at = self._at(process)
            if reached and process.stop is not None and process.stop.differs:
                self.end = End(process.stop.why, True, at)
                break
            if not reached:
                ceiling = target
            if ceiling is None:
                break
            between = [event for event in self.events if at < event < ceiling]
            if not between:
                self.end = End(*self._how, at)
                break
            target = between[len(between) // 2]
        self._here, self.position = process, at
        self._thin()
        assert process.stop is not None
        return process.stop

    def _advance(self, process: Process, target: int) -> tuple[Process, bool]:
        """A process at `target` or the next stop behind it, or where it differs. False: it ended before, and this one
        stands somewhere on the way."""
        for stop in checkpoints.on_the_way(self._at(process), target):
            at = self._at(process)
            if at >= stop or (process.stop is not None and process.stop.differs):
                continue
            going = process.fork() if self._forks and process.can_fork else None
            went = going or process
            if going is None:
                del self._held[at]
                self._here = None
            try:
                arrived = went.go(stop)
            except BaseException:
                went.kill()
                raise
            if arrived is None:
                self._how = _how(went)
                went.end()
            if arrived.differs if arrived is not None else self._how[1]:
                self._check(stop, forked=going is not None)
            if arrived is None:
                return (self._execute(at) if going is None else process), False
            self._hold(went)
            process = went
        return process, True

    def _check(self, target: int, *, forked: bool) -> None:
        """A fork went another way: so does an execution from the beginning, or forks aren't trusted."""
        if not forked or self._checked:
            return
        self._checked = True
        with Execution(self.path, self._command, target, run_tools=self.run_tools) as straight:
            first = straight.first
            if first is not None and first.stop is not None and not first.stop.differs:
                raise _Untrusted

    def _execute(self, at: int | None = None) -> Process:
        """From the beginning, until it stops first."""
        self._drop_all()
        self.executions += 1
        at = self.events[0] if at is None else at
        execution = self._stack.enter_context(Execution(self.path, self._command, at, run_tools=self.run_tools))
        first = execution.first
        if first is None:
            what, _ = _how_of(execution)
            raise NotReplayable(f"it can't be stopped anywhere: {what}", hint="replay run says more")
        self._hold(first)
        return first

    def _hold(self, process: Process) -> None:
        other = self._held.get(self._at(process))
        if other is not None and other is not process:
            other.end()
        self._held[self._at(process)] = process

    def _thin(self) -> None:
        assert self._here is not None
        room = max(_FEWEST, MEMORY // max(self._here.memory, 1))
        for event in set(self._held) - checkpoints.kept(self._held, self.position, room):
            self._held.pop(event).end()

    def _drop_all(self) -> None:
        self._held.clear()
        self._here = None
        self._stack.close()
        self._stack = ExitStack()

    def _present(self) -> Process:
        if self._here is None:
            self.goto(max(self.position, 0))
        assert self._here is not None
        return self._here

    def _aside(self, **question: Any) -> dict[str, Any]:
        """Asks a fork of the present process, which is ended then."""
        twin = self._present().fork()
        if twin is None:
            raise Gone
        try:
            return twin.ask(self._limits, **question)
        finally:
            twin.kill()


def _how(process: Process) -> tuple[str, bool]:
    return _how_of(process.execution)


def _how_of(execution: Execution) -> tuple[str, bool]:
    """How it ended, in words, and whether that differs from the recording."""
    verdict = execution.verdict()
    if verdict is None:
        return "the program ended without a verdict", True
    if verdict["divergence"] is not None:
        return f"it goes another way: {verdict['divergence']['reason']}", True
    if verdict["gap"] is not None:
        return f"the recording can't go on: {verdict['gap']}", False
    if verdict["cut"]:
        return "the recording stops there (unfinished)", False
    return "the program ends, as recorded", False


class _Pointless(Exception):
    """It can't be evaluated anywhere."""


class _Untrusted(Exception):
    """A checkpoint led elsewhere than an execution from the beginning does."""
