"""`@replay.tool`: a plain function as a crossing. Recorded as a whole; at replay its body doesn't run.

Arguments are stored by parameter name (`self` and `cls` are not), defaults are left out. Generators and asynchronous
generators are streams: each value they yield is a piece.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.model.effect import Effect

P = ParamSpec("P")
R = TypeVar("R")


class ToolDecorator(Protocol):
    """What `tool(effect=…)` returns: a decorator that keeps the function's signature."""

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def tool(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def tool(
    *,
    effect: Literal["read", "write"] = ...,
    owner: str | None = ...,
    name: str | None = ...,
    reversible: bool | None = ...,
    trust: Literal["trusted", "untrusted"] | None = ...,
) -> ToolDecorator: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    effect: Effect = "write",
    owner: str | None = None,
    name: str | None = None,
    reversible: bool | None = None,
    trust: str | None = None,
) -> Any:
    """Record calls of a function as tool calls; at replay return the recorded result instead of running it.

    Works on functions, methods, coroutine functions, generators and asynchronous generators. Without a recording the
    function is called as it is (0.1 µs more).

    Args:
        effect: `write` (the default: it changes the world) or `read`.
        owner: who answers for it, for the incident report.
        name: instead of the function's own name.
        reversible: whether what it does can be undone, for `replay effects`; None: not said.
        trust: whether what it returns may ask for things (`trusted`), or strangers may have written it (`untrusted`),
            for `replay why`, `triage` and policies; None: not said.

    Raises:
        TypeError: it isn't a function. ValueError: another effect, or another trust.

    Example:
        @replay.tool(effect="write", owner="payments")
        def refund(order_id: str, amount: int) -> dict: ...
    """
    if effect not in ("read", "write"):
        raise ValueError(f"@replay.tool(effect={effect!r}): it is 'read' or 'write'")
    if trust not in (None, "trusted", "untrusted"):
        raise ValueError(f"@replay.tool(trust={trust!r}): it is 'trusted' or 'untrusted'")
    said = {"owner": owner, "reversible": reversible, "trust": trust}
    labels = {key: each for key, each in said.items() if each is not None}

    def decorate(function: Callable[..., Any]) -> Any:
        return tool_of(function, effect, labels, name)

    return decorate if function is None else decorate(function)


def tool_of(function: Any, effect: Effect, labels: dict[str, Any], name: str | None) -> Any:
    """The decorated function; `classmethod` and `staticmethod` objects keep being that. `labels` go into `meta`."""
    if isinstance(function, (classmethod, staticmethod)):
        method: Any = function  # pyright: ignore[reportUnknownVariableType]
        return type(method)(tool_of(method.__func__, effect, labels, name))
    if not callable(function):
        raise TypeError(f"@replay.tool needs a function, not {type(function).__name__}")
    describe = _describer(function, name or function.__name__, effect, labels)
    if inspect.isasyncgenfunction(function):
        return functools.wraps(function)(_async_generator(function, describe))
    if inspect.isgeneratorfunction(function):
        return functools.wraps(function)(_generator(function, describe))
    if inspect.iscoroutinefunction(function):
        return functools.wraps(function)(_coroutine(function, describe))
    return functools.wraps(function)(_plain(function, describe))


_Describe = Callable[[tuple[Any, ...], dict[str, Any]], Call[Any]]


def _describer(function: Callable[..., Any], name: str, effect: Effect, labels: dict[str, Any]) -> _Describe:
    """Makes the Call of one invocation. `Signature.bind` costs ten times as much, so it is the exception."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
    receiver = 1 if names and names[0] in ("self", "cls") else 0
    asked = tuple(names[receiver:])
    first, second = (*asked, "", "")[:2]
    plain = len(names) if not receiver and not variadic and len(names) in (1, 2) else -1
    meta = labels or None

    def describe(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call[Any]:
        if len(args) == plain and not kwargs:  # what is usual, spelled out: half the time of dict(zip())
            request = {first: args[0], second: args[1]} if plain == 2 else {first: args[0]}
        elif variadic or len(args) > len(names):
            try:
                request = dict(signature.bind(*args, **kwargs).arguments)
            except TypeError:
                request = {"args": args, "kwargs": kwargs}  # the call itself is going to raise it
            if receiver:
                request.pop(names[0], None)
        else:
            request = dict(zip(asked, args[receiver:] if receiver else args))  # noqa: B905
            if kwargs:
                request.update(kwargs)
        return Call("tool", name, effect, request, None, None, meta)

    return describe


def _plain(function: Callable[..., Any], describe: _Describe) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return function(*args, **kwargs)
        return lane.door.cross(lane, describe(args, kwargs), lambda: function(*args, **kwargs))

    return call


def _coroutine(function: Callable[..., Any], describe: _Describe) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await function(*args, **kwargs)
        return await lane.door.across(lane, describe(args, kwargs), lambda: function(*args, **kwargs))

    return call


def _generator(function: Callable[..., Iterator[Any]], describe: _Describe) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
        lane = running.lane
        if lane is None:
            yield from function(*args, **kwargs)
            return
        made = describe(args, kwargs)
        made.streams = True
        made.dump = _nothing
        values: Any = lane.door.cross(lane, made, lambda: function(*args, **kwargs))
        while True:
            # Whoever takes the next value may be another lane than the one that asked first.
            lane = running.lane
            try:
                value = next(values) if lane is None else lane.door.pull(lane, made, lambda: next(values))
            except StopIteration:
                return
            try:
                yield value
            except GeneratorExit:
                lane = running.lane
                if lane is not None:
                    lane.door.pull(lane, made, functools.partial(_close, values), closes=True)
                raise

    return call


def _async_generator(function: Callable[..., AsyncIterator[Any]], describe: _Describe) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        lane = running.lane
        if lane is None:
            async for value in function(*args, **kwargs):
                yield value
            return
        made = describe(args, kwargs)
        made.streams = True
        made.dump = _nothing
        values: Any = lane.door.cross(lane, made, lambda: function(*args, **kwargs))
        while True:
            lane = running.lane
            try:
                # At replay there are no `values` to ask, hence the lambda.
                value = await (anext(values) if lane is None else lane.door.apull(lane, made, lambda: anext(values)))
            except StopAsyncIteration:
                return
            try:
                yield value
            except GeneratorExit:
                lane = running.lane
                if lane is not None:
                    await lane.door.apull(lane, made, functools.partial(_aclose, values), closes=True)
                raise

    return call


def _close(values: Any) -> None:
    values.close()  # at replay there may be none


async def _aclose(values: Any) -> None:
    await values.aclose()


def _nothing(_: Any) -> None:
    """A generator's head is nothing; its values are the pieces."""
