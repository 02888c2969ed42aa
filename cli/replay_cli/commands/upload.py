"""`replay upload`: cassettes to a URL."""

from __future__ import annotations

import threading

import click

from replay.cassette.directory import resolve
from replay.uploading import note, spool_of, upload
from replay_cli import console, exits, options
from replay_cli.render.text import one_line


@click.command("upload")
@click.argument("cassettes", nargs=-1)
@click.option("--to", "url", metavar="URL", help="The folder they go to: s3://bucket/folder, file:///folder, …")
@options.common
def command(cassettes: tuple[str, ...], url: str | None) -> int:
    """Copy sealed cassettes to a URL; what doesn't get there is tried again by the next `replay upload`.

    What is to be copied is noted in the cassette directory before anything is sent, so that nothing is forgotten if
    this process dies. Nothing at the URL is overwritten. Exits with 125 where something is left.
    """
    if bool(cassettes) != bool(url):
        raise click.UsageError("cassettes and --to belong together; neither: what is left of earlier uploads")
    spool = spool_of()
    if url is not None:
        note([resolve(cassette) for cassette in cassettes], url, spool)
    rows = [(where, problem) for where, problem in upload(spool, threading.Event().wait)]
    if options.current().json:
        shown = [{"url": where, "problem": None if problem is None else str(problem)} for where, problem in rows]
        console.document({"uploads": shown})
    for where, problem in rows:
        if problem is not None:
            click.echo(one_line(f"replay: {where}: not uploaded: {problem}"), err=True)
        elif not options.current().json:
            click.echo(one_line(where))
    return exits.CANNOT_JUDGE if any(problem for _, problem in rows) else exits.SAME
