"""Event loop handles and tasks that know their lane.

asyncio makes its handles through `events.Handle` and `events.TimerHandle` and its tasks through `tasks.Task`, looked up
at each call, so replacing these three names covers every loop written in Python, without touching the loop.

A handle's lane is that of its context *when it runs*: a task's context has no lane while the task is inside a crossing.
"""

from __future__ import annotations

import asyncio
import contextvars
from types import FrameType
from typing import Any

from replay.boundary import turns
from replay.boundary.lanes import Lane, carried, carrier, current, hash_of, running, within
from replay.boundary.schedule import ARRIVAL, CALLBACK, STEP, TIMER
from replay.model.inside import INNER, caller

PlainHandle: Any = asyncio.events.Handle
_TimerHandle: Any = asyncio.events.TimerHandle
_Task: Any = asyncio.tasks.Task
_Future: Any = asyncio.futures.Future


def is_asyncio(frame: FrameType) -> bool:
    """Whether asyncio itself asks: its timers' arithmetic is not an input of the program.

    Except where a timeout decides by it whether it has passed before it began.
    """
    name = str(frame.f_globals.get("__name__", ""))
    return name.startswith("asyncio.") and name != "asyncio.timeouts"


def mark_of(handle: Any) -> int:
    """STEP where the handle runs a task, CALLBACK where it runs anything else."""
    return STEP if is_step(handle._callback) else CALLBACK


def is_step(callback: Any) -> bool:
    """Whether calling it runs a task."""
    return isinstance(getattr(callback, "__self__", None), _Task)


def lane_of(handle: Any) -> Lane | None:
    """The lane of any handle; one that was made before installation has none."""
    return carried(handle._context) if isinstance(handle, (LaneHandle, LaneTimerHandle)) else None


class LaneHandle(PlainHandle):  # type: ignore[misc]
    """A handle that makes its lane current while it runs and tells the door."""

    __slots__ = ()

    def lane(self) -> Lane | None:
        """The lane on whose behalf this handle would run now."""
        return carried(self._context)

    def _run(self) -> None:
        lane = carried(self._context)
        before = running.lane
        running.lane = lane
        try:
            if lane is not None:
                lane.door.step(lane, mark_of(self), 0)
            PlainHandle._run(self)
        finally:
            running.lane = before
            if turns.taken:
                turns.ended(self._context)


class LaneTimerHandle(_TimerHandle):  # type: ignore[misc]
    """A timer that its lane has numbered."""

    __slots__ = ("number",)

    def __init__(self, when: float, callback: Any, args: Any, loop: Any, context: Any = None) -> None:
        super().__init__(when, callback, args, loop, context)  # pyright: ignore[reportUnknownMemberType]
        lane = carried(self._context)
        self.number = 0 if lane is None else lane.next_timer()

    def when(self) -> float:
        """Seconds of the loop's clock. asyncio doesn't ask; a program that does gets what it got then."""
        lane = running.lane
        if lane is None:
            return float(self._when)
        return float(lane.door.draw(lane, "timer.when", lambda: self._when))

    def lane(self) -> Lane | None:
        """The lane that set the timer, unless it has gone inside a crossing meanwhile."""
        return carried(self._context)

    def _run(self) -> None:
        lane = carried(self._context)
        before = running.lane
        running.lane = lane
        try:
            if lane is not None:
                lane.door.step(lane, TIMER, self.number)
            _TimerHandle._run(self)
        finally:
            running.lane = before
            if turns.taken:
                turns.ended(self._context)


class ArrivalHandle(LaneHandle):
    """What a loop runs whenever a signal arrives: `number` is the signal's."""

    __slots__ = ("number",)

    def __init__(self, number: int, handle: Any, loop: Any) -> None:
        super().__init__(handle._callback, handle._args, loop, handle._context)  # pyright: ignore[reportUnknownMemberType]
        self.number = number

    def _run(self) -> None:
        lane = carried(self._context)
        before = running.lane
        running.lane = lane
        try:
            if lane is not None:
                lane.door.step(lane, ARRIVAL, self.number)
            PlainHandle._run(self)
        finally:
            running.lane = before
            if turns.taken:
                turns.ended(self._context)


class LaneTask(_Task):  # type: ignore[misc]
    """A task in a lane of its own, named and hashed by it: sets of tasks iterate alike in every execution."""

    def __init__(
        self,
        coro: Any,
        *,
        loop: Any = None,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **more: Any,
    ) -> None:
        parent = current()
        self._replay_lane: Lane | None = None
        if parent is not None:
            lane = parent.spawn("task")
            self._replay_lane = lane
            context = contextvars.copy_context() if context is None else context
            context.run(carrier.set, lane)
            if name is None:
                name = f"Task-{lane.number}"
        super().__init__(coro, loop=loop, name=name, context=context, **more)  # pyright: ignore[reportUnknownMemberType]
        if parent is not None and parent.door.offspring is not None:
            parent.door.begot(self)

    def in_session_of(self, lane: Lane) -> bool:
        """Whether the same door sees both, and no tool lies between: what its body began may not be there at replay."""
        own = self._replay_lane
        if own is None or own.door is not lane.door:
            return False
        before = caller(own.path)
        return before is None or f"{lane.path}/".startswith(f"{before}/{INNER}/")

    def add_done_callback(self, callback: Any, /, **given: Any) -> None:
        """What is added inside a crossing isn't at replay: it has no lane, whosever `context` it is given (anyio's).

        A task that waits for this one is given its own context, and goes on in it: that is no callback.
        """
        context: contextvars.Context | None = given.get("context")
        if context is not None and within() and not isinstance(getattr(callback, "__self__", None), _Task):
            given["context"] = context = context.copy()
            context.run(carrier.set, carrier.get())
        super().add_done_callback(callback, **given)  # pyright: ignore[reportUnknownMemberType]

    def __hash__(self) -> int:
        lane = self._replay_lane
        return _Task.__hash__(self) if lane is None else lane.hash


class LaneFuture(_Future):  # type: ignore[misc]
    """What `loop.create_future` makes in a lane: sets of them iterate alike in every execution."""

    def __hash__(self) -> int:
        return hash_of(self, _Future.__hash__)


_NAMES = {
    LaneFuture: "Future",
    LaneHandle: "Handle",
    ArrivalHandle: "Handle",
    LaneTimerHandle: "TimerHandle",
    LaneTask: "Task",
}
for _kind, _name in _NAMES.items():
    _kind.__name__ = _kind.__qualname__ = _name  # programs print them
