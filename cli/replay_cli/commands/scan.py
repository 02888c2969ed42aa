"""`replay scan`: secrets that are still in recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from replay import options as settings
from replay.cassette.directory import SUFFIX, children_of, default_directory, resolve
from replay.cassette.redact.rules import Rules
from replay.cassette.redact.scanning import Leak, scan
from replay.model.errors import ReplayError
from replay_cli import console, exits, options
from replay_cli.render.text import one_line, plural


@click.command("scan")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--redact", metavar="F", help="A TOML file: what is a secret besides what looks like one.")
@options.reads
def command(paths: tuple[str, ...], redact: str | None) -> int:
    """Secrets that are still in recordings.

    Each PATH is a cassette, searched with those of its child processes; a directory, searched with all cassettes in and
    below it; or any text, such as a transcript or a recording of another tool. Without one, the cassette directory.

    Exits with 1 when there is a secret, with 125 when a file can't be read. No secret is printed whole.
    """
    rules_file = redact or settings.current().redact
    rules = Rules() if rules_file is None else Rules.load(rules_file)
    found: list[dict[str, Any]] = []
    problems: list[dict[str, str]] = []
    files = 0
    for path in _files(paths or (str(default_directory()),)):
        files += 1
        try:
            for leak in scan(path, rules):
                found.append({"path": str(path), **leak._asdict()})
                _say(path, leak)
        except ReplayError as error:
            problems.append({"path": str(path), "problem": str(error)})
            click.echo(f"replay: {one_line(str(error))}", err=True)
    if options.current().json:
        console.document({"files": files, "found": found, "problems": problems})
    elif not options.current().quiet:
        console.tell(f"{plural(files, 'file')} searched, {plural(len(found), 'secret')} found")
    return exits.DIFFERENT if found else exits.CANNOT_JUDGE if problems else exits.SAME


def _files(paths: tuple[str, ...]) -> Iterator[Path]:
    for name in paths:
        path = Path(name)
        if path.is_dir():
            yield from sorted(path.rglob(f"*{SUFFIX}"))
        else:
            path = resolve(options.named_file(name))
            yield path
            yield from sorted(children_of(path).rglob(f"*{SUFFIX}"))


def _say(path: Path, leak: Leak) -> None:
    if not options.current().json:
        where = leak.where if leak.event is None else f"event {leak.event}, {leak.where}"
        console.tell(one_line(f"{path}: {where}: {leak.detector}: {leak.shown} ({leak.size} bytes)"))
