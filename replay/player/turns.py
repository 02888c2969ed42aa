"""The order of a replay: waiting for a turn, and how it ends.

Rules:
- What a lane does waits until its turn has come in the total order of the recording, so that threads interleave as
  recorded. What can't get its turn any more is a divergence that names the waiting lanes, never a hang.
- The first difference is latched in the verdict and ends the replay (`on_stop`); no exception handler of the program
  can undo that.
- A lane that is past its end in the recording rests until the others are, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import FrameType
from typing import Any, NoReturn, Protocol

from replay.boundary import originals, sites
from replay.boundary.door import Call, Door
from replay.boundary.lanes import Lane, nobody, running
from replay.boundary.sources import SOURCES
from replay.model import inside
from replay.model.verdict import Crossing, Divergence, Escape, Verdict
from replay.player import divergence as explain
from replay.player.stopped import Stopped, at_exit
from replay.player.tape import Entry, Frame, Tape

_ALONE_AFTER = 0.2
_STUCK_AFTER = 10.0
"""Seconds without progress and without use of the processor after which a waiting lane gives up."""


class Debugger(Protocol):
    """`replay.runtime.debugging`, `stepping`: whether it is to stop at an event; `stop` says whether that was all."""

    def wants(self, event: int) -> bool: ...
    def stop(self, frame: FrameType | None, why: str, event: int | None, *, differs: bool) -> bool: ...


class Turns(Door):
    """A Door that goes by a tape. Its methods without an underscore, but for the ends, want `mutex` held.

    Attributes:
        tape: what is left of the recording. verdict: what was found so far.
        changed: condition over all of the player's state; whoever waits for a turn waits on it.
        complete: the recording reached its end (it was not killed or torn).
        facts: what is known about code and environment now and then, for the likely cause.
        now: the recording's time. call_count: calls so far. stopped: nothing goes on.
        over: the recorded part has returned, and what it left behind may end where the recording does: called then.

    Args:
        bodies: of tools run. on_stop: called once with the verdict when the replay ends early.
        daemons: lanes whose thread was alive when the recording ended; they stop where it did.
        prints: what was printed inside of crossings is printed again.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        *,
        seed: bytes,
        complete: bool,
        facts: explain.Facts,
        until: int | None,
        daemons: frozenset[str],
        bodies: bool,
        prints: bool,
        on_stop: Callable[[Verdict], None],
    ) -> None:
        super().__init__(seed)
        self.tape = Tape(iter(frames), tuple(name for name, _ in SOURCES), bodies=bodies)
        self.verdict = Verdict(until=until)
        self.mutex = originals.RLock()  # entered by itself: through the condition costs five times as much
        self.changed = originals.Condition(self.mutex)
        self.complete = complete
        self.facts = facts
        self.debugger: Debugger | None = None
        self._daemons = daemons
        self._prints = prints
        self._on_stop = on_stop
        self._tools: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._waiters = 0
        self.stopped = False
        self._ended = False
        self.over: Callable[[], None] | None = None
        self.now = 0
        self.call_count = 0

    def check(self) -> None:
        """Called with `changed` held. Daemons that outlive the program stay here: nothing of them may show any more."""
        if self.stopped:
            while self._ended:
                self._wait_for_change()
            raise Stopped

    def turn(self, entry: Entry) -> None:
        """Wait until the total order reaches `entry`, then take it. Called with `changed` held."""
        order = self.tape.order
        if not (order and order[0] is entry) and self.tape.head() is not entry:
            self._await_turn(entry)
        if not self.tape.take(entry):
            ahead = self.tape.next_of(entry.lane)
            self.stop_for(ahead, f"lane {entry.lane} skipped something it had done in the recording", None)
        if not order or order[0].op == "echo":
            self._print_echoes()
        if entry.at > self.now:
            self.now = entry.at
        if self._waiters:
            self.changed.notify_all()

    def _print_echoes(self) -> None:
        """What comes next in the total order may be something that was printed inside a crossing."""
        self.tape.head()
        if self.tape.echoes:
            with nobody():
                for echo in self.tape.echoes if self._prints else ():
                    label, text = echo.detail
                    stream: Any = getattr(sys, f"__{label}__")  # the program may have put another in its place
                    (stream.buffer if isinstance(text, bytes) else stream).write(text)
            self.tape.echoes.clear()

    def _await_turn(self, entry: Entry) -> None:
        self._waiting[entry.lane] = f"{entry.op} of event {entry.event}"
        try:
            self.wait(lambda: self.tape.head() is entry, entry)
        finally:
            self._waiting.pop(entry.lane, None)

    def wait(self, ready: Callable[[], bool], entry: Entry | None, *, may_rest: bool = False) -> None:
        """Wait until `ready()`; no progress and no use of the processor for long is a divergence, not a hang.

        Args:
            may_rest: nothing has to come: a lane that was cut, or a daemon.
        """
        head, used = self.tape.head(), originals.REAL_TIME.process_time()
        while not ready():
            self.check()
            alone = originals.other_threads() == 0  # a thread that has just been started isn't counted yet
            if self._wait_for_change(_ALONE_AFTER if alone else _STUCK_AFTER) or ready():
                continue
            if alone and originals.other_threads() == 0:
                if may_rest:
                    return
                self.stop_for(self.tape.head(), "nobody is left who could take the next turn", None)
            head_now, used_now = self.tape.head(), originals.REAL_TIME.process_time()
            if head_now is head and used_now - used < _STUCK_AFTER / 100:
                if not may_rest:
                    self.stop_for(self.tape.head(), "nothing moves: lanes wait for a turn that can't come", None)
                if not self.complete:
                    return
            head, used = head_now, used_now

    def _wait_for_change(self, seconds: float = 10.0) -> bool:
        lane, running.lane = running.lane, None  # a condition's own locks are not the program's
        self._waiters += 1
        try:
            return self.changed.wait(seconds)
        finally:
            self._waiters -= 1
            running.lane = lane

    def escape(self, what: str, detail: str) -> Escape:
        """Latch an attempt to get past the door."""
        escape = Escape(what, detail, sites.caller_site())
        self.verdict.escapes.append(escape)
        return escape

    def stop_for(self, entry: Entry | None, reason: str, frame: FrameType | None) -> NoReturn:
        """Latch a divergence of order at `entry` and end the replay."""
        with nobody():
            found = explain.of_order(self.tape, entry, reason, dict(self._waiting), frame, self.facts)
        self.end(found)

    def ran_out(self) -> NoReturn:
        """The tape has ended while the program goes on: the cut of an unfinished recording, or a divergence."""
        if self.over is not None:
            self.over()
        if self.complete:
            self.stop_for(None, "the recording ends here, but the program waits for more", None)
        self._cut()

    def finish(self) -> Verdict:
        """The program has ended: what the recording still expected is a divergence."""
        with self.mutex:
            if self.stopped:
                return self.verdict
            self.verdict.events = self.call_count
            left = self.tape.left(self._daemons)
            if left is not None:
                if left.op == "return" and not self.complete:
                    self.verdict.cut = True
                else:
                    self.verdict.divergence = explain.of_early_end(self.tape, left, self.facts)
            else:
                self.verdict.finished = self.complete
                self.verdict.cut = not self.complete
                self.verdict.gap = self.tape.stopped
            self.stopped = self._ended = True
            self._count()
            return self.verdict

    def differs(self, what: str, then: Any, now: Any) -> None:
        """The part ended, but with another result or exception. The first difference stands."""
        if self.verdict.divergence is None:
            left = None if self.stopped else self.tape.left()
            expected, got = Crossing(f"{what} {then!r}"), Crossing(f"{what} {now!r}")
            event = None if left is None else left.event
            self.verdict.divergence = Divergence(event, f"the {what} differs", expected, got)
            self.verdict.events = self.call_count
            self.stopped = True

    def never_began(self, why: str) -> Verdict:
        """The program has ended without reaching what is to be replayed."""
        if self.verdict.divergence is None:
            self.verdict.divergence = Divergence(None, why, None, None)
        return self.verdict

    def _diverge(
        self, lane: Lane, entry: Entry | None, what: str, call: Call[Any] | None, frame: FrameType | None
    ) -> NoReturn:
        if entry is None and (not self.complete or lane.path in self._daemons):
            self._rest()
        program = sites.program_frame(frame)
        ended = getattr(sys, "last_value", None)  # what the interpreter prints where a program ends by it
        if call is not None and call.kind == "output" and ended is not None:
            what = f"{what} of {type(ended).__name__}: {ended}"
        with nobody():  # explaining imports and locks; that is ours, not the program's
            if call is None and entry is not None and at_exit(frame):
                found = explain.of_early_end(self.tape, entry, self.facts)
            else:
                found = explain.of_call(self.tape, lane.path, entry, what, call, program, self.facts)
            tool = self._tools.get(inside.caller(lane.path) or "")
            if tool is not None:
                found = replace(found, reason=f"{found.reason}, inside tool {tool}")
        if self.debugger is not None:
            self.debugger.stop(frame, f"here it goes another way: {found.reason}", found.event, differs=True)
        self.end(found)

    def _debug(self, frame: FrameType | None, why: str, entry: Entry) -> None:
        """Somebody looks around, in the event's turn: all that came before has been done, by other lanes, too. Where
        they have seen enough, the replay ends before it."""
        assert self.debugger is not None
        if self.tape.head() is not entry:
            self._await_turn(entry)
        if self.debugger.wants(entry.event) and self.debugger.stop(frame, why, entry.event, differs=False):
            self.verdict.until = entry.event
            self._cut(asked=True)

    def _rest(self) -> NoReturn:
        """This lane is past its end in the recording: it waits until the others are, too. A daemon waits for ever."""
        past = not self.complete or self.over is not None
        self.wait(lambda: self.tape.head() is None and past, None, may_rest=True)
        if self.over is not None and self.tape.head() is None:
            self.over()
        self._cut()

    def _cut(self, *, asked: bool = False) -> NoReturn:
        self.verdict.cut = True
        self.verdict.gap = None if asked else self.tape.stopped
        self.end(None)

    def _gap(self, reason: str) -> NoReturn:
        with self.mutex:
            self.verdict.gap = reason
            self.end(None)

    def end(self, divergence: Divergence | None) -> NoReturn:
        self.stopped = True
        self.verdict.events = self.call_count
        self.verdict.divergence = divergence
        self._count()
        self.changed.notify_all()
        self._on_stop(self.verdict)
        raise Stopped

    def _count(self) -> None:
        self.verdict.inside = self.tape.inside
        self.verdict.bodies = len(self.tape.tools)
