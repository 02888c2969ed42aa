"""LangChain's tools (`@tool`, StructuredTool, classes on BaseTool) where `run` and `arun` call `_run` and `_arun`.

ToolNode and the prebuilt agents come through there, and so do the tools of langchain-mcp-adapters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from replay.seams._tools import ORIGINAL, Tool, acrossed, crossed, effect_of


def install(module: ModuleType) -> None:
    """Wrap the tool classes there are, and each that is made from now on."""
    base: Any = module.BaseTool
    made = base.__dict__["__init_subclass__"].__func__
    if hasattr(made, ORIGINAL):
        return

    def wrapping(cls: Any, /, **kwargs: Any) -> None:
        made(cls, **kwargs)
        _wrap(cls, module)

    setattr(wrapping, ORIGINAL, made)
    base.__init_subclass__ = classmethod(wrapping)
    classes = list(base.__subclasses__())
    for cls in classes:
        _wrap(cls, module)
        classes += cls.__subclasses__()


def _wrap(cls: Any, module: Any) -> None:
    """Those of its methods that the class defines itself. BaseTool's own `_arun` only leads to `_run`."""
    for name, cross in (("_run", crossed), ("_arun", acrossed)):
        method = cls.__dict__.get(name)
        if inspect.isfunction(method) and not hasattr(method, ORIGINAL):
            setattr(cls, name, cross(method, _describer(name, method, module)))


def _describer(name: str, method: Callable[..., Any], module: Any) -> Callable[..., Tool | None]:
    def describe(tool: Any, /, *args: Any, **kwargs: Any) -> Tool | None:
        if getattr(getattr(tool.__class__, name), ORIGINAL, None) is not method:
            return None  # a subclass has one of its own, which calls this
        request: dict[str, Any] = tool._filter_injected_args(kwargs)
        request.pop(module._get_runnable_config_param(method), None)
        if args:
            request = dict(zip(_names(tool, method), args, strict=False)) | request
        return tool.name, request, effect_of(tool.metadata)

    return describe


def _names(tool: Any, method: Callable[..., Any]) -> list[str]:
    """Of its positional arguments: a `Tool` passes its only one like that, and any tool a bare text."""
    function = getattr(tool, "func", None) or getattr(tool, "coroutine", None)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function or method).parameters.values()
    names = [p.name for p in parameters if p.kind in positional]
    return (names if function else names[1:]) or ["input"]
