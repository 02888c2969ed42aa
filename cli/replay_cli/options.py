"""What the user asked of every command: how much to say, and in which form.

The flags may stand before the command or after it: `replay --json ls` and `replay ls --json` are the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from replay.cassette.directory import SUFFIX

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Options:
    """`verbosity`: -1 quiet, 0 normal, 1 verbose."""

    verbosity: int = 0
    json: bool = False
    color: bool = True

    @property
    def quiet(self) -> bool:
        return self.verbosity < 0

    @property
    def verbose(self) -> bool:
        return self.verbosity > 0


def named(_ctx: click.Context, _param: click.Parameter, cassette: str | None) -> str | None:
    """`named_file` for an argument."""
    return None if cassette is None else named_file(cassette)


def named_file(cassette: str) -> str:
    """A cassette as `replay ls DIRECTORY` lists it: its file may be named without `.cassette`."""
    if not os.path.exists(cassette) and os.path.isfile(cassette + SUFFIX):
        return cassette + SUFFIX
    return cassette


def fresh(_ctx: click.Context, _param: click.Parameter, output: str | None) -> str | None:
    """For an option that names a new cassette: said before anything is executed.

    Raises:
        CassetteExists: there is something of that name.
    """
    if output is not None and os.path.exists(output):
        from replay.model.errors import CassetteExists

        raise CassetteExists(f"{output} exists already", hint="nothing is overwritten; choose another -o")
    return output


def knows_width(*, stderr: bool) -> bool:
    """Whether somebody says how wide a line may be: a terminal, or whoever set COLUMNS."""
    return (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ


def current() -> Options:
    """The options of the command that is running."""
    return click.get_current_context().ensure_object(Options)


def _verbose(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    if given:
        _set_verbosity(ctx, 1)


def _quiet(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    if given:
        _set_verbosity(ctx, -1)


def _set_verbosity(ctx: click.Context, to: int) -> None:
    options = ctx.ensure_object(Options)
    if options.verbosity == -to:
        raise click.UsageError("--verbose and --quiet contradict each other", ctx)
    options.verbosity = to


def _json(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    if given:
        ctx.ensure_object(Options).json = True


def _no_color(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
    if given:
        ctx.ensure_object(Options).color = False


def _identity(ctx: click.Context, _param: click.Parameter, path: str | None) -> None:
    """In the environment, where replayed processes find it, too."""
    if path is not None:
        known = [os.environ[IDENTITY]] if os.environ.get(IDENTITY) else []
        os.environ[IDENTITY] = os.pathsep.join([*known, os.path.abspath(path)])


def reads(command: F) -> F:
    """For commands that read cassettes: `--identity`, and what `common` has."""
    flag = click.option(
        "--identity",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        expose_value=False,
        callback=_identity,
        help="An age identity that opens encrypted cassettes.",
    )
    return flag(common(command))


IDENTITY = "REPLAY_IDENTITY"


def common(command: F) -> F:
    """The flags that every command takes. Read them with `current()`; the command gets no parameters for them."""
    flags = (
        click.option("--no-color", is_flag=True, expose_value=False, callback=_no_color, help="Plain text."),
        click.option("--json", is_flag=True, expose_value=False, callback=_json, help="One JSON document on stdout."),
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_quiet, help="Results only."),
        click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=_verbose, help="Say more."),
    )
    for flag in flags:
        command = flag(command)
    return command
