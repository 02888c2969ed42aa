"""pydantic-ai: function tools as crossings, below their hooks and retries; runs under their agent's name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

from replay.boundary.acting import agent
from replay.seams._seam import patch
from replay.seams._tools import Tool, acrossed, effect_of


def install(module: ModuleType) -> None:
    """Patch the toolset of functions, or the agent: whichever this module has."""
    lib: Any = module
    if hasattr(module, "FunctionToolset"):
        patch(lib.FunctionToolset, "call_tool", lambda original: acrossed(original, _describe))
    if hasattr(module, "Agent"):
        patch(lib.Agent, "iter", _iter)


def _describe(_toolset: Any, name: str, tool_args: dict[str, Any], _ctx: Any, tool: Any) -> Tool:
    return name, dict(tool_args), effect_of(tool.tool_def.metadata)


def _iter(original: Callable[..., Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def run(self: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        with agent(self.name or "agent"):
            async with original(self, *args, **kwargs) as began:
                yield began

    return run
