"""`replay show`: the action path as a timeline; one event whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from replay import semantics
from replay.cassette.cassette import Cassette
from replay.model.errors import UsageError
from replay.model.inside import caller
from replay.queries import contents, plain
from replay_cli import console, exits, options
from replay_cli.incidents import print_incident


@click.command("show")
@click.argument("cassette", callback=options.named, required=False)
@click.argument("event", type=click.IntRange(min=0), required=False)
@click.option(
    "--incident", metavar="TRACE", help="All cassettes of that trace, in one timeline; CASSETTE is a directory."
)
@click.option("--prices", metavar="FILE", help="What calls cost: JSON.")
@options.reads
def command(cassette: str | None, event: int | None, incident: str | None, prices: str | None) -> int:
    """The action path as a timeline; one event whole.

    CASSETTE is a path, the beginning of a name or id in the cassette directory, or `latest`. With EVENT, that event
    alone is shown, with everything that was recorded of it. --verbose shows every draw, every call site, and long
    lines whole.

    TRACE is a trace id, or the beginning of one: what all processes and agents that called one another recorded, read
    from the directory CASSETTE ($REPLAY_DIR by default).

    FILE has the prices of a million tokens: {"gpt-4o*": {"input": 2.5, "cached": 1.25, "output": 10}, ...}.
    """
    known: semantics.Prices = {} if prices is None else _prices(prices)
    if incident is not None:
        return print_incident(incident, cassette, known)
    if cassette is None:
        raise click.UsageError("Missing argument 'CASSETTE'.")
    with contents.open_(cassette) as opened:
        return _path(opened, known) if event is None else _event(opened, event, known)


def _prices(file: str) -> semantics.Prices:
    try:
        document: Any = json.loads(Path(file).read_bytes())
        return semantics.prices(document)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--prices {file}: {getattr(error, 'strerror', None) or error}") from None


def _path(cassette: Cassette, prices: semantics.Prices) -> int:
    found = contents.read(cassette)
    if options.current().json:
        console.document(plain.cassette(found, prices))
    else:
        from replay_cli.render.path import print_path

        print_path(console.results(), found, prices, verbose=options.current().verbose)
    if found.damage is not None:
        raise found.damage
    return exits.SAME


def _event(cassette: Cassette, number: int, prices: semantics.Prices) -> int:
    if number >= len(cassette.events):
        last = f"the last is {len(cassette.events) - 1}" if cassette.events else "it has none"
        raise UsageError(f"no event {number} in {cassette.path}; {last}")
    event = cassette.events[number]
    if event.kind == "mcp" or caller(event.lane) is not None:
        event = contents.read(cassette).events[number]  # its answer is part of another one; it is inside another one
    call = semantics.read(event)
    if options.current().json:
        console.document(plain.event(event, call, prices))
    else:
        from replay_cli.render.whole import print_event

        print_event(console.results(), event, call, prices)
    return exits.SAME
