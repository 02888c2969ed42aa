"""openai-agents: function tools as crossings, turns under their agent's name, hand-offs as events.

A tool is crossed below its failure handling, which runs again at replay. Agents as tools and hosted tools aren't
crossings of their own; tools of MCP servers are recorded at the session.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from replay.boundary.acting import agent
from replay.boundary.lanes import running
from replay.seams._seam import patch
from replay.seams._tools import Tool, acrossed, handoff

_TURNS = ("run_single_turn", "run_single_turn_streamed", "resolve_interrupted_turn")


def install(module: ModuleType) -> None:
    """Patch tools, hand-offs or turns: whichever this module calls.

    Only modules below `agents.run_internal` are targets: a program may well have a package `agents` of its own.
    """
    lib: Any = module
    if hasattr(module, "_invoke_function_tool_with_metadata"):
        tools: Any = sys.modules[lib.FunctionTool.__module__]
        marker = tools._FUNCTION_TOOL_WRAPPED_CALLABLE_MARKER
        patch(tools._FailureHandlingFunctionToolInvoker, "__call__", lambda original: _invoker(original, marker))
        for user in (tools, module):
            patch(user, "_invoke_function_tool_with_metadata", _invoked)
    elif hasattr(module, "run_single_turn_streamed"):
        for user in filter(None, (module, sys.modules.get("agents.run"))):
            for turn in _TURNS:
                if hasattr(user, turn):
                    patch(user, turn, _turn)
    else:
        patch(module, "execute_handoffs", _handed)


def _invoker(original: Callable[..., Any], marker: str) -> Callable[..., Any]:
    """Of functions that the SDK wraps: the same invoker, around a crossing."""

    async def call(invoker: Any, ctx: Any, given: str) -> Any:
        if running.lane is not None and hasattr(invoker._invoke_tool_impl, marker):
            crossing = copy.copy(invoker)
            crossing._invoke_tool_impl = acrossed(invoker._invoke_tool_impl, _named(invoker._function_tool))
            invoker = crossing
        return await original(invoker, ctx, given)

    return call


def _invoked(original: Callable[..., Any]) -> Callable[..., Any]:
    """Of tools that the program makes itself (`FunctionTool(on_invoke_tool=…)`): a copy whose function is crossed."""

    async def invoke(*, function_tool: Any, **more: Any) -> Any:
        function = function_tool.on_invoke_tool
        owner = getattr(function, "__module__", None) or type(function).__module__
        if running.lane is not None and not str(owner).startswith("agents."):
            function_tool = copy.copy(function_tool)
            function_tool.on_invoke_tool = acrossed(function, _named(function_tool))
        return await original(function_tool=function_tool, **more)

    return invoke


def _named(tool: Any) -> Callable[..., Tool]:
    def describe(_ctx: Any, given: str) -> Tool:
        return tool.name, _arguments(given), "write"

    return describe


def _arguments(given: str) -> dict[str, Any]:
    """What the model asked for, by name; what isn't an object stands under `input`."""
    arguments: Any
    try:
        arguments = json.loads(given) if given else {}
    except ValueError:
        arguments = given
    return cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {"input": arguments}


def _turn(original: Callable[..., Any]) -> Callable[..., Any]:
    async def turn(*args: Any, **kwargs: Any) -> Any:
        bindings: Any = kwargs["bindings"] if "bindings" in kwargs else args[1]
        with agent(bindings.public_agent.name):
            return await original(*args, **kwargs)

    return turn


def _handed(original: Callable[..., Any]) -> Callable[..., Any]:
    async def execute(**kwargs: Any) -> Any:
        first = kwargs["run_handoffs"][0]
        given = _arguments(first.tool_call.arguments)
        handoff(first.handoff.agent_name, by=kwargs["public_agent"].name, given=given or None)
        return await original(**kwargs)

    return execute
