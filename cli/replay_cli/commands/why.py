"""`replay why`: what accounts for a decision or a call, ranked, with the evidence."""

from __future__ import annotations

import click

from replay.forensics.why import why
from replay.model.errors import UsageError
from replay_cli import console, contents, exits, options


@click.command("why")
@click.argument("cassette", callback=options.named)
@click.argument("event", type=click.IntRange(min=0))
@options.reads
def command(cassette: str, event: int) -> int:
    """What accounts for a decision or a call, ranked, with the evidence.

    EVENT is an answer of a model, a call of a tool, or anything that happened inside one. Each cause is a text that the
    model had before it, with the event it came from. Links are told apart: recorded (it was in the window; this answer
    asked for the call) and inferred (a span tells somebody to do this; a value of the call stands in it). No cause is
    confirmed: for that, the run would have to be repeated without it.
    """
    with contents.open_(cassette) as opened:
        if event >= len(opened.events):
            raise UsageError(f"no event {event} in {opened.path}; there are {len(opened.events)}")
        found = why(opened.events, event)
    if options.current().json:
        console.document(found.to_json())
    else:
        from replay_cli.render.reasons import print_why

        print_why(console.results(), found, verbose=options.current().verbose)
    return exits.SAME
