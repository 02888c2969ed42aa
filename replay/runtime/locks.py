"""Locks in recorded order: `threading.Lock`, `threading.RLock` and all that is built on them.

Who gets a lock first decides what a threaded program does next (whether a future was done when its callback was
added, say), so each acquisition by a lane is an entry of the schedule, written while the lock is held. At replay a lane
acquires when its turn comes. Conditions, events, semaphores, queues and futures follow, since they are made of these
locks; a wait that timed out times out again.

Only locks made after installation take part. Locks acquired without a lane (inside a crossing, by the interpreter) are
left alone. Not covered: what threads do to memory without a lock.
"""

from __future__ import annotations

import _thread
import functools
import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from replay.boundary import originals
from replay.boundary.imports import on_import
from replay.boundary.lanes import Lane, running


class LaneLock:
    """`threading.Lock`, with its order told to the door."""

    __slots__ = ("__weakref__", "_lock")
    __module__ = "_thread"  # what libraries that look (trio does) expect of a lock

    def __init__(self) -> None:
        self._lock: Any = originals.allocate_lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        lane = running.lane
        if lane is None:
            return self._lock.acquire(blocking, timeout)  # type: ignore[no-any-return]
        return lane.door.acquire(lane, self._lock.acquire, blocking, timeout)

    def release(self) -> None:
        self._lock.release()

    def locked(self) -> bool:
        """Nobody waits to find out, so no turn orders it: an input."""
        lane = running.lane
        if lane is None:
            return self._lock.locked()  # type: ignore[no-any-return]
        return bool(lane.door.draw(lane, "thread.polled", self._lock.locked))

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()

    def __repr__(self) -> str:
        return f"<{'locked' if self._lock.locked() else 'unlocked'} lock>"

    acquire_lock, release_lock, locked_lock = acquire, release, locked


class LaneRLock:
    """`threading.RLock`, with its order told to the door; taking it again while holding it is nobody's business."""

    __slots__ = ("__weakref__", "_lock")
    __module__ = "_thread"

    def __init__(self) -> None:
        self._lock: Any = _thread.RLock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        lane = running.lane
        if lane is None or self._lock._is_owned():
            return self._lock.acquire(blocking, timeout)  # type: ignore[no-any-return]
        return lane.door.acquire(lane, self._lock.acquire, blocking, timeout)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    # What Condition asks of its lock.

    def _is_owned(self) -> bool:
        return self._lock._is_owned()  # type: ignore[no-any-return]

    def _release_save(self) -> Any:
        return self._lock._release_save()

    def _acquire_restore(self, state: Any) -> None:
        lane = running.lane
        if lane is None:
            self._lock._acquire_restore(state)
        else:
            lane.door.acquire(lane, lambda blocking, _timeout: self._restored(state, blocking), True, -1)

    def _restored(self, state: Any, blocking: bool) -> bool:
        if blocking:
            self._lock._acquire_restore(state)  # no signal handler leaves this by an exception
            return True
        count, _owner = state
        return self._lock.acquire(False) and all(self._lock.acquire() for _ in range(count - 1))

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()

    def _recursion_count(self) -> int:
        return self._lock._recursion_count()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return repr(self._lock)


_installed = False


def take_in_cached_properties() -> None:
    """CPython 3.11 has one lock in C for each `functools.cached_property`: strict threads would wait for it unseen."""
    module: Any = functools
    if hasattr(module, "RLock"):
        module.RLock = LaneRLock


class _Paused(threading.local):
    lane: Lane | None = None


_paused = _Paused()


def install() -> None:
    """New locks of this process take part; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    module: Any = threading
    module.Lock = module._allocate_lock = LaneLock
    module.RLock = LaneRLock
    gc.callbacks.append(_around_collection)
    on_import("queue", _patch_queue)


@contextmanager
def set_aside() -> Generator[None]:
    """In the block, `threading` makes locks as it did before `install`, and afterwards as it did before the block."""
    module: Any = threading
    ours = module.Lock, module._allocate_lock, module.RLock
    module.Lock = module._allocate_lock = originals.allocate_lock
    module.RLock = originals.RLock
    try:
        yield
    finally:
        module.Lock, module._allocate_lock, module.RLock = ours


def _patch_queue(module: Any) -> None:
    """`SimpleQueue` has its lock in C: whose item came first, nobody would know. The pool keeps the original."""

    kind: Any = module.Queue

    class SimpleQueue(kind):  # type: ignore[misc]
        """An unbounded queue without tasks."""

        def __init__(self) -> None:
            kind.__init__(self)

    SimpleQueue.__qualname__ = "SimpleQueue"
    SimpleQueue.__module__ = "_queue"
    module.SimpleQueue = SimpleQueue


def _around_collection(phase: str, _info: dict[str, int]) -> None:
    """What the garbage collector runs (finalisers, weak reference callbacks) runs at any time: in nobody's lane.

    The context is left alone: before CPython 3.12 a collection may begin in the middle of `ContextVar.set`, which
    doesn't survive another one (seen as a crash).
    """
    if phase == "start":
        _paused.lane = running.lane
        running.lane = None
    else:
        running.lane = _paused.lane
