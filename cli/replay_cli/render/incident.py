"""An incident on a terminal and as JSON: several recordings, one timeline."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from replay import semantics
from replay.semantics.incident import Incident, Recording, incident, merged
from replay_cli.contents import Contents
from replay_cli.render import facts, plain
from replay_cli.render.text import one_line, plural
from replay_cli.render.timeline import Row, cell, rows


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
    console.print(Text(f"trace {trace}: {plural(len(found), 'recording')}", style="bold"))
    near = Path(os.path.commonpath([each.path.parent for each in found]))
    for number, each in enumerate(found):
        said = f"  [{number}] {_name(each)}  {each.path.relative_to(near)}  {facts.summary(each)}"
        console.print(Text(one_line(said), style="dim"))
    console.print()
    console.print(_table(found, how, prices, verbose=verbose))
    losses = [(number, each) for number, each in enumerate(found) if each.gaps or each.blind_spots]
    if losses:
        console.print()
        for number, each in losses:
            told = f"  [{number}] {plural(len(each.gaps), 'gap')}, {plural(len(each.blind_spots), 'blind spot')}"
            console.print(Text(f"{told}: replay show {each.path.relative_to(near)}", style="yellow"))


def _table(found: Sequence[Contents], how: Incident, prices: semantics.Prices, *, verbose: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=True, header_style="dim", expand=True, pad_edge=False)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("in", no_wrap=True)
    table.add_column("event", justify="right", no_wrap=True, min_width=5)
    table.add_column("kind", no_wrap=True)
    table.add_column("what", ratio=1, no_wrap=not verbose, overflow="fold" if verbose else "ellipsis")

    def course(number: int) -> Iterator[tuple[int, int, int, Row]]:
        at = 0
        for row in rows(found[number].events, prices, collapse=not verbose):
            at = max(at, how.begins[number] + row.first.at)
            yield at, number, row.first.id, row

    called = {(each.caller, each.event): each.called for each in how.handoffs}
    for at, number, _, row in heapq.merge(*map(course, range(len(found))), key=lambda each: each[:3]):
        what = cell(row, verbose=verbose)
        other = called.get((number, row.first.id))
        if other is not None:
            what.append(f"\n  hands over to [{other}] {one_line(_name(found[other]))}", style="bold magenta")
        event = str(row.first.id) if row.first is row.last else f"{row.first.id}-{row.last.id}"
        table.add_row(Text(f"{at / 1e6:.3f}", style="dim"), Text(f"[{number}]"), Text(event), Text(row.kind), what)
    return table


def _related(found: Sequence[Contents]) -> tuple[list[Recording], Incident]:
    recordings = [Recording(each.header, each.events) for each in found]
    return recordings, incident(recordings)


def _name(found: Contents) -> str:
    return str(found.header.get("name") or facts.program(found.header))
