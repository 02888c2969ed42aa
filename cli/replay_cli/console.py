"""Where output goes: results to stdout, everything else to stderr. The only place that makes rich consoles."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from replay_cli import options

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def results(*, unknown: int = 100) -> Console:
    """A console on stdout. Markup, emoji and highlighting are off: text is shown as it is.

    Args:
        unknown: how wide it is where nobody says so: in a pipe, in a file.
    """
    return _console(stderr=False, unknown=unknown)


def notes() -> Console:
    """A console on stderr, for progress; silent when the user said --quiet."""
    return _console(stderr=True)


def progress(steps: Iterable[T], total: int, what: str) -> Iterator[T]:
    """`steps`, with a bar on stderr that counts them while they come; none where stderr is no terminal."""
    if not sys.stderr.isatty() or options.current().quiet:
        yield from steps
        return
    from rich.progress import track

    yield from track(steps, description=what, total=total, console=notes(), transient=True)


def _console(*, stderr: bool, unknown: int = 100) -> Console:
    from rich.console import Console

    chosen = options.current()
    return Console(
        stderr=stderr,
        quiet=stderr and chosen.quiet,
        no_color=None if chosen.color else True,
        color_system="auto" if chosen.color else None,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        width=None if options.knows_width(stderr=stderr) else unknown,
    )


def tell(line: str) -> None:
    """A line of a result that may be shown, in no colour."""
    if options.knows_width(stderr=False):
        from replay_cli.render.lines import rows

        line = "\n".join(rows(line, shutil.get_terminal_size().columns, whole=options.current().verbose))
    sys.stdout.write(f"{line}\n")


def document(value: Any) -> None:
    """Print the one JSON document of a `--json` command.

    ASCII only: no recorded character can steer a terminal, and lone surrogates survive.
    """
    sys.stdout.write(json.dumps(value, ensure_ascii=True, indent=2 if sys.stdout.isatty() else None, allow_nan=False))
    sys.stdout.write("\n")
