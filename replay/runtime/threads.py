"""Threads and executor jobs get lanes: by who started them and in which order, not by which worker runs them.

Starting a thread and handing a job to a pool are the interpreter's business (its locks depend on which worker happens
to be idle); what runs in the thread or the job is the lane's. Whether a thread had ended when somebody looked, or
waited for it only so long, is an input.
"""

from __future__ import annotations

import _queue
import _thread
import concurrent.futures._base as futures
import concurrent.futures.thread as pool
import queue
import threading
from collections.abc import Callable
from typing import Any

from replay.boundary import originals, turns
from replay.boundary.lanes import Lane, become, hash_of, nobody, running
from replay.runtime import import_lanes

_installed = False
_alive: dict[str, None] = {}
"""Lanes of threads that are running now."""


def alive() -> list[str]:
    """Lanes whose thread hasn't ended: when the program ends, its daemons."""
    return list(_alive)


def outlives(lane: Lane) -> None:
    """That lane goes on for as long as the program does."""
    _alive[lane.path] = None


def forget() -> None:
    """In a forked child: the other threads stayed with its parent, and `threading` has made its locks anew: ours."""
    _alive.clear()
    module: Any = threading
    module._active_limbo_lock = originals.RLock()
    if hasattr(module, "_shutdown_locks_lock"):
        module._shutdown_locks_lock = originals.allocate_lock()


def install() -> None:
    """Patch `Thread.start`, the pool and its futures; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    _patch_thread()
    _patch_low_level()
    _patch_pool()
    _patch_shutdown()


def _spawned(parent: Lane, how: str) -> Lane:
    import_lanes.begin(parent)
    return parent.spawn(how)


def _patch_thread() -> None:
    kind: Any = threading.Thread
    start, join, is_alive = kind.start, kind.join, kind.is_alive

    def patched_start(self: Any) -> None:
        parent = running.lane
        if parent is not None and not hasattr(self, "_replay_lane"):
            self._replay_lane = _spawned(parent, "thread")
            self.run = _in_lane(self, self._replay_lane, self.run)
            parent.door.begot(self)
        with nobody():
            start(self)

    def patched_join(self: Any, timeout: float | None = None) -> None:
        lane = running.lane
        if lane is None:
            join(self, timeout)
        elif timeout is None:
            try:
                lane.door.pause(lane, lambda: join(self), again=True)
            except BaseException:
                _let_go(self)
                raise
        else:
            with turns.waiting(lane):
                ended = lane.door.draw(lane, "thread.join", lambda: _ended(self, timeout))
            if ended:
                join(self)

    def _let_go(thread: Any) -> None:
        """What `join` does to a thread when a handler's exception leaves it (CPython 3.11 and 3.12 call it stopped)."""
        lock = getattr(thread, "_tstate_lock", None)
        if lock is not None and lock.locked():
            lock.release()
            thread._stop()

    def _ended(thread: Any, timeout: float) -> bool:
        with nobody():
            join(thread, timeout)
            return not is_alive(thread)

    def patched_is_alive(self: Any) -> bool:
        """When a thread ends, the schedule doesn't say."""
        lane = running.lane
        return bool(
            is_alive(self) if lane is None else lane.door.draw(lane, "thread.is_alive", lambda: _alone(is_alive, self))
        )

    kind.start, kind.join, kind.is_alive = patched_start, patched_join, patched_is_alive


def _alone(ask: Callable[..., Any], *args: Any) -> Any:
    """What the interpreter looks at to find out is nobody's."""
    with nobody():
        return ask(*args)


def _in_lane(thread: Any, lane: Lane, run: Callable[[], None]) -> Callable[[], None]:
    """`run`, as the lane; an exception that ends the thread is reported by the lane, too."""

    def run_in_lane() -> None:
        del thread.run  # a cycle, otherwise
        become(lane)
        _alive[lane.path] = None
        try:
            with turns.acting(lane):
                _run(thread, run)
        finally:
            del _alive[lane.path]
            become(None)

    return run_in_lane


def _run(thread: Any, run: Callable[[], None]) -> None:
    try:
        run()
    except SystemExit:
        pass
    except BaseException:
        thread._invoke_excepthook(thread)


def _patch_low_level() -> None:
    """`_thread.start_new_thread`, called directly (`threading` has its own copy)."""
    module: Any = _thread
    real = module.start_new_thread

    def start_new_thread(function: Any, args: Any, kwargs: Any = None) -> int:
        parent = running.lane
        if parent is None:
            return int(real(function, args, kwargs or {}))
        lane = _spawned(parent, "thread")

        def run_in_lane() -> None:
            become(lane)
            _alive[lane.path] = None
            try:
                with turns.acting(lane):
                    function(*args, **(kwargs or {}))
            finally:
                del _alive[lane.path]
                become(None)

        return int(real(run_in_lane, ()))

    module.start_new_thread = start_new_thread


def _patch_shutdown() -> None:
    """At its end the interpreter waits for the threads that aren't daemons, in C: it is their turn."""
    module: Any = threading
    shutdown = module._shutdown

    def leave() -> None:
        lane = running.lane
        if lane is not None:
            lane.door.leave(lane)

    def patched() -> None:
        shutdown()
        lane = running.lane
        if lane is not None:
            lane.door.enter(lane)

    module._threading_atexits.insert(0, leave)  # the first one runs last, right before it waits
    module._shutdown = patched


class _Submitting(threading.local):
    job: Lane | None = None


_submitting = _Submitting()


def _patch_pool() -> None:
    item: Any = getattr(pool, "_WorkItem")  # noqa: B009 - it has no public name
    executor: Any = pool.ThreadPoolExecutor
    create, run, submit, shutdown = item.__init__, item.run, executor.submit, executor.shutdown
    own: Any = originals.private_copy(queue)
    own.SimpleQueue = _queue.SimpleQueue
    setattr(pool, "queue", own)  # noqa: B010 - which worker takes what is nobody's business

    def patched_submit(self: Any, *args: Any, **kwargs: Any) -> Any:
        parent = running.lane
        if parent is None:
            return submit(self, *args, **kwargs)
        _submitting.job = job = _spawned(parent, "job")
        try:
            with nobody():
                future = submit(self, *args, **kwargs)
        finally:
            _submitting.job = None
        future._replay_hash = job.hash
        parent.door.begot(future)
        return future

    def patched_create(self: Any, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        self._replay_lane = self.future._replay_job = _submitting.job

    def patched_run(self: Any) -> None:
        lane = self._replay_lane
        if lane is None:
            run(self)
            return
        become(lane)
        try:
            with turns.acting(lane):
                run(self)
        finally:
            become(None)

    def patched_shutdown(self: Any, *args: Any, **kwargs: Any) -> None:
        with turns.waiting(running.lane), nobody():
            shutdown(self, *args, **kwargs)

    executor.submit, executor.shutdown = patched_submit, patched_shutdown
    item.__init__, item.run = patched_create, patched_run
    future: Any = futures.Future
    by_address = future.__hash__

    def by_job(self: Any) -> int:
        """Sets of futures (`as_completed`, `wait`) iterate alike in every execution."""
        return hash_of(self, by_address)

    future.__hash__ = by_job
