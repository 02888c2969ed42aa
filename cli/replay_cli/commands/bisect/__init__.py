"""`replay bisect`: a group. Each member has a module of its own."""

from __future__ import annotations

from typing import Final

import click

from replay_cli import options
from replay_cli.lazy import Commands

MEMBERS: Final = {
    "commits": "The first commit with which a recording goes wrong: drives git bisect, in worktrees of its own.",
    "inputs": "Which of the inputs in which two runs differ make the good one go wrong.",
    "schedule": "Which change of the order in which answers came makes a good run go wrong.",
}


@click.group("bisect", cls=Commands, table=MEMBERS, package=__name__)
@options.common
def command() -> None:
    """Which of many differences made it go wrong: searched by executions, and proved by them.

    Exit codes: 0 nothing was found; 1 found; 125 it can't be judged; 129 wrong usage.
    """
