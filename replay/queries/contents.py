"""Everything that can be read of a cassette, also of a damaged one: what stands before the damage, and the damage."""

from __future__ import annotations

import dataclasses
import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from replay.cassette.cassette import Cassette
from replay.cassette.directory import resolve
from replay.cassette.family import Child, family
from replay.cassette.reader import Reader
from replay.cassette.scan import Damage
from replay.model.errors import CassetteDamaged
from replay.model.event import BlindSpot, Event, Site
from replay.queries.shapes import mapping
from replay.semantics import mcp, websocket
from replay.semantics.inside import Tools


@dataclass(frozen=True, slots=True)
class Gap:
    """A crossing that was seen, but not stored, or whose outcome wasn't."""

    event: int
    name: str
    reason: str
    site: Site | None


class Events(Sequence[Event]):
    """Events with what was found out about them. Large ones are read again when they are asked for.

    A thousand calls of a model, each with the whole conversation before it, would fill the memory.
    """

    _LARGE = 65536  # bytes of a body

    def __init__(self, source: Sequence[Event]) -> None:
        self._source = source
        self._kept: list[Event | None] = []
        self._added: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}

    def append(self, event: Event) -> None:
        """The next one."""
        large = len(event.body or b"") + len(event.content or b"") > self._LARGE
        self._kept.append(None if large else event)

    def add(self, number: int, links: dict[str, Any], **fields: Any) -> None:
        """Links of an event, and fields that stand instead of the recorded ones."""
        known, others = self._added.get(number, ({}, {}))
        self._added[number] = {**known, **links}, {**others, **fields}

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | list[Event]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        number = range(len(self))[index]
        event = self._kept[number] or self._source[number]
        if number not in self._added:
            return event
        links, fields = self._added[number]
        meta = {**event.meta, "links": {**mapping(event.meta.get("links")), **links}}
        return dataclasses.replace(event, meta=meta, **fields)


@dataclass(slots=True)
class Contents:
    """One cassette, read to its end or to its damage. `status` as in PRODUCT: sealed, open or torn.

    The cassette has to stay open while `events` are looked at.
    """

    path: Path
    header: dict[str, Any]
    status: str
    outcome: dict[str, Any] | None = None
    events: Events = field(default_factory=lambda: Events(()))
    blind_spots: list[BlindSpot] = field(default_factory=list[BlindSpot])
    gaps: list[Gap] = field(default_factory=list[Gap])
    damage: CassetteDamaged | None = None
    stopped: str | None = None
    children: list[Child] = field(default_factory=list[Child])
    tool_changes: list[mcp.ToolChange] = field(default_factory=list[mcp.ToolChange])


def open_(name: str) -> Cassette:
    """The cassette that `name` means: a path, the beginning of a name or id, `latest`."""
    gc.set_threshold(100_000)  # commands that read make many objects and no cycles, and end soon
    return Cassette(Reader.open(resolve(name)))


def read(cassette: Cassette) -> Contents:
    """All of it. Damage is no error here: it is in the result."""
    found = Contents(cassette.path, cassette.header, cassette.status, events=Events(cassette.events))
    found.damage = damage_of(cassette)
    tools = Tools()
    sockets, said, mcp_events = websocket.Reader(), list[websocket.Message](), list[Event]()
    try:
        for event in cassette.events:
            found.events.append(event)
            said += sockets.read(event)
            mcp_events += [event] if event.kind == "mcp" else []
            tool = tools.holding(event)
            if tool is not None:
                found.events.add(event.id, {"inside": tool})
            reason = gap(event)
            if reason is not None:
                found.gaps.append(Gap(event.id, event.name, reason, event.site))
        found.stopped = cassette.stopped
        found.blind_spots = cassette.blind_spots
        found.outcome = cassette.outcome
    except CassetteDamaged as error:
        found.status = "torn"
        found.damage = found.damage or error
    _link(found)
    _answer(found, mcp.read(mcp_events))
    _converse(found, [*said, *sockets.rest()])
    return found


def _link(found: Contents) -> None:
    """The processes that this one started, and the events at which they began: their own headers say so."""
    found.children = family(found.path, str(found.header.get("id", "")))
    started: dict[int, list[str]] = {}
    for child in found.children:
        began = _began_at(found, child)
        if began is not None:
            started.setdefault(began, []).append(os.path.relpath(child.path, found.path.parent))
    for event, paths in started.items():
        found.events.add(event, {"child": paths})


def _answer(found: Contents, traffic: mcp.Traffic) -> None:
    """MCP messages that were sent, their answers, and what a server says about its tools."""
    found.tool_changes = traffic.changes
    for event, session in traffic.sessions.items():
        links: dict[str, Any] = {"session": session}
        for word, message in (("response", traffic.answers.get(event)), ("request", traffic.asked.get(event))):
            if message is not None:
                links[word] = {"event": message.event, "piece": message.piece}
        if event in traffic.progress:
            links["progress"] = [{"event": each.event, "piece": each.piece} for each in traffic.progress[event]]
        answer = traffic.answers.get(event)
        found.events.add(event, links, **({} if answer is None else {"response": answer.value}))


def _converse(found: Contents, said: list[websocket.Message]) -> None:
    """Messages of websockets are linked to the event in which they were complete."""
    by_event: dict[int, list[dict[str, Any]]] = {}
    for message in said:
        shown: dict[str, Any] = {"sent": message.sent, "data": message.data}
        if message.piece is not None:
            shown["piece"] = message.piece
        by_event.setdefault(message.event, []).append(shown)
    for event, messages in by_event.items():
        found.events.add(event, {"messages": messages})


def _began_at(found: Contents, child: Child) -> int | None:
    if child.event is not None:
        return child.event if child.event < len(found.events) else None
    started = (event for event in found.events if event.kind == "process" and child.pid is not None)
    return next((event.id for event in started if mapping(event.response).get("pid") == child.pid), None)


def gap(event: Event) -> str | None:
    """Why the event, or its outcome, wasn't stored; None if it was."""
    if event.kind == "gap":
        return str(mapping(event.request).get("reason", "unknown"))
    if event.error is not None and "gap" in mapping(event.error.value):
        return str(mapping(event.error.value)["gap"])
    return None


def damage_of(cassette: Cassette) -> CassetteDamaged | None:
    """Where a torn cassette ends, as an error."""
    return None if cassette.damage is None else _damaged(cassette.path, cassette.damage)


def _damaged(path: Path, damage: Damage) -> CassetteDamaged:
    events = f"{damage.good_events} event{'' if damage.good_events == 1 else 's'}"
    return CassetteDamaged(
        f"{path}: {damage.reason} at byte {damage.offset}; {events} before it can be read",
        offset=damage.offset,
        good_events=damage.good_events,
    )
