"""`replay textconv`: a cassette as text, for git."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from replay.cassette.cassette import Cassette, load
from replay.model.errors import ReplayError
from replay.queries import plain
from replay_cli import exits, options
from replay_cli.render.text import one_line

_OF_THE_RUN = ("id", "created", "writer", "pid", "random_seed", "hash_seed", "trace", "environment", "command")
"""What differs from one recording to the next, and says nothing."""


@click.command("textconv")
@click.argument("cassette", type=click.Path())
@options.reads
def command(cassette: str) -> int:
    """A cassette as text, for `git diff` and `git log -p`; `replay init` tells git.

    A line for each event and its parts, without times and ids, so that two recordings of the same run look the same.
    What can't be read is one line that says so: git shows the rest.
    """
    try:
        with load(cassette) as opened:
            for line in _lines(opened):
                click.echo(one_line(line))
    except ReplayError as error:
        click.echo(one_line(f"unreadable: {error}"))
    return exits.SAME


def _lines(opened: Cassette) -> Iterator[str]:
    for name, value in opened.header.items():
        if name not in _OF_THE_RUN:
            yield f"{name}: {_json(value)}"
    for event in opened.events:
        yield f"event {event.id}: {event.kind} {event.name} [{event.effect}] {event.lane}"
        known = plain.event(event)
        for part in ("request", "response", "error"):
            if known.get(part) is not None:
                yield from _part(part, known[part])
    outcome = opened.outcome
    yield "unfinished" if outcome is None else f"ended: {_json(outcome.get('exit_code', outcome.get('exception')))}"


def _part(name: str, value: Any) -> Iterator[str]:
    """On lines of its own, so that a difference shows where it is."""
    for number, line in enumerate(_json(value, indent=2).split("\n")):
        yield f"  {name}: {line}" if number == 0 else f"    {line}"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(plain.value(value), ensure_ascii=False, indent=indent, sort_keys=True)
