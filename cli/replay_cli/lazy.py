"""Groups of commands, of which only the one that is run is imported."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import click


class PipeClosed(Exception):
    """The reader of stdout went away."""


class Commands(click.Group):
    """A group whose members are imported when they are run.

    Args:
        table: name -> what it is for.
        package: where the modules are: `<name>`, with `-` as `_`; the click command of each is `command`.
        questions: the same table in groups, each with its heading, for --help.
    """

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, str],
        package: str,
        questions: Mapping[str, Mapping[str, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._table = table
        self._package = package
        self._questions = questions or {"Commands:": table}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        module = import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._table and not name.startswith("-"):
            near = difflib.get_close_matches(name, self._table, n=1)
            if near:
                raise click.UsageError(f"No such command {name!r}. Did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise PipeClosed from None  # click would make an exit code 1 of it, which means "different" here
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for question, members in self._questions.items():
            formatter.write(f"\n{question}\n")  # a section's heading would get a colon
            with formatter.indentation():
                formatter.write_dl(list(members.items()))
