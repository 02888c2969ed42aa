"""`replay tree`: recordings and their forks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from replay.cassette.cassette import load
from replay.cassette.directory import cassettes, default_directory
from replay.model.errors import CassetteMissing, ReplayError
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("tree")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@options.reads
def command(directory: Path | None) -> int:
    """Recordings and their forks.

    Those in DIRECTORY; without it in $REPLAY_DIR, or `.replay`. A fork stands below the recording that it was made of,
    with the event it began at and what was changed there.
    """
    place = directory or default_directory()
    if directory is not None and not directory.exists():
        raise CassetteMissing(f"no such directory: {directory}")
    nodes, unread = _nodes(cassettes(place))
    known = {node["id"] for node in nodes}
    roots = [node for node in nodes if node["fork"] is None or node["fork"]["parent"] not in known]
    if options.current().json:
        console.document({"directory": str(place), "trees": [_tree(root, nodes) for root in roots], "unread": unread})
        return exits.SAME
    for root in roots:
        _show(root, nodes, "", "")
    for path in unread if not options.current().quiet else ():
        click.echo(one_line(f"replay: {path} can't be read"), err=True)
    if not roots and not options.current().quiet:
        click.echo(f"no cassettes in {place}", err=True)
    return exits.SAME


def _nodes(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], list[str]]:
    nodes: list[dict[str, Any]] = []
    unread: list[str] = []
    for path in paths:
        try:
            with load(path) as cassette:
                outcome = cassette.outcome
                nodes.append(
                    {
                        "cassette": str(path),
                        "id": cassette.header["id"],
                        "events": len(cassette.events),
                        "exit_code": None if outcome is None else outcome.get("exit_code"),
                        "finished": outcome is not None,
                        "fork": cassette.header.get("fork"),
                    }
                )
        except ReplayError:
            unread.append(str(path))
    return nodes, unread


def _below(node: dict[str, Any], nodes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in nodes if each["fork"] is not None and each["fork"]["parent"] == node["id"]]


def _tree(node: dict[str, Any], nodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {**node, "forks": [_tree(each, nodes) for each in _below(node, nodes)]}


def _show(node: dict[str, Any], nodes: Sequence[dict[str, Any]], first: str, rest: str) -> None:
    fork = node["fork"]
    how = plural(node["events"], "event")
    how += f", exit code {node['exit_code']}" if node["finished"] else ", unfinished"
    since = "" if fork is None else f"  at {fork['at']}{''.join(f', {edit}' for edit in fork['edits'])}"
    orphan = "" if fork is None or first else "  (its parent isn't here)"
    click.echo(one_line(f"{first}{Path(node['cassette']).name}{since}  {how}{orphan}"))
    below = _below(node, nodes)
    for each in below:
        last = each is below[-1]
        _show(each, nodes, f"{rest}{'└─ ' if last else '├─ '}", f"{rest}{'   ' if last else '│  '}")
