"""What stores hold after what was done to them: mappings, Redis, databases. Used by `semantics.memory`."""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

from replay.model.event import Event

_DENIED = frozenset((sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH))
_BEGINS = re.compile(r"\s*(?:begin|start\s+transaction)\b", re.IGNORECASE)
_READ_COMMANDS = frozenset(
    "get mget exists hget hgetall hmget hkeys hvals hlen lrange llen lindex smembers sismember scard zrange zscore "
    "zcard strlen type ttl keys scan xrange xlen xread ping message echo".split()
)


def is_read(op: str) -> bool:
    """Whether a Redis command is one of the usual ones that only read."""
    return op in _READ_COMMANDS


class Keyed:
    """A mapping, or an object whose methods are called like one's."""

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def run(self, op: str, args: list[Any], kwargs: dict[str, Any], answer: Any) -> None:
        """Do what one call did."""
        held = self._held
        if op in ("setitem", "set", "put", "write", "save") and len(args) > 1:
            held[args[0]] = args[1]
        elif op in ("delitem", "pop", "delete", "remove") and args:
            held.pop(args[0], None)
        elif op == "popitem" and answer is not None:
            held.pop(answer[0], None)
        elif op == "clear":
            held.clear()
        elif op == "update":
            held.update(*args, **kwargs)
        elif (op == "setdefault" and args) or (op == "getitem" and args):
            held[args[0]] = answer

    def content(self) -> dict[Any, Any]:
        """Key -> value."""
        return dict(self._held)

    def close(self) -> None:
        """Nothing to let go."""


def _raw(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return repr(value).encode() if isinstance(value, float) else str(value).encode()


class RedisStore:
    """A Redis, as far as its usual commands go: strings, hashes, lists, sets, sorted sets. Expiry isn't followed."""

    def __init__(self) -> None:
        self._held: dict[bytes, Any] = {}

    def run(self, op: str, request: dict[str, Any], answer: Any) -> None:
        """Do what one command did."""
        if isinstance(answer, Exception):
            return
        if op in ("flushdb", "flushall"):
            self._held.clear()
            return
        if op in ("del", "unlink"):
            for key in request["keys"]:
                self._held.pop(_raw(key), None)
            return
        if op == "mset":
            args = request["args"]
            self._held.update((_raw(key), _raw(value)) for key, value in zip(args[::2], args[1::2], strict=True))
            return
        if op in ("rename", "renamenx") and answer:
            old, new = (_raw(key) for key in request["keys"])
            self._held[new] = self._held.pop(old)
            return
        known = _COMMANDS.get(op)
        if known is not None and "key" in request:
            key = _raw(request["key"])
            try:
                now = known(self._held.get(key), request.get("args", []), answer)
            except (TypeError, ValueError, IndexError, AttributeError):  # what was there before isn't known
                return
            if now is None or now in ({}, [], set()):
                self._held.pop(key, None)
            else:
                self._held[key] = now

    def content(self) -> dict[Any, Any]:
        """Key -> value, in bytes; hashes and sorted sets as dicts, lists and sets as such."""
        return dict(self._held)

    def close(self) -> None:
        """Nothing to let go."""


def _set(old: Any, args: list[Any], answer: Any) -> Any:
    if any(str(arg).upper() == "GET" for arg in args[1:]):
        return _raw(args[0])
    return old if answer is None or answer is False else _raw(args[0])


def _pairs(args: list[Any]) -> dict[bytes, bytes]:
    return {_raw(name): _raw(value) for name, value in zip(args[::2], args[1::2], strict=True)}


def _popped(old: Any, args: list[Any], answer: Any, *, left: bool) -> Any:
    count = len(answer) if isinstance(answer, list) else int(answer is not None)
    return old[count:] if left else old[: len(old) - count]


def _removed(old: Any, gone: Any) -> Any:
    return old - gone if isinstance(old, set) else {name: value for name, value in old.items() if name not in gone}


_COMMANDS: dict[str, Callable[[Any, list[Any], Any], Any]] = {
    "set": _set,
    "setnx": lambda old, args, answer: _raw(args[0]) if answer else old,
    "setex": lambda old, args, answer: _raw(args[1]),
    "psetex": lambda old, args, answer: _raw(args[1]),
    "getset": lambda old, args, answer: _raw(args[0]),
    "getdel": lambda old, args, answer: None,
    "get": lambda old, args, answer: None if answer is None else _raw(answer),
    "append": lambda old, args, answer: (old or b"") + _raw(args[0]),
    **dict.fromkeys(("incr", "decr", "incrby", "decrby", "incrbyfloat"), lambda old, args, answer: _raw(answer)),
    "hset": lambda old, args, answer: {**(old or {}), **_pairs(args)},
    "hsetnx": lambda old, args, answer: {**(old or {}), **_pairs(args)} if answer else old,
    "hmset": lambda old, args, answer: {**(old or {}), **_pairs(args)},
    "hdel": lambda old, args, answer: _removed(old, {_raw(arg) for arg in args}),
    "hincrby": lambda old, args, answer: {**(old or {}), _raw(args[0]): _raw(answer)},
    "rpush": lambda old, args, answer: [*(old or []), *map(_raw, args)],
    "lpush": lambda old, args, answer: [*map(_raw, reversed(args)), *(old or [])],
    "lpop": lambda old, args, answer: _popped(old, args, answer, left=True),
    "rpop": lambda old, args, answer: _popped(old, args, answer, left=False),
    "lset": lambda old, args, answer: [_raw(args[1]) if n == int(args[0]) % len(old) else v for n, v in enumerate(old)],
    "sadd": lambda old, args, answer: (old or set()) | set(map(_raw, args)),
    "srem": lambda old, args, answer: _removed(old, {_raw(arg) for arg in args}),
    "zrem": lambda old, args, answer: _removed(old, {_raw(arg) for arg in args}),
    "zadd": lambda old, args, answer: {
        **(old or {}),
        **{_raw(name): float(score) for score, name in zip(args[::2], args[1::2], strict=True)},
    },
}


class Database:
    """A database, by running its statements on an empty one in memory (SQLite; other dialects as far as it takes them).

    Statements are data of a recording: they can't open files.

    Args:
        content: of its file when it was opened. facts: of that event.
    """

    def __init__(self, content: bytes | None, facts: Any) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        size = facts["parts"].get("", 0) if isinstance(facts, dict) else 0
        if content and size:
            try:
                self._db.deserialize(content[:size])
            except sqlite3.Error:
                pass
        self._db.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action in _DENIED else sqlite3.SQLITE_OK)
        self._pending: dict[str, list[tuple[str, Any]]] = {}
        self._marks: dict[str, list[int]] = {}
        self._asked: dict[str, list[tuple[str, Any]]] = {}

    def run(self, statement: str, params: Any = ()) -> None:
        """One statement; what fails there may have failed then."""
        if _BEGINS.match(statement) and self._db.in_transaction:
            return
        try:
            self._db.execute(statement, params)
        except (sqlite3.Error, ValueError, OverflowError):
            pass

    def answered(self, event: Event) -> None:
        """What a driver's event did: its statements count once their transaction is committed."""
        if not isinstance(event.response, dict):
            return
        request = event.request
        pending = self._pending.setdefault(event.lane, [])
        marks = self._marks.setdefault(event.lane, [])
        asked = self._asked.setdefault(event.lane, [])
        asked += _asked(request)
        for what, value, state in event.response.get("answers", ()):
            results = value if what in ("execute", "fetch_many") else []
            if what == "pipeline_communicate":
                results = [result for some in value[1] for result in some]
            for result in results:
                tag = result.get("tag") or ""
                if "error" in result:
                    del asked[:1]
                elif tag == "COMMIT":
                    self._commit(pending)
                elif tag == "ROLLBACK":
                    del pending[marks.pop() if marks and state[1] else 0 :]
                elif tag == "SAVEPOINT":
                    marks.append(len(pending))
                elif tag == "RELEASE" and marks:
                    marks.pop()
                elif (
                    tag.split(" ")[0] in ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "TRUNCATE") and asked
                ):
                    pending.append(asked.pop(0))
            if state and state[1] == 0:
                self._commit(pending)

    def _commit(self, pending: list[tuple[str, Any]]) -> None:
        for statement, params in pending:
            self.run(statement, params)
        pending.clear()

    def content(self) -> dict[Any, Any]:
        """Table -> rows, each as a dict."""
        tables = self._db.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
        found: dict[Any, Any] = {}
        for (name,) in tables.fetchall():
            cursor = self._db.execute('select * from "' + name.replace('"', '""') + '"')
            columns = [column[0] for column in cursor.description]
            found[name] = [dict(zip(columns, row, strict=True)) for row in cursor]
        return found

    def close(self) -> None:
        """Let the copy go."""
        self._db.close()


_PLACE = re.compile(r"%\((\w+)\)s|%s|%%")


def _asked(request: Any) -> list[tuple[str, Any]]:
    """The statements of a request, in SQLite's style; one for each set of parameters."""
    if "query" not in request:
        return []
    query = request["query"]
    params = request.get("params")
    if params is None:
        return [(query, ())]
    query = _PLACE.sub(lambda at: f":{at[1]}" if at[1] else "?" if at[0] == "%s" else "%", query)
    many = bool(params) and isinstance(params, list) and isinstance(params[0], (list, dict))
    return [(query, _plain(each)) for each in (params if many else [params])]


def _plain(params: Any) -> Any:
    if isinstance(params, dict):
        named: dict[str, Any] = params
        return {name: _scalar(value) for name, value in named.items()}
    return [_scalar(value) for value in params]


def _scalar(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float, str, bytes)) else str(value)
