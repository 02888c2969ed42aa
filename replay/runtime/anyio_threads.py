"""anyio's worker threads: those that work inside of crossings are others than the program's.

A worker goes from job to job. What it did inside a crossing (taking the lock of its queue, say) doesn't happen at
replay, so it mustn't be the doing of a thread that the program's own jobs run on.
"""

from __future__ import annotations

from typing import Any

from replay.boundary.lanes import within

_KEPT = ("_threadpool_idle_workers", "_threadpool_workers")


def install(module: Any) -> None:
    """Give `anyio._backends._asyncio` two of what it keeps its workers in."""
    for name in _KEPT:
        kept = getattr(module, name, None)
        if kept is not None and not isinstance(kept, _Apart):
            setattr(module, name, _Apart(kept, type(kept)(f"{name}_inside")))


class _Apart:
    """A variable of a loop with one value for the program and one for the inside of crossings."""

    def __init__(self, program: Any, inside: Any) -> None:
        self._program = program
        self._inside = inside

    def get(self, *default: Any) -> Any:
        return (self._inside if within() else self._program).get(*default)

    def set(self, value: Any) -> Any:
        return (self._inside if within() else self._program).set(value)
