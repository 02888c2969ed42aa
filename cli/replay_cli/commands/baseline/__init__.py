"""`replay baseline`: a group. Each member has a module of its own."""

from __future__ import annotations

from typing import Final

import click

from replay_cli import options
from replay_cli.lazy import Commands

MEMBERS: Final = {
    "learn": "Write what good runs have in common to a file that people can read and edit.",
}


@click.group("baseline", cls=Commands, table=MEMBERS, package=__name__)
@options.common
def command() -> None:
    """What good runs have in common, for `replay check`."""
