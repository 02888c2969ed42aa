"""All commands with their help, as a page: `python -m replay_cli.render.manual`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from replay_cli.main import group

_WIDTH = 100


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Each command by the words that call it (`replay bisect commits`), groups before their members."""
    yield from _below(group, click.Context(group, info_name="replay", max_content_width=_WIDTH, terminal_width=_WIDTH))


def page() -> str:
    """The page, in Markdown: what `--help` prints, command by command."""
    parts = ["# Commands\n\nWhat `--help` prints of each.\n"]
    for name, command, context in commands():
        parts.append(f"## `{name}`\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _below(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                below = click.Context(found, parent=context, info_name=name, help_option_names=["-h", "--help"])
                yield from _below(found, below)


if __name__ == "__main__":
    click.echo(page())
