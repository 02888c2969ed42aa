"""A cassette in a few words: which program, when, how it ended, how much of it there is."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from replay import semantics
from replay.cassette.named import Named
from replay.model.event import Event
from replay.model.visible import plural
from replay.queries.contents import Contents
from replay.queries.plain import value
from replay.queries.shapes import is_sequence, mapping


@dataclass(frozen=True, slots=True)
class Tally:
    """What a recording consists of.

    `tokens` is None when no provider said. `tools` counts the calls of each tool; of tools that the program didn't
    declare, the calls that models asked for.
    """

    llm: int
    tokens: int | None
    tools: Mapping[str, int]
    writes: int


def tally(events: Sequence[Event]) -> Tally:
    """Counts over all events; reads every one."""
    llm = writes = 0
    tokens: int | None = None
    tools: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for event, call in semantics.readings(events):
        if call is not None:
            llm += 1
            asked.update(each.name for each in call.tool_calls)
            used = [count for count in (call.usage.input, call.usage.output) if count is not None]
            if used:
                tokens = (tokens or 0) + sum(used)
        elif event.kind == "tool":
            tools[event.name] += 1
        if call is None and event.effect == "write":
            writes += 1
    tools.update({name: count for name, count in asked.items() if name not in tools})
    return Tally(llm, tokens, tools, writes)


def program(header: Mapping[str, Any]) -> str:
    """The command line that was recorded, as a shell would take it."""
    argv = header.get("argv")
    if is_sequence(argv) and argv:
        return shlex.join(str(word) for word in argv)
    name = header.get("name") or header.get("program")
    return str(name) if name else "(program unknown)"


def local(created: str) -> str:
    """When it was recorded, in local time; as written where that can't be read."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return created


def outcome(found: Contents) -> str:
    """How the program ended: `exit 0`, `raised ValueError`, `unfinished`, `damaged`."""
    if found.outcome is None:
        return "damaged" if found.damage is not None else "unfinished"
    raised = found.outcome.get("exception")
    if raised is not None:
        return f"raised {_type_name(raised).rpartition('.')[2]}"
    code = found.outcome.get("exit_code")
    return "ended" if code is None else f"exit {code}"


def _type_name(raised: Any) -> str:
    if isinstance(raised, Named):
        return raised.type_name
    shown = mapping(raised).get("type", raised)
    return str(shown).partition(":")[0]


def summary(found: Contents) -> str:
    """Status, size, time and outcome on one line."""
    parts = [
        found.status,
        plural(len(found.events), "event"),
        _duration(found),
        outcome(found),
        local(str(found.header.get("created", ""))),
    ]
    return " · ".join(part for part in parts if part)


def _duration(found: Contents) -> str:
    took = mapping(found.outcome).get("took")
    if not isinstance(took, int):
        took = max((event.at + (event.took or 0) for event in found.events), default=0)
    return f"{took / 1e6:.3f} s"


def unfinished(found: Contents) -> str:
    """Why this recording isn't whole, in a sentence or two; empty when it is."""
    return " ".join(filter(None, (_beginning(mapping(found.header.get("ring"))), _end(found))))


def _beginning(ring: Mapping[Any, Any]) -> str:
    """Of a flight recorder."""
    if not ring:
        return ""
    said = f"FLIGHT RECORDER, saved because: {ring.get('reason')}."
    if ring.get("whole"):
        return f"{said} It has everything from the beginning."
    return f"{said} The {ring.get('dropped')} events before these are gone: it can be read, but not executed again."


def _end(found: Contents) -> str:
    if found.damage is not None:
        return "DAMAGED: this is what can be read before the damage."
    if found.stopped is not None:
        return f"STOPPED: {found.stopped}; its program went on."
    if found.outcome is None:
        return "UNFINISHED: the recording ends here; its program was killed, or still runs."
    return ""


def row(found: Contents) -> dict[str, Any]:
    """One cassette as `ls --json` lists it."""
    counted = tally(found.events)
    shown: dict[str, Any] = {
        "path": str(found.path),
        "id": str(found.header.get("id", "")),
        "name": found.header.get("name"),
        "created": str(found.header.get("created", "")),
        "program": program(found.header),
        "tags": value(found.header.get("tags") or {}),
        "status": found.status,
        "outcome": outcome(found),
        "events": len(found.events),
        "llm": counted.llm,
        "tokens": counted.tokens,
        "tools": dict(counted.tools),
        "writes": counted.writes,
        "blind_spots": len(found.blind_spots),
        "gaps": len(found.gaps),
    }
    if found.damage is not None:
        shown["problem"] = str(found.damage)
    return shown
