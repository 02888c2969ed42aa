"""`replay ls`: the cassettes of a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from replay import expect
from replay.cassette.cassette import load
from replay.cassette.directory import SUFFIX, cassettes, default_directory
from replay.cassette.remote import listed
from replay.cassette.urls import url_of
from replay.model.errors import CassetteMissing, ReplayError
from replay.queries import contents, facts
from replay_cli import console, exits, options
from replay_cli.render.text import one_line

_WHOLE = 10_000
"""Columns: programs cut the lines, not this one."""


@click.command("ls")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--where", metavar="EXPR", help="Only those of which this holds (docs/expressions.md).")
@options.reads
def command(directory: Path | None, where: str | None) -> int:
    """Cassettes: when, program, outcome, events, blind spots.

    Those in DIRECTORY, oldest first; without it in $REPLAY_DIR, or `.replay`. DIRECTORY may be a URL (s3://…): then
    only what stands at both ends of each cassette is read, and calls aren't counted. The child processes of a
    recorded one are listed below it. A file that can't be read is listed with the reason.

        \b
        replay ls --where 'tool refund called at least 2 or raises'
        replay ls --where 'tags.env == "prod" and raises'
    """
    wanted = None if where is None else expect.parse(where)
    place = directory or default_directory()
    url = None if place.exists() else url_of(place)
    if url is not None:
        found: list[Any] = [url] if url.endswith(SUFFIX) else listed(url)
    elif directory is not None and not directory.exists():
        raise CassetteMissing(f"no such directory: {directory}")
    else:
        found = [place] if place.is_file() else cassettes(place)
    undecided: list[str] = []
    rows = [
        _row(each) if url is None else _glance(each)
        for each in found
        if wanted is None or _suits(each, wanted, undecided)
    ]
    if options.current().json:
        more = {} if wanted is None else {"undecided": undecided}
        console.document({"directory": url or str(place), "cassettes": rows, **more})
    elif rows:
        from replay_cli.render.listing import listing

        out = console.results(unknown=_WHOLE)
        out.print(listing(rows, out.width))
    elif not options.current().quiet and not undecided:
        click.echo(f"no cassettes in {place}" + ("" if wanted is None else " of which that holds"), err=True)
    if undecided and not options.current().quiet:
        click.echo(f"replay: undecided, not listed: {', '.join(map(one_line, undecided))}", err=True)
    return exits.SAME


def _suits(cassette: Any, wanted: expect.Expression, undecided: list[str]) -> bool:
    """Whether it holds of that one; where nobody can tell, it is in `undecided`."""
    try:
        with load(cassette) as opened:
            holds = expect.judge(wanted, expect.recorded(opened)).holds
    except ReplayError:
        holds = None
    if holds is None:
        undecided.append(str(cassette))
    return holds is True


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
