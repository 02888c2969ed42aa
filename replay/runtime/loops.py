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
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from replay.boundary import interrupts, lanes, originals
from replay.boundary.door import Call
from replay.boundary.lanes import Lane
from replay.boundary.schedule import STOP
from replay.runtime import tapping
from replay.runtime.handles import (
    ArrivalHandle,
    LaneFuture,
    LaneHandle,
    LaneTask,
    LaneTimerHandle,
    PlainHandle,
    is_asyncio,
)

_FINALISERS_SAY = ("exception was never retrieved", "was destroyed but it is pending!")
_generators: set[int] = set()
"""Ids of asynchronous generators that began in a lane. One that ends leaves its id, until another one has that."""
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
    base.threading = originals.private_copy(base.threading)
    setattr(base.threading, "get_ident", originals.get_ident)  # noqa: B010
    gathering: Any = tasks._GatheringFuture
    gathering.__hash__ = LaneFuture.__hash__
    tasks.as_completed = package.as_completed = _in_given_order(tasks.as_completed)
    patch_loop(base.BaseEventLoop)
    _patch_signals(asyncio.SelectorEventLoop)
    unix: Any = asyncio.unix_events
    tapping.install(unix._UnixSelectorEventLoop)
    _patch_tasks(tasks, asyncio.runners, package)
    _patch_interrupts(base.BaseEventLoop)
    _patch_insides(asyncio.selector_events.BaseSelectorEventLoop)


def adopt_running_loop() -> None:
    """A recording begins inside a loop that was there before: the handle that is running now can't give its lane back
    when it ends, so the very next one does it."""
    try:
        loop: Any = asyncio.get_running_loop()
    except RuntimeError:
        return
    ready = getattr(loop, "_ready", None)
    with lanes.nobody():
        if ready is None:  # a loop in C: the handles that are ready already come before it
            loop.call_soon(_forget_lane)
        else:
            ready.appendleft(PlainHandle(_forget_lane, (), loop, None))


def _forget_lane() -> None:
    lane, lanes.running.lane = lanes.running.lane, None
    if lane is not None:
        lane.door.leave(lane)


def patch_loop(loop_class: Any) -> None:
    """What every class of loops needs."""
    _patch_running(loop_class)
    _patch_generators(loop_class)
    _patch_pool(loop_class)
    _patch_insides(loop_class)


def _patch_running(loop_class: Any) -> None:
    run_forever, loop_time = loop_class.run_forever, loop_class.time

    def patched_run_forever(self: Any) -> None:
        """Between two handles the loop is nobody: what it frees and logs there comes when it happens to."""
        lane, lanes.running.lane = lanes.running.lane, None
        if lane is not None:
            lane.door.leave(lane)
        behind = lanes.running.behind
        lanes.running.behind = lane or behind
        try:
            run_forever(self)
        finally:
            lanes.running.behind = behind
            lanes.running.lane = lane
            if lane is not None:
                lane.door.step(lane, STOP, 0)
                lane.door.enter(lane)

    report = loop_class.call_exception_handler

    def patched_report(self: Any, context: dict[str, Any]) -> None:
        """What nobody retrieved or awaited is reported when its last reference goes: by a finaliser, so by nobody."""
        if not str(context.get("message")).endswith(_FINALISERS_SAY):
            report(self, context)
            return
        lane, lanes.running.lane = lanes.running.lane, None
        try:
            report(self, context)
        finally:
            lanes.running.lane = lane

    def patched_time(self: Any) -> float:
        lane = lanes.current()
        if lane is None or is_asyncio(originals.frame(1)):
            return loop_time(self)  # type: ignore[no-any-return]
        return lane.door.draw(lane, "loop.time", lambda: loop_time(self))  # type: ignore[no-any-return]

    create_future = loop_class.create_future

    def patched_create_future(self: Any) -> Any:
        return create_future(self) if lanes.running.lane is None else LaneFuture(loop=self)

    threadsafe = loop_class.call_soon_threadsafe

    def patched_threadsafe(self: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        """What a thread hands to the loop of another runs while the thread goes on: it is a lane of its own."""
        lane = lanes.current()
        if lane is not None and asyncio._get_running_loop() is not self:
            if _is_last(lane, callback, args):
                lane.door.leave(lane)  # from here on it acts in the loop
            else:
                context = contextvars.copy_context() if context is None else context.copy()
                context.run(lanes.carrier.set, lane.spawn("callback"))
        return threadsafe(self, callback, *args, context=context)

    loop_class.call_soon_threadsafe = patched_threadsafe
    loop_class.create_future = patched_create_future
    loop_class.run_forever = patched_run_forever
    loop_class.call_exception_handler = patched_report
    for name in ("shutdown_default_executor", "shutdown_asyncgens"):
        setattr(loop_class, name, _one_crossing(name, getattr(loop_class, name)))
    loop_class.time = patched_time


def _patch_generators(loop_class: Any) -> None:
    first = loop_class._asyncgen_firstiter_hook

    def patched_first(self: Any, generator: Any) -> None:
        """Generators that run inside a crossing don't run at replay: the loop has nothing to shut down there."""
        (_generators.discard if lanes.current() is None else _generators.add)(id(generator))
        if lanes.current() is not None or lanes.crossing_of() is None:
            first(self, generator)

    def patched_finalise(self: Any, generator: Any) -> None:
        """An abandoned asynchronous generator is closed when its last reference goes: by its lane, where that was the
        lane's own doing; by nobody, where the garbage collector found it (or the loop let go of it).

        As the original, but without a lane in an empty context: see `locks` on what a collection mustn't do.
        """
        known = getattr(self, "_asyncgens", None)
        if known is not None:  # a loop in C keeps its own to itself
            known.discard(generator)
        if self.is_closed():
            return
        if lanes.running.lane is not None and id(generator) in _generators:
            self.call_soon_threadsafe(self.create_task, generator.aclose())
        else:
            self.call_soon_threadsafe(self.create_task, generator.aclose(), context=contextvars.Context())

    loop_class._asyncgen_finalizer_hook = patched_finalise
    loop_class._asyncgen_firstiter_hook = patched_first


def _patch_pool(loop_class: Any) -> None:
    in_executor = loop_class.run_in_executor

    def patched(self: Any, executor: Any, function: Any, *args: Any) -> Any:
        """A loop's own pool is made by whoever first asks for it. Where that is the body of a tool, which needn't run
        at replay, it is nobody's doing; and the first one outside of tools does what it does where there is none yet.
        """
        lane = lanes.running.lane
        if executor is None and lane is not None:
            if lane.outer is None and getattr(self, "_replay_inside_pool", False):
                self._replay_inside_pool = False
                ThreadPoolExecutor(thread_name_prefix="asyncio")
            elif lane.outer is not None and getattr(self, "_default_executor", self) is None:
                with lanes.nobody():
                    self._default_executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
                self._replay_inside_pool = True
        return in_executor(self, executor, function, *args)

    loop_class.run_in_executor = patched


def _patch_signals(loop_class: Any) -> None:
    add = loop_class.add_signal_handler

    def patched(self: Any, sig: int, callback: Any, *args: Any) -> None:
        """When a signal arrives, its callback runs: an entry of its own in the schedule."""
        lane, lanes.running.lane = lanes.running.lane, None
        try:
            add(self, sig, callback, *args)
        finally:
            lanes.running.lane = lane
        self._signal_handlers[sig] = handle = ArrivalHandle(int(sig), self._signal_handlers[sig], self)
        if lane is not None:
            self._replay_arrivals = {**getattr(self, "_replay_arrivals", {}), (lane.path, int(sig)): handle}

    loop_class.add_signal_handler = patched


def _patch_interrupts(loop_class: Any) -> None:
    """Handlers that the interpreter calls run between two handles (the loop's own are handles)."""
    run_once = loop_class._run_once

    def patched_run_once(self: Any) -> None:
        if interrupts.pending:
            lane = lanes.running.behind
            if lane is not None:
                interrupts.deliver(lane)
        run_once(self)

    interrupts.between.add(run_once.__code__)
    for kind in (PlainHandle, LaneHandle, LaneTimerHandle, ArrivalHandle):
        interrupts.within.add(kind.__dict__["_run"].__code__)
    loop_class._run_once = patched_run_once


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


def _is_last(lane: Lane, callback: Any, args: tuple[Any, ...]) -> bool:
    """Whether it reports that lane's end as a job: it does nothing after that."""
    if getattr(callback, "__module__", "") != "asyncio.futures":
        return False
    return getattr(args[-1], "_replay_job", None) is lane  # asyncio.futures._set_state(asyncio's future, the job's)


def _one_crossing(name: str, shutdown: Any) -> Any:
    """Shutting down waits for threads or for generators in the order of their addresses: one event, however it went."""

    async def patched(self: Any, *args: Any) -> None:
        lane = lanes.current()
        if lane is None:
            await shutdown(self, *args)
            return
        call: Call[None] = Call("order", f"loop.{name}", "read")
        done: list[None] = []

        async def perform() -> None:
            await shutdown(self, *args)
            done.append(None)

        await lane.door.across(lane, call, perform)
        if done:  # twice would count one more unnamed thread than a replay, which hasn't performed it
            return
        lanes.become(None)
        try:
            await shutdown(self)  # without the limit that CPython 3.12 gives it: no timer of a replay waits
        finally:
            lanes.become(lane)

    return patched


def _patch_insides(loop_class: Any) -> None:
    """Making and closing a loop, and the callbacks that run transports: the interpreter's business."""
    for name in ("__init__", "close", "_add_reader", "_add_writer"):
        original = getattr(loop_class, name, None)
        if original is None:
            continue

        def patched(self: Any, *args: Any, _original: Any = original) -> Any:
            with lanes.nobody():
                return _original(self, *args)

        setattr(loop_class, name, patched)


def use_replay_loop(player: Any, kind: Any = None) -> None:
    """From now on every new loop of this process follows `player`'s tape.

    Args:
        kind: the class of the loops; `ReplayLoop` by default.
    """
    from replay.runtime.replay_loop import ReplayLoop, new_future

    kind = kind or ReplayLoop
    ReplayLoop.player = player
    player.new_future = new_future
    package: Any = asyncio
    package.SelectorEventLoop = kind
    unix: Any = asyncio.unix_events
    unix.SelectorEventLoop = kind
    unix._UnixDefaultEventLoopPolicy._loop_factory = kind
