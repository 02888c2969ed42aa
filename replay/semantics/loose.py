"""JSON of unknown shape, taken apart without raising: what doesn't fit is answered with an empty value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast


def loads(text: bytes | str) -> Any:
    """The JSON value, or None when it isn't JSON (or is nested too deep to read).

    Example:
        >>> loads('{"a": 1}'), loads("{")
        ({'a': 1}, None)
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def dumps(value: Any) -> str:
    """Compact JSON text of a value that came from JSON; empty when it is nested too deep to write."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""


def obj(value: Any) -> dict[str, Any]:
    """The object, or an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def arr(value: Any) -> list[Any]:
    """The array, or an empty one."""
    return list(cast("Iterable[Any]", value)) if isinstance(value, list) else []


def objs(value: Any) -> list[dict[str, Any]]:
    """Those elements of the array that are objects."""
    return [cast("dict[str, Any]", item) for item in arr(value) if isinstance(item, dict)]


def string(value: Any) -> str | None:
    """The string, or None."""
    return value if isinstance(value, str) else None


def number(value: Any) -> int | None:
    """The integer, or None; true and false are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def total(*values: Any) -> int | None:
    """The sum of those that are integers; None when none is."""
    numbers = [n for n in map(number, values) if n is not None]
    return sum(numbers) if numbers else None


def without(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The mapping without some keys."""
    left_out = frozenset(names)
    return {key: item for key, item in value.items() if key not in left_out}
