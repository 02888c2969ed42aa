"""Writes to the world, in order, with what decided each and what it set off. Pure: reads events, touches nothing.

    for effect in effects(cassette.events).all: print(effect.event, effect.kind, effect.what, effect.decided_by)

What counts: tools that aren't declared to read, requests other than GET that are no call of a model, statements that
change data, memories, files, processes, and messages over connections. Output isn't one, nor is how processes of one
program wait for each other. Several writes to one open file, or over one connection, are one effect.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from replay.forensics.deciders import Deciders, Decision, called
from replay.model.event import LEFT_OUT, Event
from replay.semantics.incident import span
from replay.semantics.inside import Tools
from replay.semantics.links import Answers

Kind = Literal["tool", "mcp", "http", "grpc", "sql", "memory", "file", "process", "message"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_CHANGES: Final = re.compile(
    r"\s*(?:insert|update|delete|merge|replace|create|drop|alter|truncate|grant|revoke|copy|call)\b", re.IGNORECASE
)
_TALK: Final = re.compile(r"\.(?:send|send_bytes|put)$")
_AMONG_OURSELVES: Final = re.compile(
    r"\.(?:release|notify|set|clear|task_done|cancel|shutdown|resource_tracker|__setitem__)$|^ProcessPoolExecutor\.shutdown$"
)
_FILES: Final = frozenset({"open", "write", "truncate", "close"})


@dataclass(slots=True)  # not frozen: there are thousands, and each would take four times as long to make
class Effect:
    """One write.

    Attributes:
        event: the first event of it; times: how many writes it is.
        what: which tool, address, statement, path, program. arguments: what it was given.
        outcome: `done`, `failed`, `open` (the recording ended before), `lost` (seen, but not stored).
        error: of a failed one; why a lost one is.
        decided_by: see `deciders`. inside: the tool that it happened in.
        reversible: as declared (`@replay.tool(reversible=…)`); None: nobody says.
        at: microseconds since the recording began. guessed: that it writes is guessed from the tool's name.
    """

    event: int
    kind: Kind
    what: str
    arguments: Any
    outcome: Literal["done", "failed", "open", "lost"]
    decided_by: Decision
    error: str | None = None
    inside: int | None = None
    reversible: bool | None = None
    agent: str | None = None
    owner: str | None = None
    site: str | None = None
    at: int = 0
    times: int = 1
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Effects:
    """Of one cassette.

    Attributes:
        all: in the order in which they began.
        asked: spans of requests and processes, by which what they called names its caller -> their events.
        started: processes, by their ids -> the events that started them.
        inside: events -> the tools that they happened in.
    """

    all: list[Effect]
    asked: dict[str, int]
    started: dict[int, int]
    inside: dict[int, int]

    def behind(self, event: int) -> int | None:
        """The effect that an event is, or is part of; the innermost one."""
        known = {each.event for each in self.all}
        at: int | None = event
        while at is not None and at not in known:
            at = self.inside.get(at)
        return at


def effects(events: Iterable[Event], whole: Callable[[int], Event] | None = None) -> Effects:
    """All of a cassette. `whole`: gives an event by its id, where `events` are light (`Events.light`)."""
    answers, tools, deciders = Answers(whole), Tools(), Deciders()
    found: dict[Any, Effect] = {}
    result = Effects([], {}, {}, {})
    for event in events:
        inside = tools.holding(event)
        if inside is not None:
            result.inside[event.id] = inside
        decision = None if called(event) is None else deciders.tool(event, inside)
        if event.kind in ("http", "grpc", "llm"):
            asks = answers.asks(event)
            if asks is not None:
                deciders.asked(event, asks)
                continue
        if whole is not None and event.body is LEFT_OUT:
            event = whole(event.id)
        if event.kind in ("http", "process") and (asked := span(event.request)) is not None:
            result.asked[asked] = event.id
        if event.kind == "process" and isinstance(event.response, Mapping) and "pid" in event.response:
            result.started[event.response["pid"]] = event.id
        write = _kind(event)
        if write is None:
            continue
        decision = decision or deciders.of(event, inside)
        key = event.id if write.run is None else (write.run, decision, inside)
        if key in found:
            found[key] = replace(found[key], times=found[key].times + 1)
        else:
            found[key] = _effect(event, write, decision, inside)
    result.all.extend(found.values())
    return result


def _effect(event: Event, write: _Write, decision: Decision, inside: int | None) -> Effect:
    declared = event.meta.get("reversible")
    lost = event.request.get("reason") if event.kind == "gap" else None
    outcome: Literal["done", "failed", "open", "lost"] = "open" if event.status == "open" else "done"
    return Effect(
        event=event.id,
        kind=write.kind,
        what=write.what,
        arguments=write.arguments,
        outcome="lost" if event.kind == "gap" else "failed" if event.error is not None else outcome,
        error=_str(lost) if event.error is None else f"{event.error.type}: {event.error.message}",
        decided_by=decision,
        inside=inside,
        reversible=declared if isinstance(declared, bool) else None,
        agent=_str(event.meta.get("agent")),
        owner=_str(event.meta.get("owner")),
        site=None if event.site is None else str(event.site),
        at=event.at,
        guessed=event.meta.get("effect") == "guessed",
    )


def _str(value: Any) -> str | None:
    return None if value is None else str(value)


class _Write(NamedTuple):
    """What is written. `run`: what several writes have in common that are one effect; None: nothing."""

    kind: Kind
    what: str
    arguments: Any
    run: Any = None


def _kind(event: Event) -> _Write | None:
    """None where it is no write to the world."""
    if event.kind == "memory":
        return _memory(event)
    if event.effect != "write":
        return None
    look = _KINDS.get(event.kind)
    return None if look is None else look(event)


def _tool(event: Event) -> _Write:
    return _Write("tool", event.name, event.request)


def _mcp(event: Event) -> _Write | None:
    """Calls of tools, and notifications that change something; how a session begins and ends is no effect."""
    found = called(event)
    return None if found is None else _Write("mcp", found[0], found[1])


def _http(event: Event) -> _Write | None:
    request: Mapping[str, Any] = event.request if isinstance(event.request, Mapping) else {}
    if str(request.get("method", "")).upper() in _SAFE:
        return None
    return _Write("http", f"{request.get('method')} {request.get('url')}", _body(event))


def _grpc(event: Event) -> _Write:
    return _Write("grpc", event.name, event.request)


def _file(event: Event) -> _Write:
    request: Mapping[str, Any] = event.request if isinstance(event.request, Mapping) else {}
    path = str(request.get("path"))
    if event.name in _FILES:
        return _Write("file", f"write {path}", {}, ("file", path))
    to = f" → {request['to']}" if "to" in request else ""
    return _Write("file", f"{event.name} {path}{to}", request.get("args", {}))


def _process(event: Event) -> _Write | None:
    if _AMONG_OURSELVES.search(event.name):
        return None
    if _TALK.search(event.name):
        return _Write("message", event.name, event.request, ("message", event.name))
    request: Mapping[str, Any] = event.request if isinstance(event.request, Mapping) else {}
    return _Write("process", event.name, request.get("args", request))


def _connection(event: Event) -> _Write:
    run = "connection", event.meta.get("connection"), event.name
    return _Write("message", event.name, _body(event), run)


def _gap(event: Event) -> _Write | None:
    """What was lost may have been anything; of calls of models it is known that they aren't meant."""
    kind = event.request.get("kind") if isinstance(event.request, Mapping) else None
    return None if kind in (None, "recording", "output", "llm") else _Write(kind, event.name, None)


_KINDS: Final = {
    "gap": _gap,
    "tool": _tool,
    "mcp": _mcp,
    "http": _http,
    "grpc": _grpc,
    "file": _file,
    "process": _process,
    "connection": _connection,
}


def _memory(event: Event) -> _Write | None:
    """Statements that change data are `sql`; a recorded list of statements is one effect if one of them does."""
    request: Mapping[str, Any] = event.request if isinstance(event.request, Mapping) else {}
    if event.effect == "draw":
        said = [each for each in event.response or () if isinstance(each, (list, tuple)) and len(each) == 2]
        writes = [str(query) for _, query in said if isinstance(query, str) and _CHANGES.match(query)]
        return _Write("sql", f"{said[0][0]}: {writes[0]}", writes) if writes else None
    if event.effect != "write":
        return None
    if isinstance(request.get("query"), str):
        query = str(request["query"])
        return _Write("sql", query, request.get("params")) if _CHANGES.match(query) else None
    if "query" not in request and event.name.rpartition(".")[2] in ("begin", "commit", "rollback", "open", "close"):
        return None
    return _Write("memory", event.name, request.get("args", request))


def _body(event: Event) -> Any:
    if not event.body:
        return None
    return event.body.decode("utf-8", "replace") if len(event.body) <= 10_000 else f"{len(event.body)} bytes"
