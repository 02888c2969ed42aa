"""An incident on a terminal and as JSON: several recordings, one timeline."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from replay import semantics
from replay.queries import facts, plain
from replay.queries.contents import Contents
from replay.semantics.incident import Incident, Recording, incident, merged
from replay_cli.render.lines import say
from replay_cli.render.rows import Cell, Said, print_rows
from replay_cli.render.text import one_line, plural
from replay_cli.render.timeline import Row, rows, said


def document(trace: str, found: Sequence[Contents], prices: semantics.Prices) -> dict[str, Any]:
    """As `show --incident --json` prints it: events have the cassette they are from, and times of the incident."""
    recordings, how = _related(found)
    calls = {
        (number, event.id): call for number, each in enumerate(found) for event, call in semantics.readings(each.events)
    }
    callers = {each.called: {"cassette": each.caller, "event": each.event} for each in how.handoffs}
    events: list[dict[str, Any]] = []
    for at, number, event in merged(recordings, how.begins):
        shown = plain.event(event, calls.get((number, event.id)), prices)
        events.append({"cassette": number, **shown, "at": at / 1e6})
    return {
        "trace": trace,
        "cassettes": [
            {
                "path": str(each.path), "id": str(each.header.get("id", "")), "name": each.header.get("name"),
                "status": each.status, "begins": how.begins[number] / 1e6, "called_by": callers.get(number),
                "blind_spots": [plain.blind_spot(spot) for spot in each.blind_spots],
                "gaps": [{"id": gap.event, "name": gap.name, "reason": gap.reason} for gap in each.gaps],
            }
            for number, each in enumerate(found)
        ],
        "handoffs": [
            {"from": {"cassette": each.caller, "event": each.event}, "to": {"cassette": each.called, "event": 0}}
            for each in how.handoffs
        ],
        "events": events,
    }  # fmt: skip


def show(console: Console, trace: str, found: Sequence[Contents], prices: semantics.Prices, *, verbose: bool) -> None:
    """The recordings, numbered, and what happened in them in order of time."""
    _, how = _related(found)
    say(console, Text(f"trace {trace}: {plural(len(found), 'recording')}", style="bold"))
    near = Path(os.path.commonpath([each.path.parent for each in found]))
    for number, each in enumerate(found):
        said = f"  [{number}] {_name(each)}  {each.path.relative_to(near)}  {facts.summary(each)}"
        say(console, Text(one_line(said), style="dim"))
    console.print()
    print_rows(
        console, ("seconds", "in", "event", "kind", "what"), _told(found, how, prices, verbose=verbose), fold=verbose
    )
    losses = [(number, each) for number, each in enumerate(found) if each.gaps or each.blind_spots]
    if losses:
        console.print()
        for number, each in losses:
            told = f"  [{number}] {plural(len(each.gaps), 'gap')}, {plural(len(each.blind_spots), 'blind spot')}"
            say(console, Text(f"{told}: replay show {each.path.relative_to(near)}", style="yellow"))


def _told(
    found: Sequence[Contents], how: Incident, prices: semantics.Prices, *, verbose: bool
) -> Iterator[tuple[list[Cell], Said]]:
    def course(number: int) -> Iterator[tuple[int, int, int, Row]]:
        at = 0
        for row in rows(found[number].events, prices, collapse=not verbose):
            at = max(at, how.begins[number] + row.first.at)
            yield at, number, row.first.id, row

    called = {(each.caller, each.event): each.called for each in how.handoffs}
    for at, number, _, row in heapq.merge(*map(course, range(len(found))), key=lambda each: each[:3]):
        what = said(row, verbose=verbose)
        other = called.get((number, row.first.id))
        if other is not None:
            what.append([(f"  hands over to [{other}] {one_line(_name(found[other]))}", "bold magenta")])
        event = str(row.first.id) if row.first is row.last else f"{row.first.id}-{row.last.id}"
        yield [(f"{at / 1e6:.3f}", "dim"), (f"[{number}]", ""), (event, ""), (one_line(row.kind), "")], what


def _related(found: Sequence[Contents]) -> tuple[list[Recording], Incident]:
    recordings = [Recording(each.header, each.events) for each in found]
    return recordings, incident(recordings)


def _name(found: Contents) -> str:
    return str(found.header.get("name") or facts.program(found.header))
