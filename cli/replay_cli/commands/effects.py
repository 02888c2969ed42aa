"""`replay effects`: writes to the world, with what decided each and what it set off."""

from __future__ import annotations

import click

from replay.forensics.effects import effects
from replay.queries import contents, documents
from replay.queries.related import related
from replay_cli import console, exits, options


@click.command("effects")
@click.argument("cassette", callback=options.named)
@options.reads
def command(cassette: str) -> int:
    """Writes to the world, in order, with what decided each and what it set off.

    Tools that write, requests other than GET that are no call of a model, SQL that changes data, memories, files,
    processes and messages. Each was decided by a call of a model (by the id of the tool call, by the same arguments, by
    name; `values` is inferred: all that a tool call has is in it), or by the program's own code. Whether it can be
    undone is what `@replay.tool(reversible=...)` says. What it set off are the recordings, in the same directory and
    below, of processes that it started and of what it called.
    """
    with contents.open_(cassette) as opened:
        damage = contents.damage_of(opened)
        found = effects(opened.events.light(), opened.events.__getitem__)
        caused = related(opened, found.asked, found.started)
        spots, path = len(opened.blind_spots), str(opened.path)
    from replay_cli.render import effects as render

    if options.current().json:
        console.document(documents.effects(path, found, caused, spots))
    else:
        render.show(console.results(), found, caused, spots, verbose=options.current().verbose)
    if damage is not None:
        raise damage
    return exits.SAME
