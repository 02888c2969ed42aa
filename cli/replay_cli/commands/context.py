"""`replay context`: the model's window at a call."""

from __future__ import annotations

import click

from replay.forensics.context import context
from replay.queries import contents, plain
from replay_cli import console, exits, options


@click.command("context")
@click.argument("cassette", callback=options.named)
@click.argument("event", type=click.IntRange(min=0))
@click.option("--diff", is_flag=True, help="What changed in it since that agent's previous call.")
@options.reads
def command(cassette: str, event: int, diff: bool) -> int:
    """The model's window at a call, each message with where it came from; what changed in it since the last.

    System, tools and messages as the model got them, images as placeholders, the provider's token counts. A message
    came from the user, the result of a tool (of which event), a memory, an earlier answer of a model, or from the
    code: no recorded input has it. --diff: what entered, left, moved, was truncated or rewritten. --verbose shows
    messages whole.
    """
    with contents.open_(cassette) as opened:
        damage = contents.damage_of(opened)
        found = context(opened.events, event, [str(word) for word in opened.header.get("argv") or ()])
        path = str(opened.path)
    if options.current().json:
        console.document({"cassette": path, **plain.value(found.to_json(diff=diff))})
    else:
        from replay_cli.render.context import show

        show(console.results(), found, diff=diff, verbose=options.current().verbose)
    if damage is not None:
        raise damage
    return exits.SAME
