"""Where in a value the part is that can't be stored. Only for error messages: it packs each level again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from replay.model.errors import NotStorable

_DEPTH: Final = 24


def explain(value: object, where: str, error: NotStorable, pack: Callable[[object], object]) -> NotStorable:
    """The error that names the innermost part of `value` that `pack` refuses, and its place.

    Example:
        >>> explain({"items": [1, object()]}, "value", NotStorable("object"), pack).where
        "value['items'][1]"
    """
    for _ in range(_DEPTH):
        for place, part in _parts(value):
            try:
                pack(part)
            except NotStorable as inner:
                value, where, error = part, where + place, inner
                break
        else:
            break
    return NotStorable(error.type_name, where, hint=error.hint)


def first(parts: Mapping[str, object], error: NotStorable, pack: Callable[[object], object]) -> NotStorable:
    """As `explain`, of the first of some values that `pack` refuses; `error` itself if it takes them all now.

    Args:
        parts: what each is called -> the value.
    """
    for where, part in parts.items():
        try:
            pack(part)
        except NotStorable as inner:
            return explain(part, where, inner, pack)
    return error


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """(place, part) of everything directly inside."""
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[Any, object]", value).items():
            yield f" key {key!r:.40}", key
            yield f"[{key!r:.40}]", item
    elif isinstance(value, (set, frozenset)):
        for item in cast("Iterable[object]", value):
            yield f"{{{item!r:.40}}}", item
    elif isinstance(value, (list, tuple)):
        names: tuple[str, ...] | None = getattr(type(cast("object", value)), "_fields", None)
        for index, item in enumerate(cast("Iterable[object]", value)):
            yield f"[{index}]" if names is None else f".{names[index]}", item
    elif isinstance(value, type):
        return
    elif dataclasses.is_dataclass(value) or "__pydantic_fields_set__" in dir(type(value)):
        attributes = getattr(value, "__dict__", None) or getattr(type(value), "__dataclass_fields__", ())
        for name in cast("Iterable[str]", attributes):
            yield f".{name}", getattr(value, name, None)
