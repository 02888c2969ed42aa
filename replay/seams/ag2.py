"""AG2: tools as crossings, below their error handling; turns under their agent's name; delegation as hand-offs.

Tools of AG2 itself (delegation, shell, search) aren't crossings: what they reach is.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

from replay.boundary.acting import agent
from replay.boundary.lanes import running
from replay.seams._seam import patch
from replay.seams._tools import Tool, acrossed, handoff


def install(module: ModuleType) -> None:
    """Patch tools or agents: whichever this module has."""
    lib: Any = module
    if hasattr(module, "Agent"):
        patch(lib.Agent, "_drive_scope", _turn)
    else:
        patch(lib.FunctionTool, "__call__", _tool)


def _tool(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(tool: Any, event: Any, context: Any) -> Any:
        if running.lane is not None:
            to = getattr(tool, "agent", None)
            if to is not None:
                handoff(str(to.name), given=dict(event.serialized_arguments))
            elif not str(getattr(tool.model.call, "__module__", "")).startswith("ag2."):
                tool = copy.copy(tool)
                tool.model = _Crossed(tool.model, (tool.name, dict(event.serialized_arguments), "write"))
        return await original(tool, event, context)

    return call


class _Crossed:
    """A tool's function, with the arguments that the model gave it."""

    def __init__(self, model: Any, tool: Tool) -> None:
        def describe(**_: Any) -> Tool:
            return tool

        self.asolve = acrossed(model.asolve, describe)


def _turn(original: Callable[..., Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def scope(self: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        with agent(self.name):
            async with original(self, *args, **kwargs) as drive:
                yield drive

    return scope
