"""Chroma's collections, from what was done to them: accesses record by record, and what they held. Pure."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import operator
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from replay.model.event import Event

Record = dict[str, Any]
"""What one id has: `document`, `metadata`, `embedding`, `uri`; of a query's results `distance` as well."""

_FLOATS = {"<f2": "e", "<f4": "f", "<f8": "d"}
_PARTS = {"embeddings": "embedding", "metadatas": "metadata", "documents": "document", "uris": "uri"}


def floats(value: Any) -> Any:
    """A vector as a list of numbers, however it is stored."""
    if getattr(value, "qualname", None) == "numpy.ndarray":
        said, _, _, _, raw = value.state
        kind = _FLOATS.get(said)
        if kind is not None:
            return list(struct.unpack(f"<{len(raw) // struct.calcsize(kind)}{kind}", raw))
    return value


def touched(event: Event) -> Iterator[tuple[str | None, Record | Any]]:
    """Key (`notes[policy]`; of a whole collection its name) and value of each record that an operation was about."""
    request, op = event.request, event.name.rpartition(".")[2]
    collection = request.get("collection") or request.get("name")
    if op == "query" and isinstance(event.response, dict):
        for n, ids in enumerate(event.response["ids"]):
            found = {name: each[n] for name, each in event.response.items() if each is not None and name != "ids"}
            for key, record in _records(ids, found):
                yield f"{collection}[{key}]", record
    elif op == "get" and isinstance(event.response, dict):
        for key, record in _records(event.response["ids"], event.response):
            yield f"{collection}[{key}]", record
    elif op in ("add", "upsert", "update", "delete") and request.get("ids"):
        for key, record in _records(request["ids"], request):
            yield f"{collection}[{key}]", record or None
    else:
        yield collection, event.response if event.effect == "read" else request.get("metadata")


def _records(ids: list[str], columns: dict[str, Any]) -> Iterator[tuple[str, Record]]:
    for n, key in enumerate(ids):
        record: Record = {}
        for name, part in {**_PARTS, "distances": "distance"}.items():
            column = columns.get(name)
            if isinstance(column, list) and n < len(column) and column[n] is not None:
                record[part] = floats(column[n])
        yield key, record


class Collections:
    """The collections of a database. What was there before is known as far as it was read."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Record]] = {}

    def run(self, event: Event) -> None:
        """Do what one operation did."""
        request, op = event.request, event.name.rpartition(".")[2]
        if event.status != "done":
            return
        if op in ("create_collection", "get_collection"):
            self._held.setdefault(request["name"], {})
        elif op == "delete_collection":
            self._held.pop(request["name"], None)
        elif op == "update_collection" and "name" in request:
            self._held[request["name"]] = self._held.pop(request["collection"], {})
        elif op == "reset":
            self._held.clear()
        elif "collection" in request:
            self._change(op, self._held.setdefault(request["collection"], {}), request, event.response)

    def _change(self, op: str, held: dict[str, Record], request: dict[str, Any], answer: Any) -> None:
        if op == "get" and isinstance(answer, dict):
            for key, record in _records(answer["ids"], answer):
                held.setdefault(key, {}).update(record)
        elif op == "delete":
            for key in [key for key in request.get("ids") or held if _fits(key, held.get(key), request)]:
                held.pop(key, None)
        for key, record in _records(request["ids"], request) if op in ("add", "upsert", "update") else ():
            if key not in held:
                if op != "update":
                    held[key] = record
            elif op != "add":
                before = held[key].get("metadata") or {}
                held[key].update(record)
                if "metadata" in record:
                    now = {name: value for name, value in {**before, **record["metadata"]}.items() if value is not None}
                    held[key]["metadata"] = now

    def content(self) -> dict[Any, Any]:
        """Collection -> id -> record."""
        return {name: {key: dict(record) for key, record in held.items()} for name, held in self._held.items()}

    def close(self) -> None:
        """Nothing to let go."""


def _fits(key: str, record: Record | None, request: dict[str, Any]) -> bool:
    """Whether a filter is about it; without one, everything that is named."""
    import json

    if record is None:
        return False
    where, text = (json.loads(request[name]) if request.get(name) else None for name in ("where", "where_document"))
    return (where is None or _meets(record.get("metadata") or {}, where)) and (
        text is None or _says(record.get("document") or "", text)
    )


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "$eq": operator.eq,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$in": lambda value, wanted: value in wanted,
}
_REVERSED = {"$ne": "$eq", "$nin": "$in", "$not_contains": "$contains", "$not_regex": "$regex"}


def _meets(metadata: dict[str, Any], where: dict[str, Any]) -> bool:
    for name, wanted in where.items():
        if name in ("$and", "$or"):
            met = (all if name == "$and" else any)(_meets(metadata, each) for each in wanted)
        else:
            [(how, value)] = wanted.items() if isinstance(wanted, dict) else [("$eq", wanted)]
            met = _compared(metadata, name, _REVERSED.get(how, how), value) is not (how in _REVERSED)
        if not met:
            return False
    return True


def _compared(metadata: dict[str, Any], name: str, how: str, value: Any) -> bool:
    try:
        return name in metadata and bool(_COMPARISONS[how](metadata[name], value))
    except (TypeError, KeyError):
        return False


def _says(document: str, wanted: dict[str, Any]) -> bool:
    [(how, value)] = wanted.items()
    if how in ("$and", "$or"):
        return (all if how == "$and" else any)(_says(document, each) for each in value)
    plain = _REVERSED.get(how, how)
    found = value in document if plain == "$contains" else re.search(value, document) is not None
    return found is not (how in _REVERSED)
