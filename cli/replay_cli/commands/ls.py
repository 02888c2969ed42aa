"""`replay ls`: the cassettes of a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from replay.cassette.cassette import load
from replay.cassette.directory import SUFFIX, cassettes, default_directory
from replay.cassette.remote import listed, url_of
from replay.model.errors import CassetteMissing, ReplayError
from replay_cli import console, contents, exits, options
from replay_cli.render import facts


@click.command("ls")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@options.reads
def command(directory: Path | None) -> int:
    """Cassettes: when, program, outcome, events, blind spots.

    Those in DIRECTORY, oldest first; without it in $REPLAY_DIR, or `.replay`. DIRECTORY may be a URL (s3://…): then
    only what stands at both ends of each cassette is read, and calls aren't counted. The child processes of a
    recorded one are listed below it. A file that can't be read is listed with the reason.
    """
    where = directory or default_directory()
    url = None if where.exists() else url_of(where)
    if url is not None:
        rows = [_glance(each) for each in ([url] if url.endswith(SUFFIX) else listed(url))]
    elif directory is not None and not directory.exists():
        raise CassetteMissing(f"no such directory: {directory}")
    else:
        rows = [_row(path) for path in ([where] if where.is_file() else cassettes(where))]
    if options.current().json:
        console.document({"directory": url or str(where), "cassettes": rows})
    elif rows:
        from replay_cli.render.listing import listing

        console.results().print(listing(rows))
    elif not options.current().quiet:
        click.echo(f"no cassettes in {where}", err=True)
    return exits.SAME


def _glance(url: str) -> dict[str, Any]:
    """What both ends of a cassette say: what is in the middle stays where it is."""
    try:
        with load(url) as cassette:
            found = contents.Contents(cassette.path, cassette.header, cassette.status)
            found.outcome, found.blind_spots = cassette.outcome, cassette.blind_spots
            row = {**facts.row(found), "path": url, "events": len(cassette.events), "gaps": len(cassette.reader.gaps)}
            return {**row, **dict.fromkeys(("llm", "tokens", "tools", "writes"))}
    except ReplayError as error:
        return {"path": url, "problem": str(error)}


def _row(path: Path) -> dict[str, Any]:
    try:
        with load(path) as cassette:
            found = contents.read(cassette)
            row = facts.row(found)
            below = [_row(child.path) for child in found.children]
            return {**row, "children": below} if below else row
    except ReplayError as error:
        return {"path": str(path), "problem": str(error)}
