"""Threads and executor jobs get lanes: by who started them and in which order, not by which worker runs them."""

from __future__ import annotations

import concurrent.futures.thread as pool
import threading
from typing import Any

from replay.boundary.lanes import become, current, running

_installed = False


def install() -> None:
    """Patch `Thread.start` and the pool's work items; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    _patch_thread()
    _patch_pool()


def _patch_thread() -> None:
    kind: Any = threading.Thread
    start, run_inner = kind.start, kind._bootstrap_inner

    def patched_start(self: Any) -> None:
        parent = current()
        # A pool's workers belong to nobody; the jobs they run have lanes.
        worker = getattr(self, "_target", None) is getattr(pool, "_worker", None)
        self._replay_lane = None if parent is None or worker else parent.spawn("thread")
        start(self)

    def patched_run(self: Any) -> None:
        lane = getattr(self, "_replay_lane", None)
        if lane is not None:
            become(lane)
        run_inner(self)

    kind.start, kind._bootstrap_inner = patched_start, patched_run


def _patch_pool() -> None:
    item: Any = pool._WorkItem
    create, run = item.__init__, item.run

    def patched_create(self: Any, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        parent = current()
        self._replay_lane = None if parent is None else parent.spawn("job")

    def patched_run(self: Any) -> None:
        before = running.lane
        become(self._replay_lane)
        try:
            run(self)
        finally:
            become(before)

    item.__init__, item.run = patched_create, patched_run
