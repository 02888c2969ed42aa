"""`multiprocessing.pool.ThreadPool`: its jobs have lanes, its own threads have none.

A pool has three threads that hand tasks out and results back, in an order of chance. So a job's lane reports its result
itself, on the worker, one at a time as the pool's own thread would; the report of that thread finds it done. An
iterable that is read while jobs run (`imap`) is read by a lane of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from replay.boundary.lanes import Lane, become, nobody, running
from replay.runtime.locks import LaneLock


def install(module: Any) -> None:
    """Called when `multiprocessing.pool` is imported."""
    kind: Any = module.ThreadPool
    create = kind.__init__

    def patched_create(self: Any, *args: Any, **kwargs: Any) -> None:
        with nobody():
            create(self, *args, **kwargs)
        self._replay_order = LaneLock()
        self._taskqueue = _Tasks(self, self._taskqueue)

    kind.__init__ = patched_create
    for name in ("close", "terminate", "join"):
        setattr(kind, name, _as_nobody(getattr(kind, name)))
    cache: Any = module._PoolCache
    cache.__delitem__ = _as_nobody(cache.__delitem__)
    for result in (module.ApplyResult, module.MapResult, module.IMapIterator, module.IMapUnorderedIterator):
        if "_set" in result.__dict__:
            result._set = _once(result._set)


def _as_nobody(real: Callable[..., Any]) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        with nobody():
            return real(*args, **kwargs)

    method.__name__, method.__doc__ = real.__name__, real.__doc__
    return method


def _once(real: Callable[..., None]) -> Callable[..., None]:
    def _set(self: Any, i: int, obj: Any) -> None:
        if running.lane is not None or i not in getattr(self, "_replay_reported", ()):
            real(self, i, obj)

    return _set


class _Tasks:
    """The pool's queue of tasks, as its methods see it: what a lane puts in is done by lanes of its own."""

    def __init__(self, pool: Any, queue: Any) -> None:
        self._pool = pool
        self._queue = queue

    def put(self, task: Any) -> None:
        lane = running.lane
        if lane is not None and task is not None:
            parts, set_length = task
            call = lane.spawn("job")
            task = (self._in_lanes(call, iter(parts)), None if set_length is None else _in_lane(call, set_length))
        with nobody():
            self._queue.put(task)

    def _in_lanes(self, call: Lane, parts: Iterator[Any]) -> Iterator[Any]:
        following = _in_lane(call, lambda: next(parts, None))
        while (part := following()) is not None:
            job, i, function, args, kwargs = part
            yield job, i, self._reporting(call.spawn("job"), job, i, function), args, kwargs

    def _reporting(self, lane: Lane, job: int, i: int, function: Callable[..., Any]) -> Callable[..., Any]:
        pool = self._pool

        def work(*args: Any, **kwargs: Any) -> Any:
            try:
                outcome = (True, function(*args, **kwargs))
            except Exception as error:
                outcome = (False, error)
            with pool._replay_order:
                result = pool._cache[job]
                result._replay_reported = {*getattr(result, "_replay_reported", ()), i}
                result._set(i, outcome)
            return outcome[1]

        return _in_lane(lane, work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def _in_lane(lane: Lane, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        become(lane)
        try:
            return function(*args, **kwargs)
        finally:
            become(None)

    return run
