"""`replay export`: cassettes as what other programs read."""

from __future__ import annotations

from pathlib import Path

import click

from replay.cassette.cassette import load
from replay.cassette.directory import resolve
from replay.interop import formats
from replay_cli import console, exits, options
from replay_cli.render.text import one_line


@click.command("export")
@click.argument("format")
@click.argument("cassette", callback=options.named)
@click.option("-o", "--output", required=True, metavar="F", type=click.Path(), help="The file to write; a new one.")
@options.common
def command(format: str, cassette: str, output: str) -> int:  # noqa: A002 - as the command line has it
    """A cassette as something that other programs read.

    FORMAT is one of:

    \b
    json    all of it, a line for each frame (of F.json an array);
            `replay import json` makes the same cassette of it
    vcr     its HTTP, as vcrpy replays it
    har     its HTTP, as browsers and proxies open it
    otel    a trace in OTLP JSON; F may be an OTLP/HTTP endpoint, such as
            http://localhost:4318/v1/traces

    What a format can't hold is said. F is readable by nobody else, and an existing one isn't overwritten.
    """
    writes = formats.exporter(format)
    with load(resolve(cassette)) as opened:
        told = writes(opened, Path(output))
    if options.current().json:
        console.document({"exported": {"path": output, "format": format, **told}})
    else:
        counts = ", ".join(f"{value} {name}" for name, value in told.items() if isinstance(value, int))
        console.tell(one_line(f"{output}: {counts}"))
        for each in told.get("lost", ()):
            click.echo(one_line(f"replay: left out: {each}"), err=True)
    return exits.SAME
