"""What goes to another process, as far as it can be shown: it is compared and read, never brought back to life."""

from __future__ import annotations

from typing import Any

_PLAIN = (str, int, float, bool, bytes, type(None))


def shown(item: Any, depth: int = 6) -> Any:
    """`item`, where it is made of plain values; the names of functions and classes in place of what isn't."""
    kind: Any = type(item)  # pyright: ignore[reportUnknownVariableType]
    if kind in _PLAIN:
        return item
    if depth == 0:
        return "…"
    if kind in (list, tuple):
        items: Any = item
        return [shown(each, depth - 1) for each in items]
    if kind is dict:
        pairs: dict[Any, Any] = item
        return {str(key): shown(value, depth - 1) for key, value in pairs.items()}
    if callable(item):
        return function_name(item)
    return f"<{kind.__module__}.{kind.__qualname__}>"


def function_name(function: Any) -> str | None:
    """`module.function`; of partial functions the one that is called in the end."""
    while hasattr(function, "func"):
        function = function.func
    if function is None:
        return None
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or '?'}.{name}"
