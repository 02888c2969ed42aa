"""`replay index`: many cassettes as one Parquet file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from replay.cassette.directory import default_directory
from replay_cli import console, exits, options
from replay_cli.places import all_in
from replay_cli.render.text import one_line, plural


@click.command("index")
@click.argument("places", metavar="[DIR|URL|CASSETTE]...", nargs=-1)
@click.option(
    "-o", "--output", metavar="PARQUET", help="The index [default: corpus.parquet in the cassette directory]."
)
@click.option("-n", "workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Processes that read.")
@options.reads
def command(places: tuple[str, ...], output: str | None, workers: int) -> int:
    """Many cassettes as one Parquet file.

    It has one row per event; `replay query` asks it.

    Cassettes in each DIR or at each URL, and those of the child processes below them; without any, $REPLAY_DIR's.
    A cassette that can't be read, or not to its end, is named, and the exit code is 125: what could be read is in the
    index.
    """
    from replay.corpus.index import Indexed, index

    where = Path(output) if output else default_directory() / "corpus.parquet"
    paths = [path for place in places or (str(default_directory()),) for path in all_in(place)]
    done = Indexed()
    for so_far in console.progress(index(paths, where, workers), len(paths), "cassettes"):
        done = so_far
    events, problems = done.events, done.problems
    if options.current().json:
        shown = [{"path": path, "problem": problem} for path, problem in problems]
        console.document({"index": str(where), "cassettes": len(paths), "events": events, "problems": shown})
    else:
        for path, problem in problems:
            click.echo(one_line(f"replay: {path}: {problem}"), err=True)
        console.tell(f"{where}: {plural(events, 'event')} of {plural(len(paths), 'cassette')}")
    return exits.CANNOT_JUDGE if problems else exits.SAME
