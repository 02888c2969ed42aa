"""Strict threads: of a session's threads only one runs the program's code at a time, and another may follow only where
that one is at a *switch point*. So the order of turns is the order of everything, memory included.

Most switch points are at the door anyway (`StrictDoor`). Hooks tell the others:

    with acting(lane): ...       this thread acts in that lane now, from the beginning to the end
    with waiting(lane): ...      the lane waits for other threads, where its door doesn't see it
    if turns.taken: ended(...)   a callback of a loop has run

While no session of this process has strict threads, nothing is done, and hardly anything spent.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from typing import Any, TypeVar

from replay.boundary.door import Call, Door
from replay.boundary.lanes import TOOL, Lane, carried, running
from replay.boundary.schedule import SIGNAL, STOP

R = TypeVar("R")

taken = False
"""Some session of this process has strict threads."""

_ANY_TIME: AbstractContextManager[None] = nullcontext()


def acting(lane: Lane) -> AbstractContextManager[None]:
    """Run a block as that lane does, when it is its turn."""
    return _Acting(lane) if taken else _ANY_TIME


def waiting(lane: Lane | None) -> AbstractContextManager[None]:
    """While a block runs that may wait for other threads of the session, it is their turn."""
    return _Waiting(lane) if taken and lane is not None else _ANY_TIME


def ended(context: Context) -> None:
    """A callback with that context has run: whoever acts there now has no more turn."""
    lane = carried(context)
    if lane is not None:
        lane.door.leave(lane)


class StrictDoor(Door):
    """What recording and replaying strict threads have in common; comes before the class of the door in its bases."""

    def __init__(self, *args: Any, **more: Any) -> None:
        global taken
        super().__init__(*args, **more)
        taken = True

    @abstractmethod
    def share(self) -> None:
        """The caller is about to start another thread."""

    def new_lane(self, path: str) -> Lane:
        if path.rpartition("/")[2][0] in "Te":
            self.share()
        return super().new_lane(path)  # type: ignore[safe-super]

    def step(self, lane: Lane, mark: int, number: int) -> None:
        super().step(lane, mark, number)  # type: ignore[safe-super]
        if mark not in (SIGNAL, STOP):  # those have hooks
            self.enter(lane)

    def cross(self, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
        with _Back(lane):
            return super().cross(lane, call, _body(lane, call, perform))  # type: ignore[safe-super]

    async def across(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        with _Back(lane):
            return await super().across(lane, call, _async_body(lane, call, perform))  # type: ignore[safe-super]

    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        with _Waiting(lane):
            return super().pull(lane, call, _body(lane, call, step), closes=closes)  # type: ignore[safe-super]

    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        with _Waiting(lane):
            return await super().apull(  # type: ignore[safe-super]
                lane, call, _async_body(lane, call, step), closes=closes
            )

    def pause(self, lane: Lane, real: Callable[[], None], *, again: bool = False) -> None:
        with _Waiting(lane):
            super().pause(lane, real, again=again)  # type: ignore[safe-super]

    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        with _Back(lane):
            return super().acquire(lane, real, blocking, timeout)  # type: ignore[safe-super]


def _body(lane: Lane, call: Call[Any], perform: Callable[[], R]) -> Callable[[], R]:
    """`perform`; the body of a tool is the program's code, so it has turns like the rest."""
    if call.kind != TOOL:
        return perform

    def in_turn() -> R:
        with _Acting(lane.enter()):
            return perform()

    return in_turn


def _async_body(lane: Lane, call: Call[Any], perform: Callable[[], Awaitable[R]]) -> Callable[[], Awaitable[R]]:
    if call.kind != TOOL:
        return perform

    async def in_turn() -> R:
        with _Acting(lane.enter()):
            return await perform()

    return in_turn


class _Acting:
    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._entered = False

    def __enter__(self) -> None:
        self._entered = self._lane.door.enter(self._lane)

    def __exit__(self, *_: object) -> None:
        if self._entered:
            self._lane.door.leave(self._lane)


class _Back:
    """The lane may have left within, and goes on behind."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if running.lane is self._lane:  # else it was thrown away, by anybody, or is another process by now
            self._lane.door.enter(self._lane)


class _Waiting(_Back):
    def __enter__(self) -> None:
        self._lane.door.leave(self._lane)
