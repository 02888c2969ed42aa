"""A whole cassette on a terminal: what it is, the path, and what it did not see."""

from __future__ import annotations

import os

from rich.console import Console
from rich.text import Text

from replay import semantics
from replay.queries import facts
from replay.queries.contents import Contents
from replay.queries.words import mcp
from replay.queries.words.describe import money
from replay.semantics import Prices
from replay_cli.render.lines import say
from replay_cli.render.text import one_line, plural
from replay_cli.render.timeline import timeline


def print_path(console: Console, found: Contents, prices: Prices | None = None, *, verbose: bool) -> None:
    """Heading, timeline, gaps and blind spots; an unfinished recording says so first and last."""
    say(console, Text(one_line(facts.program(found.header)), style="bold"))
    say(console, Text(one_line(facts.summary(found)), style="dim"))
    unfinished = facts.unfinished(found)
    if unfinished:
        say(console, Text(unfinished, style="bold red"))
    console.print()
    timeline(console, found.events, prices, verbose=verbose)
    _cost(console, found, prices or {})
    _children(console, found)
    _findings(console, found)
    _losses(console, found)
    if unfinished:
        console.print()
        say(console, Text(f"… {unfinished}", style="bold red"))


def _cost(console: Console, found: Contents, prices: Prices) -> None:
    if prices:
        costs = [semantics.cost(call, prices) for _, call in semantics.readings(found.events) if call is not None]
        paid = [amount for amount in costs if amount is not None]
        without = f"; {plural(len(costs) - len(paid), 'call')} without a price" if len(paid) < len(costs) else ""
        console.print()
        say(console, Text(f"cost {money(sum(paid))} for {plural(len(paid), 'call')}{without}"))


def _children(console: Console, found: Contents) -> None:
    if found.children:
        console.print()
        say(console, Text("child processes: each has a recording of its own", style="bold"))
        for child in found.children:
            where = os.path.relpath(child.path, found.path.parent)
            say(console, Text(one_line(f"  {where}  {child.how}  {facts.program(child.header)}")))


def _findings(console: Console, found: Contents) -> None:
    if found.tool_changes:
        console.print()
        say(console, Text("findings", style="bold yellow"))
        for change in found.tool_changes:
            say(console, Text(one_line(f"  {mcp.change(change)}")))


def _losses(console: Console, found: Contents) -> None:
    if found.gaps:
        console.print()
        say(console, Text("gaps: seen, but not stored", style="bold red"))
        for gap in found.gaps:
            say(console, Text(one_line(f"  event {gap.event} {gap.name}: {gap.reason}")))
    if found.blind_spots:
        console.print()
        say(console, Text("blind spots: what no seam saw", style="bold yellow"))
        for spot in found.blind_spots:
            times = f" ×{spot.count}" if spot.count > 1 else ""
            site = f"  at {spot.site}" if spot.site else ""
            say(console, Text(one_line(f"  {spot.what}: {spot.detail}{times}{site}")))
