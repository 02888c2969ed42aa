"""What the seams of agent frameworks have in common: a tool as a crossing, a hand-off as an event.

A tool is crossed where the framework calls the function behind it: checking arguments, callbacks, retries and the
message that is made of the result are the framework's and run again at replay. What the framework hands to the
function besides the model's arguments (state, runtime, context) is left out of the request.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from replay.boundary.acting import acting
from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.model.effect import Effect

R = TypeVar("R")

Tool = tuple[str, dict[str, Any], Effect]
"""A tool's name, the arguments that it was asked with, and its effect."""

ORIGINAL = "__replay_tool__"
"""Attribute of a wrapper: the function that it wraps."""


def effect_of(hints: Any) -> Effect:
    """`read` where the tool says so in the words of MCP, `readOnlyHint`; `write` otherwise."""
    said = cast("dict[str, Any]", hints if isinstance(hints, dict) else getattr(hints, "__dict__", {}))
    return "read" if said.get("readOnlyHint", said.get("read_only_hint")) is True else "write"


def crossed(function: Callable[..., R], describe: Callable[..., Tool | None]) -> Callable[..., R]:
    """`function` as a crossing; `describe(*args, **kwargs)` says which tool it is, None: that it is none."""

    def call(*args: Any, **kwargs: Any) -> R:
        lane = running.lane
        tool = None if lane is None else describe(*args, **kwargs)
        if lane is None or tool is None:
            return function(*args, **kwargs)
        name, request, effect = tool
        return lane.door.cross(lane, Call("tool", name, effect, request), lambda: function(*args, **kwargs))

    setattr(call, ORIGINAL, function)
    return functools.update_wrapper(call, function)


def acrossed(
    function: Callable[..., Awaitable[R]], describe: Callable[..., Tool | None]
) -> Callable[..., Awaitable[R]]:
    """`crossed` for coroutine functions."""

    async def call(*args: Any, **kwargs: Any) -> R:
        lane = running.lane
        tool = None if lane is None else describe(*args, **kwargs)
        if lane is None or tool is None:
            return await function(*args, **kwargs)
        name, request, effect = tool
        return await lane.door.across(lane, Call("tool", name, effect, request), lambda: function(*args, **kwargs))

    setattr(call, ORIGINAL, function)
    return functools.update_wrapper(call, function)


def handoff(to: str, *, by: str | None = None, given: Any = None) -> None:
    """An event that says who hands over to whom: nothing is asked of the world, and nothing comes back.

    Args:
        by: who does; the acting agent by default. given: what the next one is told with it, storable.
    """
    lane = running.lane
    if lane is None:
        return
    request = {"from": acting.get(None) if by is None else by, "to": to}
    if given is not None:
        request["input"] = given
    call: Call[None] = Call("agent", "handoff", "read", request)
    lane.door.cross(lane, call, _nothing)


def _nothing() -> None:
    """A hand-off is said, not done, by its event."""
