"""LangGraph: who acts, and where a `Command` hands over. Nodes are the program's code: they run again at replay.

A node acts under its name, behind the name of who acts around it (`research/search`). The nodes of a prebuilt agent
(`create_react_agent`, langchain's `create_agent`) act under the agent's name.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from replay.boundary.acting import acting, agent
from replay.seams._seam import patch
from replay.seams._tools import handoff

_OWNER = "_replay_agent"
"""Attribute of what a prebuilt agent's node runs: that agent's name, or None."""


def install(module: ModuleType) -> None:
    """Patch the runner, the graphs' branches, or the builders of prebuilt agents: whichever this module has."""
    if hasattr(module, "run_with_retry"):
        patch(module, "run_with_retry", _node)
        patch(module, "arun_with_retry", _anode)
    if hasattr(module, "_control_branch"):
        patch(module, "_control_branch", _branch)
    for builder in ("create_react_agent", "create_agent"):
        if hasattr(module, builder):
            patch(module, builder, _builder)


def _node(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(task: Any, *args: Any, **kwargs: Any) -> Any:
        with agent(_name(task)):
            return original(task, *args, **kwargs)

    return run


def _anode(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run(task: Any, *args: Any, **kwargs: Any) -> Any:
        with agent(_name(task)):
            return await original(task, *args, **kwargs)

    return run


def _name(task: Any) -> str:
    around = acting.get(None)
    if hasattr(task.proc, _OWNER):
        return str(getattr(task.proc, _OWNER) or around or "agent")
    return f"{around}/{task.name}" if around else str(task.name)


def _builder(original: Callable[..., Any]) -> Callable[..., Any]:
    def build(*args: Any, **kwargs: Any) -> Any:
        graph = original(*args, **kwargs)
        name = kwargs.get("name")
        for node in graph.nodes.values():
            if type(node.node).__name__ == "RunnableSeq":
                setattr(node.node, _OWNER, name)
        return graph

    return build


def _branch(original: Callable[..., Any]) -> Callable[..., Any]:
    def branch(value: Any) -> Any:
        targets = original(value)  # raises where it is the parent graph that branches
        for command in _several(value):
            for target in _several(getattr(command, "goto", ())):
                if target != "__end__":
                    handoff(str(getattr(target, "node", target)))
        return targets

    return branch


def _several(value: Any) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, (list, tuple)) else [value]
