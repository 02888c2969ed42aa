"""`replay show --incident`: what the recordings of one trace tell together."""

from __future__ import annotations

from contextlib import ExitStack

from replay import semantics
from replay.cassette.cassette import Cassette
from replay.cassette.directory import default_directory
from replay.cassette.reader import Reader
from replay.cassette.traced import traced
from replay.queries import contents
from replay.queries.shapes import mapping
from replay_cli import console, exits, options


def print_incident(trace: str, directory: str | None, prices: semantics.Prices) -> int:
    """All of its cassettes in `directory` (the cassette directory by default) and below."""
    with ExitStack() as opened:
        found = [
            contents.read(opened.enter_context(Cassette(Reader.open(path))))
            for path in traced(trace, directory or default_directory())
        ]
        from replay_cli.render import incident

        whole = str(mapping(found[0].header.get("trace")).get("id"))
        if options.current().json:
            console.document(incident.document(whole, found, prices))
        else:
            incident.show(console.results(), whole, found, prices, verbose=options.current().verbose)
        for each in found:
            if each.damage is not None:
                raise each.damage
    return exits.SAME
