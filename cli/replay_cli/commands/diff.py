"""`replay diff`: what differs between two recordings, and which of it is a cause."""

from __future__ import annotations

import click

from replay.diff.compare import diff
from replay.queries import contents
from replay_cli import console, exits, options


@click.command("diff")
@click.argument("a", callback=options.named)
@click.argument("b", callback=options.named)
@options.reads
def command(a: str, b: str) -> int:
    """What differs between two recordings, and which of it is a cause.

    Name the good run first. Steps are aligned lane by lane; a difference is a cause when nothing before it explains it:
    an *input* (which seam), *config* (model, parameters, tools, prompt), *code*, or the *order* in which answers came.
    Everything else is only counted. Times, ids and random numbers differ in any two runs and are no difference.

    Exits with 0 when nothing differs, with 1 when something does, with 125 when one can't be read.
    """
    with contents.open_(a) as one, contents.open_(b) as other:
        found = diff(one, other)
        damage = contents.damage_of(one) or contents.damage_of(other)
        if options.current().json:
            console.document(found.to_json())
        else:
            from replay_cli.render.differences import print_diff

            print_diff(console.results(), found, verbose=options.current().verbose)
    if damage is not None:
        raise damage
    return exits.SAME if found.identical else exits.DIFFERENT
