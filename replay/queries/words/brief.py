"""Recorded values in a few characters, for a line of the timeline."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from replay.cassette.named import Named
from replay.queries import plain
from replay.queries.shapes import is_mapping, is_sequence, mapping
from replay.semantics import ToolCall

LIMIT = 400  # characters of one value; the terminal's width cuts further


def brief(item: Any, limit: int = LIMIT) -> str:
    """Python-like text of a value: strings quoted, containers in their brackets, objects as `Class(field=…)`."""
    return _cut(_brief(item, limit, 6), limit)


def arguments(request: Any) -> str:
    """How a function was called, as source would say it: `1, 'x', key=2`."""
    if not is_mapping(request):
        return "" if request is None else brief(request)
    args = request.get("args", ())
    if set(request) <= {"args", "kwargs"} and is_sequence(args):
        parts, named = [_brief(each, LIMIT, 5) for each in args], mapping(request.get("kwargs"))
    else:
        parts, named = [], request
    parts += [f"{key}={_brief(each, LIMIT, 5)}" for key, each in named.items()]
    return _cut(", ".join(parts), LIMIT)


def asked(call: ToolCall) -> str:
    """A tool call that a model asks for: `refund(order_id='4711')`."""
    given = arguments({"kwargs": call.parsed}) if is_mapping(call.parsed) else _cut(call.arguments, LIMIT)
    return f"{call.name}({given})"


def _brief(item: Any, limit: int, depth: int) -> str:
    if isinstance(item, str):
        return repr(item if len(item) <= limit else item[:limit] + "…")
    if isinstance(item, bytes):
        return f"<{len(item)} bytes>" if len(item) > 40 else repr(item)
    if item is None or isinstance(item, (bool, int, float)):
        return repr(item)
    if depth == 0:
        return "…"
    if is_mapping(item):
        pairs = (f"{_brief(key, limit, 1)}: {_brief(each, limit, depth - 1)}" for key, each in item.items())
        return "{" + _joined(pairs, limit) + "}"
    if is_sequence(item):
        inner = _joined((_brief(each, limit, depth - 1) for each in item), limit)
        return f"[{inner}]" if isinstance(item, list) else f"({inner})"
    return _object(item, limit, depth)


def _object(item: Any, limit: int, depth: int) -> str:
    if isinstance(item, Named):
        state = plain.state(item)
        if is_mapping(state):
            inner = _joined((f"{key}={_brief(each, limit, depth - 1)}" for key, each in state.items()), limit)
        else:
            inner = _brief(state, limit, depth - 1)
        return f"{item.qualname}({inner})"
    shown = plain.value(item)
    only = next(iter(shown.values())) if is_mapping(shown) else shown
    return only if isinstance(only, str) else json.dumps(only, ensure_ascii=False)


def _joined(parts: Iterable[str], limit: int) -> str:
    taken: list[str] = []
    room = limit
    for part in parts:
        if room < 0:
            taken.append("…")
            break
        taken.append(part)
        room -= len(part) + 2
    return ", ".join(taken)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
