"""`replay view`: a recording in the browser; two of them side by side."""

from __future__ import annotations

import sys
import threading
import webbrowser
from contextlib import suppress

import click

from replay.cassette.directory import resolve
from replay_cli import console, exits, options


@click.command("view")
@click.argument("cassette", callback=options.named)
@click.argument("other", metavar="[OTHER]", callback=options.named, required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Where to listen; any free port.")
@click.option("--no-open", is_flag=True, help="Only print the address; open no browser.")
@options.reads
def command(cassette: str, other: str | None, port: int, no_open: bool) -> int:
    """A recording in the browser: timeline, events, windows, memory, causes; two runs side by side.

    With OTHER it is two runs; name the good one first. It is served on 127.0.0.1 only, to whoever has the address,
    which has a random token in it, until Ctrl-C. Nothing is executed, nothing leaves this machine.
    """
    from replay.viewer import Viewer

    paths = [resolve(name) for name in ([cassette] if other is None else [cassette, other])]
    with Viewer(paths, port=port) as viewer, suppress(KeyboardInterrupt):
        if options.current().json:
            console.document({"url": viewer.url, "port": viewer.port, "cassettes": viewer.names})
        else:
            console.results().print(viewer.url, soft_wrap=True, markup=False, highlight=False)
            console.notes().print("serving until Ctrl-C; whoever has this address can read the recording", style="dim")
        sys.stdout.flush()
        if not no_open:  # in a thread: a browser in the terminal ends only when it is closed
            threading.Thread(target=webbrowser.open, args=(viewer.url,), daemon=True).start()
        viewer.serve()
    return exits.SAME
