"""Which agent acts: a label that the recorder puts on every event, set around an agent's run.

Seams set it where a framework runs an agent or a node, `replay.agent` does for programs without one. The innermost
counts. Tasks have it from the context they copy; threads and jobs of executors, which copy none, from their lane.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

acting: ContextVar[str | None] = ContextVar("replay_agent")
"""Without a default: where it isn't set, `Lane.agent` says it."""


class agent:  # noqa: N801 - a context manager and decorator, named like one
    """While the block or function runs, the agent of that name acts: it is on every event of that time.

    Args:
        name: what reports call it.

    Example:
        with replay.agent("planner"):
            plan = ask(model, question)

        @replay.agent("researcher")
        async def research(topic: str) -> str: ...
    """

    __slots__ = ("_name", "_tokens")

    def __init__(self, name: str) -> None:
        self._name = name
        self._tokens: list[Token[str | None]] = []

    def __enter__(self) -> Self:
        self._tokens.append(acting.set(self._name))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        reset(self._tokens.pop())

    def __call__(self, function: F) -> F:
        name = self._name
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            # Between two values it is its reader who acts, so the label would be wrong there.
            raise TypeError("replay.agent can't label a generator: label what it calls, or who reads it")

        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            with agent(name):
                return await function(*args, **kwargs)

        def synchronous(*args: Any, **kwargs: Any) -> Any:
            with agent(name):
                return function(*args, **kwargs)

        wrapped: Any = asynchronous if inspect.iscoroutinefunction(function) else synchronous
        return cast("F", functools.update_wrapper(wrapped, function))


@contextmanager
def acts(name: str | None) -> Generator[None]:
    """`agent`, for seams: None leaves it as it is."""
    if name is None:
        yield
        return
    with agent(name):
        yield


def reset(token: Token[str | None]) -> None:
    """Take a label back; where a generator was closed in another context, there is nothing to take back."""
    try:
        acting.reset(token)
    except ValueError:
        pass


def labelled(meta: dict[str, Any] | None, name: str | None) -> dict[str, Any] | None:
    """`meta` with the agent's name in it."""
    if name is None:
        return meta
    return {"agent": name} if meta is None else {**meta, "agent": name}
