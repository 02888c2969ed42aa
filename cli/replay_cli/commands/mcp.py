"""`replay mcp`: an MCP server for coding assistants."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from replay.assistant.server import ROOM, Server, on_stdio
from replay.cassette.directory import default_directory
from replay.queries import labels
from replay.queries.answerable import rules
from replay.queries.library import Library
from replay_cli import exits, options


@click.command("mcp")
@click.argument("places", metavar="[DIR|CASSETTE]...", nargs=-1)
@click.option("--run", "may_run", is_flag=True, help="Also a tool that executes a recording again, in the sandbox.")
@click.option("--owners", metavar="F", type=click.Path(dir_okay=False, path_type=Path), help="As of `replay triage`.")
@click.option("--policy", metavar="F", help="Whose words may count: `trust` in this file, docs/check.md.")
@click.option(
    "--size", type=click.IntRange(min=4_000), default=ROOM, metavar="BYTES", help=f"Of an answer, at most. [{ROOM}]"
)
@options.reads
def command(places: tuple[str, ...], may_run: bool, owners: Path | None, policy: str | None, size: int) -> int:
    """An MCP server on stdin and stdout, with which a coding assistant investigates an incident.

    Its tools are the questions of docs/queries.md: list, triage, why, context, memory, effects, search, diff, … All are
    read-only, and answer in pages. Only the cassettes given and those in and below the directories given are shown (by
    default $REPLAY_DIR, or `.replay`). What was recorded is marked as such in every answer, since it may have been
    written by an attacker. docs/mcp.md says how assistants are told of it:

        \b
        claude mcp add replay -- replay mcp /srv/desk/.replay
    """
    roots = [options.named_file(place) for place in places] or [str(default_directory())]
    if not places:
        os.makedirs(roots[0], mode=0o700, exist_ok=True)
    library = Library(roots, may_run=may_run, trust=labels.of_file(policy), owners=rules(owners))
    if sys.stdin.isatty() and not options.current().quiet:
        click.echo("replay mcp: waiting for a client on stdin; assistants start it themselves (docs/mcp.md)", err=True)
    on_stdio(Server(library, room=size))
    return exits.SAME
