"""`replay tree`: recordings and their forks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from replay.cassette.cassette import load
from replay.cassette.directory import cassettes, default_directory, resolve
from replay.model.errors import ReplayError
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("tree")
@click.argument("place", required=False, metavar="[DIRECTORY|CASSETTE]", callback=options.named)
@options.reads
def command(place: str | None) -> int:
    """Recordings and their forks.

    Those in DIRECTORY; without it in $REPLAY_DIR, or `.replay`; of a CASSETTE those of its directory that belong to it.
    A fork stands below the recording that it was made of, with the event it began at and what was changed there.
    """
    directory, one = _place(place)
    nodes, problems = _nodes(cassettes(directory))
    known = {node["id"] for node in nodes}
    roots = [node for node in nodes if node["fork"] is None or node["fork"]["parent"] not in known]
    if one is not None:
        roots = [root for root in roots if _holds(_tree(root, nodes), one)]
        problems = {path: problem for path, problem in problems.items() if Path(path).samefile(one)}
    if options.current().json:
        trees = [_tree(root, nodes) for root in roots]
        console.document({"directory": str(directory), "trees": trees, "unread": list(problems)})
        return exits.SAME
    for root in roots:
        _show(root, nodes, "", "")
    for problem in problems.values() if not options.current().quiet else ():
        click.echo(one_line(f"replay: {problem}"), err=True)
    if not roots and not problems and not options.current().quiet:
        click.echo(f"no cassettes in {directory}", err=True)
    return exits.SAME


def _place(named: str | None) -> tuple[Path, Path | None]:
    """The directory, and the cassette in it that was asked for."""
    if named is None:
        return default_directory(), None
    path = Path(named)
    if path.is_dir():
        return path, None
    path = resolve(named)
    return path.parent, path


def _holds(tree: dict[str, Any], path: Path) -> bool:
    return Path(tree["cassette"]).samefile(path) or any(_holds(fork, path) for fork in tree["forks"])


def _nodes(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], dict[str, ReplayError]]:
    """What each recording is, and by their paths why others can't be read."""
    nodes: list[dict[str, Any]] = []
    problems: dict[str, ReplayError] = {}
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
        except ReplayError as error:
            problems[str(path)] = error
    return nodes, problems


def _below(node: dict[str, Any], nodes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in nodes if each["fork"] is not None and each["fork"]["parent"] == node["id"]]


def _tree(node: dict[str, Any], nodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {**node, "forks": [_tree(each, nodes) for each in _below(node, nodes)]}


def _show(node: dict[str, Any], nodes: Sequence[dict[str, Any]], first: str, rest: str) -> None:
    fork = node["fork"]
    how = plural(node["events"], "event")
    ended = "" if node["exit_code"] is None else f", exit code {node['exit_code']}"
    how += ended if node["finished"] else ", unfinished"
    words = [] if fork is None else [*([] if fork["at"] is None else [f"at {fork['at']}"]), *fork["edits"]]
    since = f"  {', '.join(words)}" if words else ""
    orphan = "" if fork is None or first else "  (its parent isn't here)"
    console.tell(one_line(f"{first}{Path(node['cassette']).name}{since}  {how}{orphan}"))
    below = _below(node, nodes)
    for each in below:
        last = each is below[-1]
        _show(each, nodes, f"{rest}{'└─ ' if last else '├─ '}", f"{rest}{'   ' if last else '│  '}")
