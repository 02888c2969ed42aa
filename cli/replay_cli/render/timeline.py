"""The action path as a table: event, time, lane (when there are several), kind, and what happened, by which agent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console

from replay import semantics
from replay.model.event import Event
from replay.model.inside import depth
from replay.queries.words.describe import DRAWN, LOOKS, Line, describe, folded, missing
from replay.semantics import Prices
from replay_cli.render.rows import Cell, Said, clipped, print_rows
from replay_cli.render.text import one_line

# What comes in runs and says little: looks at files, questions to a process whether it has ended, waiting for data.
_QUIET = {
    "file": frozenset(LOOKS),
    "process": frozenset(("poll", "wait")),
    "connection": frozenset(
        ("select", "poll", "getsockname", "getpeername", "getsockopt", "shutdown", "gethostbyaddr")
    ),
}
_TONES = {"plain": "", "soft": "dim", "write": "bold yellow", "bad": "bold red"}
_KINDS = {"llm": "bold cyan", "tool": "bold green", "memory": "bold magenta", "gap": "bold red", "output": "bold"}
_LANE = 12
_WIDEST = 4000  # characters of one line, with --verbose


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the path: a single event, or a run of quiet ones."""

    first: Event
    last: Event
    kind: str
    lines: list[Line]


def rows(events: Sequence[Event], prices: Prices | None = None, *, collapse: bool = True) -> Iterator[Row]:
    """The rows of the path; with `collapse`, neighbouring quiet events of one lane and kind share a row."""
    run: list[Event] = []
    for event, call in semantics.readings(events):
        quiet = collapse and _quiet(event)
        if run and not (quiet and _kept_with(event, run[0])):
            yield Row(run[0], run[-1], run[0].kind, [folded(run)])
            run = []
        if quiet:
            run.append(event)
            continue
        yield Row(event, event, event.kind if call is None else "llm", describe(event, call, prices))
    if run:
        yield Row(run[0], run[-1], run[0].kind, [folded(run)])


def _kept_with(event: Event, other: Event) -> bool:
    return (event.kind, event.lane, _agent(event)) == (other.kind, other.lane, _agent(other))


def _agent(event: Event) -> str:
    return str(event.meta.get("agent") or "")


def _quiet(event: Event) -> bool:
    if event.status != "done":
        return missing(event)
    if event.kind in DRAWN or event.kind == "order":
        return True
    return event.name.rpartition(" ")[2] in _QUIET.get(event.kind, ())


def timeline(console: Console, events: Sequence[Event], prices: Prices | None = None, *, verbose: bool = False) -> None:
    """Prints the path. Without `verbose` each line is cut at the terminal's edge."""
    lanes = len({event.lane for event in events}) > 1
    head = ["event", "seconds", *(["lane"] if lanes else []), "kind", "what"]

    def cells(row: Row) -> list[Cell]:
        number = str(row.first.id) if row.first is row.last else f"{row.first.id}-{row.last.id}"
        found: list[Cell] = [(number, ""), (f"{row.first.at / 1e6:.3f}", "dim")]
        if lanes:
            found.append((clipped(one_line(row.first.lane), _LANE), "dim"))
        return [*found, (one_line(row.kind), _KINDS.get(row.kind, ""))]

    shown = rows(events, prices, collapse=not verbose)
    print_rows(console, head, ((cells(row), said(row, verbose=verbose)) for row in shown), fold=verbose)


def said(row: Row, *, verbose: bool) -> Said:
    """What a row says, in lines of pieces. What happened inside a tool is indented below it."""
    margin = "  " * depth(row.first.lane)
    lines: Said = []
    for number, line in enumerate(row.lines):
        text = one_line(line.text, _WIDEST if verbose else 400)
        lines.append([(f"  {margin}" if number else margin, ""), (text, _TONES[line.tone])])
    if _agent(row.first):
        lines[0].insert(1, (f"{one_line(_agent(row.first))}: ", "dim magenta"))
    if verbose and row.first.site is not None:
        lines.append([(f"  {margin}at {one_line(str(row.first.site))}", "dim")])
    return lines
