"""`replay show`: the action path as a timeline; one event whole."""

from __future__ import annotations

import click

from replay import semantics
from replay.cassette.cassette import Cassette
from replay.model.errors import UsageError
from replay_cli import console, contents, exits, options
from replay_cli.render import plain


@click.command("show")
@click.argument("cassette", callback=options.named)
@click.argument("event", type=click.IntRange(min=0), required=False)
@options.common
def command(cassette: str, event: int | None) -> int:
    """The action path as a timeline; one event whole.

    CASSETTE is a path, the beginning of a name or id in the cassette directory, or `latest`. With EVENT, that event
    alone is shown, with everything that was recorded of it. --verbose shows every draw, every call site, and long
    lines whole.
    """
    with contents.open_(cassette) as opened:
        return _path(opened) if event is None else _event(opened, event)


def _path(cassette: Cassette) -> int:
    found = contents.read(cassette)
    if options.current().json:
        console.document(plain.cassette(found))
    else:
        from replay_cli.render.path import print_path

        print_path(console.results(), found, verbose=options.current().verbose)
    if found.damage is not None:
        raise found.damage
    return exits.SAME


def _event(cassette: Cassette, number: int) -> int:
    if number >= len(cassette.events):
        last = f"the last is {len(cassette.events) - 1}" if cassette.events else "it has none"
        raise UsageError(f"no event {number} in {cassette.path}; {last}")
    event = cassette.events[number]
    if event.kind == "mcp":
        event = contents.read(cassette).events[number]  # its answer is part of another one
    call = semantics.read(event)
    if options.current().json:
        console.document(plain.event(event, call))
    else:
        from replay_cli.render.whole import print_event

        print_event(console.results(), event, call)
    return exits.SAME
