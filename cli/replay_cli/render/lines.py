"""Many lines, printed as they are: rich takes a tenth of a millisecond for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_CODES: Final = {
    "dim": "2", "bold": "1", "bold red": "1;31", "bold green": "1;32", "bold yellow": "1;33", "bold magenta": "1;35",
    "bold cyan": "1;36", "dim magenta": "2;35",
}  # fmt: skip


def print_lines(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    """Each a text that may be shown, and its style; they aren't wrapped."""
    colours = in_colours(console)
    console.file.write("".join(painted(text, style, colours=colours) + "\n" for text, style in lines))


def in_colours(console: Console) -> bool:
    """Whether styles are shown there."""
    return console.color_system is not None and not console.no_color


def painted(text: str, style: str, *, colours: bool) -> str:
    """The text as a terminal gets it."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if colours and style and text else text
