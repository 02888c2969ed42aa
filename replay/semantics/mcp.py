"""MCP traffic read as requests and their answers, and as sets of tools that a server offers. Pure.

A request and its answer have the same JSON-RPC id: a message that was sent is an event, one that came is a piece of the
event that opened the transport (`replay.seams.mcp`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from replay.model.event import Event
from replay.semantics.loose import dumps, number, obj, objs, string


@dataclass(frozen=True, slots=True)
class Message:
    """A JSON-RPC message that came: piece number `piece` (from 0) of event `event`."""

    event: int
    piece: int
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolChange:
    """A server's set of tools isn't what it was before; names of tools, sorted.

    Attributes:
        server: how its events call it. announced: the server says so itself, without saying what.
    """

    event: int
    piece: int
    server: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    announced: bool = False


@dataclass(slots=True)
class Traffic:
    """All MCP traffic of a recording.

    Attributes:
        sessions: of each message that was sent, by its event: the event that opened its transport.
        answers: what came back, by the event that asked.
        asked: what a message answers that was sent, by its event: a request of the server (sampling, elicitation).
        progress: what came about a request before its answer, by the event that asked.
        changes: in the order in which they came.
    """

    sessions: dict[int, int] = field(default_factory=dict[int, int])
    answers: dict[int, Message] = field(default_factory=dict[int, Message])
    asked: dict[int, Message] = field(default_factory=dict[int, Message])
    progress: dict[int, list[Message]] = field(default_factory=dict[int, list[Message]])
    changes: list[ToolChange] = field(default_factory=list[ToolChange])


def read(events: Iterable[Event]) -> Traffic:
    """Never raises: what isn't JSON-RPC is left out."""
    found = Traffic()
    sent: dict[int, list[Event]] = {}
    opened: list[Event] = []
    for event in events:
        if event.kind != "mcp":
            continue
        session = number(event.meta.get("session"))
        if session is not None:
            found.sessions[event.id] = session
            sent.setdefault(session, []).append(event)
        elif event.pieces:
            opened.append(event)
    tools: dict[str, dict[str, str]] = {}
    lists: list[tuple[int, Event, Message]] = []
    for event in opened:
        lists += _match(event, sent.get(event.id, []), found)
    for _, asked, answer in sorted(lists, key=lambda each: each[0]):
        server = next(event.name for event in opened if event.id == answer.event)
        _compare(server, asked, answer, tools, found)
    return found


def _match(session: Event, sent: list[Event], found: Traffic) -> list[tuple[int, Event, Message]]:
    """Link what came to what was sent. Returns the answers to tools/list, and when they came."""
    requests: dict[str | None, Event] = {}
    replies: dict[str | None, Event] = {}
    for event in sent:
        message = obj(event.request)
        if message.get("id") is not None:
            (requests if "method" in message else replies)[_key(message["id"])] = event
    lists: list[tuple[int, Event, Message]] = []
    for index, piece in enumerate(session.pieces):
        value = obj(piece.value)
        came = Message(session.id, index, value)
        method, key = string(value.get("method")), _key(value.get("id"))
        if method == "notifications/progress":
            about = requests.get(_key(obj(value.get("params")).get("progressToken")))
            if about is not None:
                found.progress.setdefault(about.id, []).append(came)
        elif method == "notifications/tools/list_changed":
            found.changes.append(ToolChange(session.id, index, session.name, announced=True))
        elif method is not None and key in replies:
            found.asked[replies[key].id] = came
        elif method is None and key in requests:
            event = requests[key]
            found.answers[event.id] = came
            if obj(event.request)["method"] == "tools/list" and "result" in value:
                lists.append((piece.at, event, came))
    return lists


def _compare(server: str, asked: Event, answer: Message, tools: dict[str, dict[str, str]], found: Traffic) -> None:
    """Against what is known of the server: `tools` by name, as JSON text."""
    result = obj(answer.value.get("result"))
    now = {str(tool.get("name")): dumps(tool) for tool in objs(result.get("tools"))}
    pages = f"{server}\n{answer.event}"
    if obj(obj(asked.request).get("params")).get("cursor") is not None:
        now = {**tools.get(pages, {}), **now}
    if result.get("nextCursor") is not None:
        tools[pages] = now
        return
    before, tools[server] = tools.get(server), now
    if before is None or before == now:
        return
    both = before.keys() & now.keys()
    found.changes.append(
        ToolChange(
            *(answer.event, answer.piece, server),
            added=tuple(sorted(now.keys() - both)),
            removed=tuple(sorted(before.keys() - both)),
            changed=tuple(sorted(name for name in both if before[name] != now[name])),
        )
    )


def _key(identity: Any) -> str | None:
    """A request's id, as both sides may write it: 7 or "7"."""
    return None if identity is None or isinstance(identity, bool) else str(identity)
