"""What the commands that execute mixtures of two runs have in common: their options, their progress, their answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from replay_cli import console, exits, options
from replay_cli.render.text import one_line

if TYPE_CHECKING:
    from replay.bisect.hybrids import Bisected, Terms

F = TypeVar("F", bound=Callable[..., Any])
Given = Any
"""The value of one of the options below."""


def flags(command: F) -> F:
    """The options of such a command."""
    for flag in (
        click.option(
            "-o",
            "--output",
            callback=options.fresh,
            metavar="NEW",
            help="Keep the recording of an execution with the causes alone.",
        ),
        click.option("--limit", type=click.IntRange(min=2), metavar="N", help="Try at most N mixtures."),
        click.option("-n", "width", type=click.IntRange(min=1), default=1, metavar="N", help="Execute N at a time."),
        click.option(
            "--samples",
            type=click.IntRange(min=1),
            default=1,
            metavar="K",
            help="Execute each mixture up to K times, where answers come by chance; the verdict is a rate.",
        ),
        click.option(
            "--model",
            default="recorded",
            metavar="recorded|live|PROGRAM",
            help="Who answers what neither run saw: nobody, the world (effects are held), or a command.",
        ),
        click.option("--expect", "expectation", required=True, metavar="EXPR", help="What holds of GOOD, not of BAD."),
    ):
        command = flag(command)
    return command


def terms(*, expectation: str, model: str, samples: int, width: int, limit: int | None, output: str | None) -> Terms:
    """What these options say."""
    from replay.bisect.hybrids import Terms

    notes = console.notes()

    def heard(line: str) -> None:
        notes.print(one_line(line), soft_wrap=True)

    return Terms(expectation, model, samples, width, limit, output, heard)


def answer(found: Bisected) -> int:
    """Prints what was found; the exit code."""
    if options.current().json:
        console.document(found.to_json())
    else:
        from replay_cli.render.causes import print_causes

        print_causes(console.results(), found)
    if found.causes.premise != "holds":
        return exits.CANNOT_JUDGE
    return exits.DIFFERENT if found.causes.found else exits.SAME
