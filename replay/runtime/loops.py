"""asyncio under record and replay: lanes for tasks and handles, the schedule, and one loop class at replay.

Installed when asyncio is imported. What asyncio does for itself (its clock, its self-pipe, its transports' readers)
stays out of the record; when the loop leaves `run_forever` is in it.
"""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.selector_events
import contextvars
import functools
from typing import Any

from replay.boundary import lanes, originals
from replay.boundary.door import Call
from replay.boundary.schedule import STOP
from replay.runtime.handles import LaneHandle, LaneTask, LaneTimerHandle, PlainHandle, is_asyncio

_installed = False


def install() -> None:
    """Give handles and tasks lanes; idempotent. Costs nothing to programs that nobody records."""
    global _installed
    if _installed:
        return
    _installed = True
    events: Any = asyncio.events
    tasks: Any = asyncio.tasks
    package: Any = asyncio
    events.Handle = package.Handle = LaneHandle
    events.TimerHandle = package.TimerHandle = LaneTimerHandle
    tasks.Task = package.Task = LaneTask
    base: Any = asyncio.base_events
    base.time = originals.REAL_TIME
    tasks.as_completed = package.as_completed = _in_given_order(tasks.as_completed)
    _patch_loop(base.BaseEventLoop)
    _patch_tasks(tasks, asyncio.runners, package)
    _patch_insides(asyncio.selector_events.BaseSelectorEventLoop)


def adopt_running_loop() -> None:
    """A recording begins inside a loop that was there before: the handle that is running now can't give its lane back
    when it ends, so the very next one does it."""
    try:
        loop: Any = asyncio.get_running_loop()
    except RuntimeError:
        return
    ready = getattr(loop, "_ready", None)
    if ready is not None:
        with lanes.nobody():
            ready.appendleft(PlainHandle(_forget_lane, (), loop, None))


def _forget_lane() -> None:
    lanes.running.lane = None


def _patch_loop(loop_class: Any) -> None:
    run_forever, loop_time = loop_class.run_forever, loop_class.time

    def patched_run_forever(self: Any) -> None:
        lane = lanes.current()
        try:
            run_forever(self)
        finally:
            if lane is not None:
                lane.door.step(lane, STOP, 0)

    first = loop_class._asyncgen_firstiter_hook

    def patched_first(self: Any, generator: Any) -> None:
        """Generators that run inside a crossing don't run at replay: the loop has nothing to shut down there."""
        if lanes.current() is not None or lanes.crossing_of() is None:
            first(self, generator)

    def patched_finalise(self: Any, generator: Any) -> None:
        """An abandoned asynchronous generator is closed when its last reference happens to go: in nobody's lane.

        As the original, but in an empty context. This may run within the garbage collector: see `locks`.
        """
        self._asyncgens.discard(generator)
        if not self.is_closed():
            lane, lanes.running.lane = lanes.running.lane, None
            try:
                self.call_soon_threadsafe(self.create_task, generator.aclose(), context=contextvars.Context())
            finally:
                lanes.running.lane = lane

    def patched_time(self: Any) -> float:
        lane = lanes.current()
        if lane is None or is_asyncio(originals.frame(1)):
            return loop_time(self)  # type: ignore[no-any-return]
        return lane.door.draw(lane, "loop.time", lambda: loop_time(self))  # type: ignore[no-any-return]

    threadsafe = loop_class.call_soon_threadsafe

    def patched_threadsafe(self: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        """What a thread hands to the loop of another runs while the thread goes on: it is a lane of its own."""
        lane = lanes.current()
        if lane is not None and self._thread_id != originals.get_ident() and not _is_last(callback):
            context = contextvars.copy_context() if context is None else context.copy()
            context.run(lanes.carrier.set, lane.spawn("callback"))
        return threadsafe(self, callback, *args, context=context)

    loop_class.call_soon_threadsafe = patched_threadsafe
    loop_class.run_forever = patched_run_forever
    loop_class._asyncgen_finalizer_hook = patched_finalise
    loop_class._asyncgen_firstiter_hook = patched_first
    for name in ("shutdown_default_executor", "shutdown_asyncgens"):
        setattr(loop_class, name, _one_crossing(name, getattr(loop_class, name)))
    loop_class.time = patched_time


def _in_given_order(as_completed: Any) -> Any:
    """The original puts coroutines into a set, and so makes their tasks in the order of their addresses."""

    @functools.wraps(as_completed)
    def ordered(fs: Any, *args: Any, **kwargs: Any) -> Any:
        if lanes.current() is not None and not (asyncio.isfuture(fs) or asyncio.iscoroutine(fs)):
            fs = [asyncio.ensure_future(each) for each in dict.fromkeys(fs)]
        return as_completed(fs, *args, **kwargs)

    return ordered


def _patch_tasks(tasks: Any, runners: Any, package: Any) -> None:
    """A lane sees the tasks of its own recording. The others (finalisers, what SDKs run inside crossings) come and go
    as the garbage collector and the network like; `asyncio.run` cancels them all the same, as nobody."""
    every, cancel_all = tasks.all_tasks, runners._cancel_all_tasks

    @functools.wraps(every)
    def all_tasks(loop: Any = None) -> set[Any]:
        found: set[Any] = every(asyncio.get_running_loop() if loop is None else loop)
        lane = lanes.current()
        if lane is None:
            return found
        return {task for task in found if not isinstance(task, LaneTask) or task.in_session_of(lane)}

    def patched_cancel_all(loop: Any) -> None:
        cancel_all(loop)
        if lanes.current() is not None:
            with lanes.nobody():
                cancel_all(loop)

    tasks.all_tasks = package.all_tasks = all_tasks
    runners._cancel_all_tasks = patched_cancel_all


def _is_last(callback: Any) -> bool:
    """Whether it reports a job's end: its lane does nothing after that."""
    return getattr(callback, "__module__", "") == "asyncio.futures"


def _one_crossing(name: str, shutdown: Any) -> Any:
    """Shutting down waits for threads or for generators in the order of their addresses: one event, however it went."""

    async def patched(self: Any, *args: Any) -> None:
        lane = lanes.current()
        if lane is None:
            await shutdown(self, *args)
            return
        call: Call[None] = Call("order", f"loop.{name}", "read")
        await lane.door.across(lane, call, lambda: shutdown(self, *args))
        lanes.become(None)
        try:
            await shutdown(self, *args)  # at replay the crossing did nothing; when recording, nothing is left to do
        finally:
            lanes.become(lane)

    return patched


def _patch_insides(loop_class: Any) -> None:
    """Making and closing a loop, and the callbacks that run transports: the interpreter's business."""
    for name in ("__init__", "close", "_add_reader", "_add_writer"):
        original = getattr(loop_class, name)

        def patched(self: Any, *args: Any, _original: Any = original) -> Any:
            with lanes.nobody():
                return _original(self, *args)

        setattr(loop_class, name, patched)


def use_replay_loop(player: Any) -> None:
    """From now on every new loop of this process follows `player`'s tape."""
    from replay.runtime.replay_loop import ReplayLoop, new_future

    ReplayLoop.player = player
    player.new_future = new_future
    package: Any = asyncio
    package.SelectorEventLoop = ReplayLoop
    unix: Any = asyncio.unix_events
    unix.SelectorEventLoop = ReplayLoop
    unix._UnixDefaultEventLoopPolicy._loop_factory = ReplayLoop
