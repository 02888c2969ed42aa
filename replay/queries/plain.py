"""Events as the JSON that PRODUCT.md promises to scripts.

Values that JSON doesn't have are objects with one `$` key: `{"$bytes": text}` (UTF-8), `{"$base64": text}` (other
bytes), `{"$float": "nan"}`, `{"$set": [...]}`, `{"$pairs": [[key, value], …]}` (mappings whose keys aren't plain text),
`{"$decimal": …}`, `{"$uuid": …}`, `{"$path": …}`, `{"$datetime": …}`, `{"$date": …}`, `{"$time": …}`,
`{"$seconds": number}`. Objects of named classes are `{"$type": "module.Class", …}`, with `"$value"` for their state
(fields, an enum member's value, an exception's message). Tuples are arrays.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import math
import pathlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from replay import semantics
from replay.cassette.named import Named
from replay.model.event import BlindSpot, Event, Failure, Piece, Site
from replay.queries.contents import Contents
from replay.queries.shapes import is_mapping, is_sequence, mapping
from replay.semantics import LLMCall, Prices

NO_PRICES: Prices = {}
LONGEST = 100_000
"""Bytes of a file's content that are printed; the size and digest always are."""


def value(item: Any) -> Any:
    """A storable value as JSON can have it. Never raises: what is unknown becomes its type and `repr`."""
    if item is None or isinstance(item, (bool, str)) or type(item) is int:
        return item
    if isinstance(item, float):
        return item if math.isfinite(item) else {"$float": str(item)}
    if isinstance(item, bytes):
        return _bytes(item)
    if is_mapping(item):
        return _mapping(item)
    if is_sequence(item):
        return [value(each) for each in item]
    for kind, render in _SCALARS:
        if isinstance(item, kind):
            return render(item)
    return _object(item)


def mapped(item: Mapping[str, Any]) -> dict[str, Any]:
    """A document of ours, whose keys are plain."""
    return {key: value(each) for key, each in item.items()}


_SCALARS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (int, int),
    ((set, frozenset), lambda v: {"$set": sorted(map(value, v), key=repr)}),
    (dt.datetime, lambda v: {"$datetime": v.isoformat()}),
    (dt.date, lambda v: {"$date": v.isoformat()}),
    (dt.time, lambda v: {"$time": v.isoformat()}),
    (dt.timedelta, lambda v: {"$seconds": v.total_seconds()}),
    (decimal.Decimal, lambda v: {"$decimal": str(v)}),
    (uuid.UUID, lambda v: {"$uuid": str(v)}),
    (pathlib.PurePath, lambda v: {"$path": str(v)}),
)


def cassette(found: Contents, prices: Prices = NO_PRICES) -> dict[str, Any]:
    """A whole cassette, as `show --json` prints it."""
    shown: dict[str, Any] = {
        "cassette": value(found.header),
        "status": found.status,
        "outcome": value(found.outcome),
        "events": [event(each, call, prices) for each, call in semantics.readings(found.events)],
        "blind_spots": [blind_spot(spot) for spot in found.blind_spots],
        "gaps": [
            {"id": gap.event, "name": gap.name, "reason": gap.reason, "site": _site(gap.site)} for gap in found.gaps
        ],
        "findings": [{"what": "tools changed", **value(dataclasses.asdict(change))} for change in found.tool_changes],
        "children": [
            {"path": str(child.path), "id": str(child.header.get("id", "")), "how": child.how, "pid": child.pid}
            for child in found.children
        ],
    }
    if found.damage is not None:
        shown["damage"] = {
            "offset": found.damage.offset,
            "good_events": found.damage.good_events,
            "what": found.damage.what,
        }
    return shown


def event(item: Event, call: LLMCall | None = None, prices: Prices = NO_PRICES) -> dict[str, Any]:
    """One event. `call` is its reading as an LLM call: then its kind is `llm` and its name the model."""
    shown: dict[str, Any] = {
        "id": item.id,
        "kind": item.kind if call is None else "llm",
        "name": item.name if call is None else call.request_model or item.name,
        "lane": item.lane,
        "agent": item.meta.get("agent"),
        "effect": item.effect,
        "at": item.at / 1e6,
        "took": None if item.took is None else item.took / 1e6,
        "status": item.status,
        "request": _with_body(item.request, item.body),
    }
    if item.error is not None:
        shown["error"] = failure(item.error)
    else:
        shown["response"] = _with_content(item)
    shown["site"] = _site(item.site)
    shown["links"] = value(item.meta.get("links", {}))
    if "source" in item.meta:
        shown["source"] = value(item.meta["source"])
    meta = {key: value(each) for key, each in item.meta.items() if key not in {"agent", "links", "source"}}
    if meta:
        shown["meta"] = meta
    if item.pieces:
        shown["pieces"] = [_piece(piece) for piece in item.pieces]
    if call is not None:
        shown["llm"] = llm(call, prices)
    return shown


def llm(call: LLMCall, prices: Prices = NO_PRICES) -> dict[str, Any]:
    """The reading of an exchange as an LLM call; what the wire said stays in the event's request and response."""
    return {
        "dialect": call.dialect,
        "operation": call.operation,
        "provider": call.provider,
        "request_model": call.request_model,
        "response_model": call.response_model,
        "messages": len(call.messages),
        "tools": [tool.name for tool in call.tools],
        "stream": call.stream,
        "text": call.text,
        "reasoning": call.reasoning,
        "tool_calls": [
            {"id": asked.id, "name": asked.name, "arguments": asked.arguments, "parsed": value(asked.parsed)}
            for asked in call.tool_calls
        ],
        "usage": {
            "input": call.usage.input,
            "output": call.usage.output,
            "cached": call.usage.cached,
            "reasoning": call.usage.reasoning,
            "cache_write": call.usage.cache_write,
        },
        "cost": semantics.cost(call, prices),
        "finish_reason": call.finish_reason,
        "error": None if call.error is None else value(dataclasses.asdict(call.error)),
        "warnings": list(call.warnings),
    }


def failure(item: Failure) -> dict[str, Any]:
    """A recorded exception."""
    return {"type": item.type, "message": item.message}


def blind_spot(item: BlindSpot) -> dict[str, Any]:
    """Something no seam saw."""
    return {"what": item.what, "detail": item.detail, "site": _site(item.site), "count": item.count}


def _site(item: Site | None) -> str | None:
    return None if item is None else str(item)


def _piece(item: Piece) -> dict[str, Any]:
    content = failure(item.value) if isinstance(item.value, Failure) else value(item.value)
    return {"at": item.at / 1e6, "status": item.status, "value": content}


def _with_body(request: Any, body: bytes | None) -> Any:
    if body is None:
        return value(request)
    if is_mapping(request):
        return {**_mapping(request), "body": content(body)}
    return {"value": value(request), "body": content(body)}


def _message(response: Any) -> Any:
    """A response: an http body that is JSON is shown as such."""
    shown = value(response)
    body = mapping(response).get("body")
    if isinstance(body, bytes) and "$pairs" not in shown:
        shown["body"] = content(body)
    return shown


def _with_content(item: Event) -> Any:
    """A response and what was in the file, unless that is long: a thousand reads of it would be a thousand copies."""
    shown = _message(item.response)
    if item.content is not None and is_mapping(item.response) and len(item.content) <= LONGEST:
        shown["content"] = content(item.content)
    return shown


def content(body: bytes) -> Any:
    """A body: its JSON where it is JSON, else `$bytes` or `$base64`."""
    import json

    try:
        return value(json.loads(body))
    except (ValueError, RecursionError):
        return _bytes(body)


def _bytes(raw: bytes) -> dict[str, str]:
    try:
        return {"$bytes": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"$base64": base64.b64encode(raw).decode("ascii")}


def _mapping(item: Mapping[Any, Any]) -> dict[str, Any]:
    if all(isinstance(key, str) and not key.startswith("$") for key in item):
        return {key: value(each) for key, each in item.items()}
    return {"$pairs": [[value(key), value(each)] for key, each in item.items()]}


def _object(item: Any) -> dict[str, Any]:
    if isinstance(item, Named):
        return {"$type": item.type_name, "$value": value(state(item))}
    if isinstance(item, Failure):
        return {"$type": item.type, "$value": item.message}
    return {"$type": f"{type(item).__module__}.{type(item).__qualname__}", "$value": repr(item)}


def state(item: Named) -> Any:
    """What a reader wants of an inert record: its fields, its value, its message."""
    match item.form, item.state:
        case "exception", {"text": text}:
            return text
        case "pydantic", {"dict": fields}:
            return fields
        case "enum", [_, member]:
            return member
        case "subclass", [plain, *_]:
            return plain
        case _, other:
            return other
