"""`replay memory`: what stores held, who wrote it, out of what, and which decision it reached."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from replay.cassette import directory
from replay.forensics.memory import Session, histories
from replay.model.errors import CassetteMissing, UsageError
from replay.queries import contents, documents
from replay.semantics.memory import stores
from replay_cli import console, exits, options


@click.command("memory")
@click.argument("cassettes", nargs=-1, required=True)
@click.option("--at", type=click.IntRange(min=0), metavar="EVENT", help="What each store held before that event.")
@click.option("--key", metavar="KEY", help="The whole history of one key: `KEY` or `STORE:KEY`.")
@options.reads
def command(cassettes: tuple[str, ...], at: int | None, key: str | None) -> int:
    """What stores held before and after, who wrote it, out of what, and which decision it reached.

    A directory means all recordings in it. Of several recordings the history goes on from one to the next, in order of
    time: a note that session 18 read may have been written by session 17. Who wrote what, and what decided it, is
    recorded; out of what a value came, and which model's call it reached, is told by its text. A value that was read
    and that nobody wrote who was recorded is marked.
    """
    names = _files(cassettes)
    if at is not None and len(names) > 1:
        raise click.UsageError("--at is an event of one recording; name one")
    with ExitStack() as stack:
        opened = [stack.enter_context(contents.open_(name)) for name in names]
        damage = next(filter(None, map(contents.damage_of, opened)), None)
        from replay_cli.render import memory as render

        if at is not None:
            if at > len(opened[0].events):
                raise UsageError(f"no event {at} in {opened[0].path}; it has {len(opened[0].events)}")
            held = stores(opened[0].events.light("memory", "file"), until=at)
            if options.current().json:
                console.document(documents.held(str(opened[0].path), at, held))
            else:
                render.show_held(console.results(), at, held)
        else:
            found = histories([Session(str(each.path), each.header, each.events) for each in opened])
            if options.current().json:
                console.document(documents.memory(found, key))
            else:
                render.show(console.results(), found, key, verbose=options.current().verbose)
    if damage is not None:
        raise damage
    return exits.SAME


def _files(names: Sequence[str]) -> list[str]:
    """The cassettes that are meant, each once."""
    found: list[str] = []
    for name in names:
        if not Path(name).is_dir():
            found.append(options.named_file(name))
        elif inside := directory.cassettes(name):
            found += map(str, inside)
        else:
            raise CassetteMissing(f"no cassettes in {name}")
    return list(dict.fromkeys(found))
