"""`replay ls`: the cassettes of a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from replay.cassette.cassette import load
from replay.cassette.directory import cassettes, default_directory
from replay.model.errors import CassetteMissing, ReplayError
from replay_cli import console, contents, exits, options
from replay_cli.render import facts


@click.command("ls")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@options.reads
def command(directory: Path | None) -> int:
    """Cassettes: when, program, outcome, events, blind spots.

    Those in DIRECTORY, oldest first; without it in $REPLAY_DIR, or `.replay`. The child processes of a recorded one are
    listed below it. A file that can't be read is listed with the reason.
    """
    where = directory or default_directory()
    if directory is not None and not directory.exists():
        raise CassetteMissing(f"no such directory: {directory}")
    rows = [_row(path) for path in ([where] if where.is_file() else cassettes(where))]
    if options.current().json:
        console.document({"directory": str(where), "cassettes": rows})
    elif rows:
        from replay_cli.render.listing import listing

        console.results().print(listing(rows))
    elif not options.current().quiet:
        click.echo(f"no cassettes in {where}", err=True)
    return exits.SAME


def _row(path: Path) -> dict[str, Any]:
    try:
        with load(path) as cassette:
            found = contents.read(cassette)
            row = facts.row(found)
            below = [_row(child.path) for child in found.children]
            return {**row, "children": below} if below else row
    except ReplayError as error:
        return {"path": str(path), "problem": str(error)}
