"""uvloop is recorded as such, and replayed on our loop.

uvloop makes its handles in C, so the callbacks themselves are wrapped when they are handed in; everything in asyncio
that hands one in (tasks, futures, timeouts) does it through these methods. `Loop` is a Python class over the one in C,
so it takes the same patches as asyncio's loops.
"""

from __future__ import annotations

import asyncio
import asyncio.format_helpers
import contextvars
from collections.abc import Callable
from typing import Any

from replay.boundary import lanes, turns
from replay.boundary.lanes import carrier, running
from replay.boundary.schedule import ARRIVAL, CALLBACK, STEP, TIMER
from replay.runtime import handles, loops, tapping

_SOURCE: Any = getattr(asyncio.format_helpers, "_format_callback_source")  # noqa: B009 - it has no public name


class _Wrapped:
    """What a handle in C calls: makes its lane current, tells the door, calls."""

    __slots__ = ("__wrapped__", "mark", "number")

    def __init__(self, callback: Callable[..., Any], mark: int, number: int) -> None:
        self.__wrapped__ = callback
        self.mark = mark
        self.number = number

    def __call__(self, *args: Any) -> None:
        lane: Any = carrier.get()
        before = running.lane
        running.lane = lane = lane if lane.__class__ is lanes.Lane else None
        try:
            if lane is not None:
                lane.door.step(lane, self.mark, self.number)
            self.__wrapped__(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # as asyncio's own handles report it, and so those of a replay
            source = _SOURCE(self.__wrapped__, args)
            context = {"message": f"Exception in callback {source}", "exception": error, "handle": self}
            asyncio.get_running_loop().call_exception_handler(context)
        finally:
            running.lane = before
            if turns.taken:
                turns.ended(contextvars.copy_context())

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)


def record_uvloop(module: Any) -> None:
    """Give uvloop's callbacks lanes; at replay, the same class name stands for our loop."""
    kind: Any = module.Loop
    call_soon, call_later, time = kind.call_soon, kind.call_later, kind.time
    threadsafe, add_signal_handler = kind.call_soon_threadsafe, kind.add_signal_handler

    def patched_soon(self: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        return call_soon(self, _wrap(callback), *args, context=context)

    def patched_threadsafe(self: Any, callback: Any, *args: Any, context: Any = None) -> Any:
        return threadsafe(self, _wrap(callback), *args, context=context)

    def patched_later(self: Any, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        lane = lanes.carried(contextvars.copy_context() if context is None else context)
        number = 0 if lane is None else lane.next_timer()
        return call_later(self, delay, _Wrapped(callback, TIMER, number), *args, context=context)

    def patched_at(self: Any, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        """The original asks `time()` and calls `call_later`."""
        return patched_later(self, when - time(self), callback, *args, context=context)

    def patched_signal(self: Any, sig: int, callback: Any, *args: Any) -> None:
        lane, running.lane = running.lane, None
        try:
            add_signal_handler(self, sig, _Wrapped(callback, ARRIVAL, int(sig)), *args)
        finally:
            running.lane = lane

    create_task = kind.create_task

    def patched_task(self: Any, coro: Any, **more: Any) -> Any:
        """A uvloop that was imported before us knows another class of tasks."""
        if running.lane is None or self.get_task_factory() is not None:
            return create_task(self, coro, **more)
        return asyncio.Task(coro, loop=self, **more)

    kind.create_task = patched_task
    kind.call_soon, kind.call_later, kind.call_at = patched_soon, patched_later, patched_at
    kind.call_soon_threadsafe, kind.add_signal_handler = patched_threadsafe, patched_signal
    loops.patch_loop(kind)
    tapping.install(kind)


def _wrap(callback: Any) -> _Wrapped:
    return _Wrapped(callback, STEP if handles.is_step(callback) else CALLBACK, 0)


def replay_uvloop(module: Any) -> None:
    """A replay's loops are ours, under the name that the program knows."""
    from replay.runtime.replay_loop import ReplayLoop

    class Loop(ReplayLoop):
        """`SystemExit` out of a callback ends asyncio's loops at once; this one runs what was ready before it ends."""

        _last_error: BaseException | None = None

        def _goes_on_after(self, error: BaseException) -> bool:
            self._last_error = error
            self.stop()
            return True

        def run_forever(self) -> None:
            self._last_error = None
            super().run_forever()
            if self._last_error is not None:
                raise self._last_error

        def __repr__(self) -> str:
            state = f"running={self.is_running()} closed={self.is_closed()} debug={self.get_debug()}"
            return f"<uvloop.Loop {state}>"

    Loop.__module__, Loop.__qualname__ = "uvloop", "Loop"
    module.Loop = Loop
