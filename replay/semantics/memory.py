"""Memory events of all stores as accesses, and what a store held at any event. Pure: reads events, touches nothing.

    for access in accesses(cassette.events): print(access.event, access.store, access.key, access.op, access.value)
    held = stores(cassette.events, until=120)   # before event 120; store -> key -> value; Chroma: -> collection -> id

How a store is rebuilt depends on what it is (`semantics.stores`): keys that were set and deleted; Redis' commands;
statements of a database, which run on an empty one in memory. What was there before the recording is known where
something read it: SQLite's file was read when it was opened.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from replay.model.event import Event
from replay.semantics import vectors
from replay.semantics.checkpoints import Checkpoints
from replay.semantics.stores import Database, Keyed, RedisStore, is_read

_TABLE = re.compile(r"\b(?:into|update|from|join|table(?:\s+if\s+(?:not\s+)?exists)?)\s+([\w.\"]+)", re.IGNORECASE)
_KEY = re.compile(r"\bwhere\s+\(?\s*[\w.\"]+\s*=\s*(%s|%\(\w+\)s|\?|'(?:[^']|'')*'|[\w.]+)", re.IGNORECASE)
_READING = re.compile(r"\s*(?:select|pragma|explain|values|show)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Access:
    """One read or write.

    Attributes:
        event: id of the event. store: its address or name.
        key: of a database the table, and the row's key where the statement says so (`notes[policy]`); of Chroma the
            collection, and the id.
        op: what was done, such as `get`. value: what was read, or written.
        request: all that was asked: of a database the statement and its parameters.
    """

    event: int
    store: str
    key: Any
    op: str
    effect: Literal["read", "write"]
    value: Any
    request: Any


def accesses(events: Iterable[Event], savers: dict[str, Checkpoints] | None = None) -> Iterator[Access]:
    """Every read and write of a memory, in the order of events.

    Args:
        savers: what is known of LangGraph's savers by events before these; it is added to.
    """
    savers = {} if savers is None else savers
    for event in events:
        if event.kind == "memory" and event.name.startswith("langgraph.checkpoint."):
            yield _checkpoint(event, savers.setdefault(event.request["store"], Checkpoints()))
        elif event.kind == "memory":
            yield from _of(event)


def stores(events: Iterable[Event], until: int | None = None) -> dict[str, dict[Any, Any]]:
    """What each store held, as far as events tell: store -> key -> value; of a database table -> rows.

    Args:
        until: before the event of that id; at the end by default.
    """
    held: dict[str, Any] = {}
    try:
        for event in events:
            if until is not None and event.id >= until:
                break
            if event.kind == "file" and event.name == "connect":
                store = f"sqlite:{event.request['path']}"
                if store not in held:
                    held[store] = Database(event.content, event.response)
            elif event.kind == "memory":
                _apply(held, event)
        return {store: found.content() for store, found in held.items()}
    finally:
        for found in held.values():
            found.close()


def _of(event: Event) -> Iterator[Access]:
    library, _, op = event.name.rpartition(".")
    request = event.request
    if event.effect == "draw":
        for store, statement in event.response:
            yield _statement(event, store, "execute", statement, None, None)
    elif library == "redis" and op == "pipeline":
        answers = event.response if isinstance(event.response, list) else [None] * len(request["commands"])
        for command, answer in zip(request["commands"], answers, strict=False):
            yield from _command(event, request["store"], command["op"], command, answer)
    elif library == "redis" and "store" in request:
        yield from _command(event, request["store"], op, request, event.response)
    elif library == "chromadb":
        for key, value in vectors.touched(event):
            yield Access(event.id, request["store"], key, op, _effect(event), value, request)
    elif library == "langgraph.store":
        value = event.response if event.effect == "read" else request.get("value")
        yield Access(event.id, request["store"], request["key"], op, _effect(event), value, request)
    elif isinstance(request, dict) and "query" in request:
        yield _statement(event, request["store"], op, request["query"], request.get("params"), _rows(event.response))
    elif isinstance(request, dict) and "args" in request:
        args: list[Any] = list(request["args"])
        value = event.response if event.effect == "read" else (args[1] if len(args) > 1 else None)
        yield Access(event.id, library, args[0] if args else None, op, _effect(event), value, request)


def _checkpoint(event: Event, saver: Checkpoints) -> Access:
    """What a step wrote; of a read what the checkpoint holds that was read."""
    op, key = event.name.rpartition(".")[2], event.request["key"]
    value = saver.read(key, event.response) if event.effect == "read" else saver.run(event)
    return Access(event.id, event.request["store"], key, op, _effect(event), value, event.request)


def _effect(event: Event) -> Literal["read", "write"]:
    return "read" if event.effect == "read" else "write"


def _command(event: Event, store: str, op: str, request: Any, answer: Any) -> Iterator[Access]:
    keys = request["keys"] if "keys" in request else [request.get("key")]
    args = request.get("args", [])
    read = is_read(op)
    for n, key in enumerate(keys):
        value = answer if read else (args[0] if len(args) == 1 else args)
        if op == "mget" and isinstance(answer, list):
            value = answer[n]
        elif op in ("mset", "msetnx"):
            value = args[2 * n + 1]
        yield Access(event.id, store, key, op, "read" if read else "write", value, request)


def _statement(event: Event, store: str, op: str, query: str, params: Any, rows: Any) -> Access:
    table = _TABLE.search(query)
    name = table[1].strip('"') if table else None
    key = _KEY.search(query)
    if name is not None and key is not None:
        name = f"{name}[{_given(key[1], query[: key.start(1)], params)}]"
    read = bool(_READING.match(query))
    request = {"query": query, "params": params}
    return Access(event.id, store, name, op, "read" if read else "write", rows if read else params, request)


def _given(written: str, before: str, params: Any) -> Any:
    """A value in a statement: a literal, or what its placeholder stands for."""
    if written.startswith("%(") and isinstance(params, dict):
        found: dict[str, Any] = params
        return found.get(written[2:-2])
    if written in ("%s", "?") and isinstance(params, list):
        at = before.count(written)
        listed: list[Any] = params
        return listed[at] if at < len(listed) else None
    return written.strip("'")


def _rows(response: Any) -> Any:
    """Rows among a driver's answers, as the server wrote them."""
    if not isinstance(response, dict):
        return None
    results = [each for what, value, _ in response.get("answers", ()) if what == "execute" for each in value]
    return next((each["rows"] for each in reversed(results) if "rows" in each), None)


def _apply(held: dict[str, Any], event: Event) -> None:
    library, _, op = event.name.rpartition(".")
    request = event.request
    if event.effect == "draw":
        for store, statement in event.response:
            held.setdefault(store, Database(None, None)).run(statement)
    elif library == "redis" and isinstance(request, dict) and "store" in request:
        store = held.setdefault(request["store"], RedisStore())
        if op == "pipeline":
            answers = event.response if isinstance(event.response, list) else [None] * len(request["commands"])
            for command, answer in zip(request["commands"], answers, strict=False):
                store.run(command["op"], command, answer)
        elif event.status == "done":
            store.run(op, request, event.response)
    elif library == "langgraph.checkpoint":
        held.setdefault(request["store"], Checkpoints()).run(event)
    elif library == "langgraph.store":
        value = request.get("value")
        held.setdefault(request["store"], Keyed()).run(
            "setitem" if op == "put" else op, [request["key"], value], {}, None
        )
    elif library == "chromadb":
        held.setdefault(request["store"], vectors.Collections()).run(event)
    elif library == "psycopg" and isinstance(request, dict) and "store" in request:
        held.setdefault(request["store"], Database(None, None)).answered(event)
    elif isinstance(request, dict) and "args" in request and event.status == "done":
        held.setdefault(library, Keyed()).run(op, request["args"], request.get("kwargs", {}), event.response)
