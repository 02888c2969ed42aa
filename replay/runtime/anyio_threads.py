"""anyio's worker threads: those that work inside of crossings are others than the program's, and sessions share them.

A worker goes from job to job. What it did inside a crossing (taking the lock of its queue, say) doesn't happen at
replay, so it mustn't be the doing of a thread that the program's own jobs run on.

Where all of a program is recorded, its workers are threads like others. A session (a part of a program) shares them
with other sessions: there a job has a lane of its own, of whoever asked for it, and the thread is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from replay.boundary import turns
from replay.boundary.lanes import Lane, become, running, within

_KEPT = ("_threadpool_idle_workers", "_threadpool_workers")


def install(module: Any) -> None:
    """Give `anyio._backends._asyncio` two of what it keeps its workers in."""
    for name in _KEPT:
        kept = getattr(module, name, None)
        if kept is not None and not isinstance(kept, _Apart):
            setattr(module, name, _Apart(kept, type(kept)(f"{name}_inside")))
    _give_lanes(module.AsyncIOBackend)


class _Apart:
    """A variable of a loop with one value for the program and one for the inside of crossings."""

    def __init__(self, program: Any, inside: Any) -> None:
        self._program = program
        self._inside = inside

    def get(self, *default: Any) -> Any:
        return (self._inside if within() else self._program).get(*default)

    def set(self, value: Any) -> Any:
        return (self._inside if within() else self._program).set(value)


class _Aside:
    """Awaits a coroutine whose own steps are nobody's; the task that waits for it keeps its lane."""

    def __init__(self, coroutine: Any, lane: Lane) -> None:
        self._coroutine = coroutine
        self._lane = lane

    def __await__(self) -> Generator[Any, Any, Any]:
        step, value = self._coroutine.send, None
        while True:
            running.lane = None
            try:
                waits = step(value)
            except StopIteration as ended:
                return ended.value
            finally:
                running.lane = self._lane
            try:
                value = yield waits
                step = self._coroutine.send
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as error:  # such as being cancelled: the coroutine's to handle
                step, value = self._coroutine.throw, error


def _give_lanes(backend: Any) -> None:
    original = backend.run_sync_in_worker_thread

    async def run_sync_in_worker_thread(
        cls: Any, func: Callable[..., Any], args: tuple[Any, ...], *rest: Any, **more: Any
    ) -> Any:
        lane = running.lane
        if lane is None or lane.door.offspring is None:
            return await original(func, args, *rest, **more)
        job = lane.spawn("job")

        def run(*given: Any) -> Any:
            become(job)
            try:
                with turns.acting(job):
                    return func(*given)
            finally:
                become(None)

        return await _Aside(original(run, args, *rest, **more), lane)

    backend.run_sync_in_worker_thread = classmethod(run_sync_in_worker_thread)
