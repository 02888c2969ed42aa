"""Statements as accesses of a memory: what is asked, with which values, whether it changes anything."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from replay.model.effect import Effect
from replay.seams._shown import shown

_COMMENT = re.compile(r"\A(?:\s+|--[^\n]*\n|/\*.*?\*/|\()+", re.DOTALL)
_WRITES_INSIDE = re.compile(
    r"\b(?:insert\s+into|update|delete\s+from|merge\s+into|for\s+(?:no\s+key\s+)?update)\b", re.IGNORECASE
)
_READING = frozenset("select values table show explain with fetch pragma describe".split())
_READ_OPS = frozenset("fetch stream_row notifies copy_from scroll set_autocommit set_isolation_level".split())
_VALUES = frozenset((datetime, date, time, timedelta, Decimal, UUID))


def effect_of(statement: str) -> Effect:
    """`read` where a statement is known to change nothing; what a function that it calls does isn't known."""
    bare = _COMMENT.sub("", statement)
    first = re.match(r"[A-Za-z]+", bare)
    if first is None or first[0].lower() not in _READING:
        return "write" if first else "read"
    return "write" if _WRITES_INSIDE.search(bare) else "read"


def value(item: Any) -> Any:
    """A parameter as it can be stored and compared."""
    kind: Any = type(item)  # pyright: ignore[reportUnknownVariableType]
    if kind in _VALUES:
        return item
    if kind in (list, tuple):
        return [value(each) for each in item]
    if kind is dict:
        return {str(name): value(each) for name, each in item.items()}
    if hasattr(item, "obj") and kind.__module__.startswith("psycopg"):  # Json and the like
        return value(item.obj)
    if kind in (bytearray, memoryview):
        return bytes(item)
    return shown(item)


def text(query: Any, connection: Any) -> str:
    """A statement's text."""
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    if hasattr(query, "as_string"):
        try:
            return str(query.as_string(connection))
        except Exception:  # what is wrong with it, the driver says
            pass
    return str(shown(query))


def describe(op: str, asked: dict[str, Any], connection: Any) -> tuple[str, Effect, dict[str, Any]]:
    """Name, effect and request of what a driver is about to do.

    Args:
        op: what its own function is called. asked: that function's arguments by name.
    """
    query = asked.get("query", asked.get("statement"))
    if query is None:
        request: dict[str, Any] = {}
        if "buffer" in asked:
            request["data"] = bytes(asked["buffer"])
        return op, "read" if op in _READ_OPS else "write", request
    statement = text(query, connection)
    request = {"query": statement}
    params = asked.get("params_seq", asked.get("params"))
    if params is not None:
        request["params"] = value(params)
    return op, effect_of(statement), request


_PAIR = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S*)")
_WHERE = ("host", "hostaddr", "port", "dbname", "service")


def address(conninfo: str) -> dict[str, Any]:
    """Where to, in keywords as libpq takes them. Not who: at replay, user and password may be stand-ins."""
    found = dict(_PAIR.findall(conninfo))
    return {name: found[name].strip("'") for name in _WHERE if name in found}
