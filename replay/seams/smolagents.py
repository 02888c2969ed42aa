"""smolagents: tools as crossings, runs under their agent's name, calls of managed agents as hand-offs.

`final_answer` is no crossing: it is how an agent of smolagents returns.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any

from replay.boundary.acting import agent
from replay.seams._seam import patch
from replay.seams._tools import Tool, crossed, handoff


def install(module: ModuleType) -> None:
    """Patch tools or agents: whichever this module has."""
    lib: Any = module
    if hasattr(module, "MultiStepAgent"):
        patch(lib.MultiStepAgent, "_run_stream", _steps)
        patch(lib.MultiStepAgent, "__call__", _managed)
    else:
        patch(lib.Tool, "__call__", lambda original: crossed(original, _describe))


def _describe(tool: Any, *args: Any, sanitize_inputs_outputs: bool = False, **kwargs: Any) -> Tool | None:
    if tool.name == "final_answer":
        return None
    if len(args) == 1 and not kwargs and isinstance(args[0], dict) and all(key in tool.inputs for key in args[0]):  # pyright: ignore[reportUnknownVariableType]
        return tool.name, dict(args[0]), "write"  # pyright: ignore[reportUnknownArgumentType]
    return tool.name, dict(zip(tool.inputs, args, strict=False)) | kwargs, "write"


def _steps(original: Callable[..., Any]) -> Callable[..., Any]:
    """A generator acts while it makes the next value, not while its reader has one."""

    def steps(self: Any, *args: Any, **kwargs: Any) -> Generator[Any, None, Any]:
        real = original(self, *args, **kwargs)
        name = _name(self)
        try:
            while True:
                with agent(name):
                    try:
                        step = next(real)
                    except StopIteration as end:
                        return end.value
                yield step
        finally:
            real.close()

    return steps


def _managed(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, task: str, **kwargs: Any) -> Any:
        handoff(_name(self), given=task)
        return original(self, task, **kwargs)

    return call


def _name(runner: Any) -> str:
    return str(getattr(runner, "name", None) or type(runner).__name__)
