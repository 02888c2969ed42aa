"""Watching whether an awaitable suspends: at replay a crossing that did is answered in a later step of its loop."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Watched(Generic[R]):
    """Awaits `inner`; `suspended` tells afterwards whether control went back to the loop meanwhile.

    Example:
        watched = Watched(session.get(url)); reply = await watched; watched.suspended
    """

    __slots__ = ("inner", "suspended")

    def __init__(self, inner: Awaitable[R]) -> None:
        self.inner = inner
        self.suspended = False

    def __await__(self) -> Generator[Any, Any, R]:
        # `yield from` by hand: it has no place to note that something was yielded.
        steps = self.inner.__await__()
        try:
            wanted = next(steps)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        self.suspended = True
        while True:
            try:
                got = yield wanted
            except GeneratorExit:
                close = getattr(steps, "close", None)
                if close is not None:
                    close()
                raise
            except BaseException as thrown:
                throw = getattr(steps, "throw", None)
                if throw is None:
                    raise
                try:
                    wanted = throw(thrown)
                except StopIteration as done:
                    return done.value  # type: ignore[no-any-return]
            else:
                try:
                    wanted = next(steps) if got is None else steps.send(got)
                except StopIteration as done:
                    return done.value  # type: ignore[no-any-return]
