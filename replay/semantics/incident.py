"""An incident: the recordings of one trace, from several processes and agents, as one course of events.

Who called whom is told by the trace context (`traceparent`): a session names the request that called it, and that
request is an event of another recording. Clocks of machines differ: a session that would begin before it was called
begins when it was called.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from replay.model.event import Event


@dataclass(frozen=True, slots=True)
class Recording:
    """One of them: its header, and its events in order."""

    header: Mapping[str, Any]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Handoff:
    """A request by which one recording called another: positions of both, and the event that asked."""

    caller: int
    event: int
    called: int


@dataclass(frozen=True, slots=True)
class Incident:
    """Attributes:
    begins: for each recording, microseconds since the first one began.
    handoffs: in the order in which they were made.
    """

    begins: list[int]
    handoffs: list[Handoff]


def incident(recordings: Sequence[Recording]) -> Incident:
    """How they hang together."""
    asked = {span: (number, event) for number, each in enumerate(recordings) for span, event in _asked(each.events)}
    created = [_microseconds(each.header) for each in recordings]
    known = {str(each.header.get("id")): number for number, each in enumerate(recordings)}
    callers = [
        asked.get(str(_trace(each.header).get("parent"))) or _parent(each, recordings, known) for each in recordings
    ]
    begins: dict[int, int] = {}

    def begin(number: int, below: frozenset[int]) -> int:
        if number not in begins:
            caller = callers[number]
            called = 0
            if caller is not None and caller[0] not in below:
                called = begin(caller[0], below | {number}) + caller[1].at
            begins[number] = max(created[number], called)
        return begins[number]

    for number in range(len(recordings)):
        begin(number, frozenset((number,)))
    first = min(begins.values(), default=0)
    found = [begins[number] - first for number in range(len(recordings))]
    handoffs = [Handoff(caller[0], caller[1].id, number) for number, caller in enumerate(callers) if caller is not None]
    return Incident(found, sorted(handoffs, key=lambda each: (found[each.called], each.called)))


def merged(recordings: Sequence[Recording], begins: Sequence[int]) -> Iterator[tuple[int, int, Event]]:
    """Their events in order of time: (microseconds since the beginning, position of the recording, event)."""

    def course(number: int) -> Iterator[tuple[int, int, int, Event]]:
        at = 0
        for event in recordings[number].events:
            at = max(at, begins[number] + event.at)  # within a recording the order is the recorded one
            yield at, number, event.id, event

    for at, number, _, event in heapq.merge(*map(course, range(len(recordings))), key=lambda each: each[:3]):
        yield at, number, event


def _parent(each: Recording, recordings: Sequence[Recording], known: Mapping[str, int]) -> tuple[int, Event] | None:
    """The process that started this one, and the event by which it did."""
    link: Any = each.header.get("parent")
    if not isinstance(link, Mapping):
        return None
    said = cast("Mapping[str, Any]", link)
    number, event = known.get(str(said.get("cassette"))), said.get("event")
    if number is None or not isinstance(event, int) or not 0 <= event < len(recordings[number].events):
        return None
    return number, recordings[number].events[event]


def _asked(events: Sequence[Event]) -> Iterator[tuple[str, Event]]:
    for event in events:
        if event.kind in ("http", "process"):
            found = span(event.request)
            if found is not None:
                yield found, event


def span(request: Any) -> str | None:
    """The span of the `traceparent` that a request or a child was given: what it called names it as its parent."""
    if not isinstance(request, Mapping):
        return None
    known = cast("Mapping[str, Any]", request)
    told: Any = known.get("traceparent")
    headers: Any = known.get("headers")
    if isinstance(headers, (list, tuple)):
        for pair in cast("Sequence[Any]", headers):
            if isinstance(pair, (list, tuple)) and len(cast("Sequence[Any]", pair)) == 2:
                name, value = cast("Sequence[Any]", pair)
                if str(name).lower() == "traceparent":
                    told = value
    parts = told.split("-") if isinstance(told, str) else []
    return parts[2] if len(parts) > 3 else None


def _trace(header: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = header.get("trace")
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _microseconds(header: Mapping[str, Any]) -> int:
    try:
        return int(datetime.fromisoformat(str(header.get("created"))).timestamp() * 1e6)
    except ValueError:
        return 0
