"""Lines of a result: painted where there are colours, folded where somebody says how wide it is.

A line that is too long goes on below, indented by two more; after `MOST` rows it ends in an ellipsis, and --verbose
shows it whole. In a pipe or a file nobody says how wide it is: there a line stays one line, for programs that read it.
Rich isn't asked for lines of one style: it takes a tenth of a millisecond for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, chop_cells, set_cell_size

from replay_cli import options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MOST: Final = 6
"""Rows of one line."""

_CODES: Final = {
    "dim": "2", "bold": "1", "bold red": "1;31", "bold green": "1;32", "bold yellow": "1;33", "bold magenta": "1;35",
    "bold cyan": "1;36", "dim magenta": "2;35",
}  # fmt: skip


def print_lines(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    """Each a text that may be shown, and its style."""
    colours, width = in_colours(console), _width(console)
    whole = options.current().verbose
    console.file.write(
        "".join(
            painted(row, style, colours=colours) + "\n"
            for text, style in lines
            for row in (rows(text, width, whole=whole) if width else (text,))
        )
    )


def say(console: Console, line: str | Text) -> None:
    """One line, or several, in pieces of different styles."""
    from rich.text import Text

    width = _width(console)
    whole = Text(line) if isinstance(line, str) else line
    for text in whole.split("\n", allow_blank=True):
        if not width:
            console.print(text, soft_wrap=True)
            continue
        spans = list(folds(text.plain, width))
        shown = spans if options.current().verbose else spans[:MOST]
        for number, (start, end) in enumerate(shown):
            row = text[start:end]
            if number == MOST - 1 < len(spans) - 1 and len(shown) < len(spans):
                row = row[: len(_clipped(row.plain, width - _hang(text.plain, width)))]
                row.append("…")
            console.print(Text(" " * _hang(text.plain, width) if number else "") + row, soft_wrap=True)


def rows(text: str, width: int, *, whole: bool) -> list[str]:
    """The line as rows of at most `width` cells; `MOST` of them unless `whole`.

    >>> rows("  one two three", 10, whole=True)
    ['  one two', '    three']
    """
    hang = " " * _hang(text, width)
    found = [(hang if start else "") + text[start:end] for start, end in folds(text, width)]
    return found if whole or len(found) <= MOST else [*found[: MOST - 1], _clipped(found[MOST - 1], width) + "…"]


def folds(text: str, width: int) -> Iterator[tuple[int, int]]:
    """Where each row begins and ends in the text: at a space, where there is one in the second half of the row."""
    start, room = 0, width
    while True:
        near = text[start : start + 4 * room]
        if start + len(near) == len(text) and cell_len(near) <= room:
            yield start, len(text)
            return
        end = start + max(len(chop_cells(near, room)[0]), 1)
        space = text.rfind(" ", start + room // 2, end + 1)
        end = end if space < 0 else space
        yield start, end
        start = end + (len(text[end:]) - len(text[end:].lstrip(" ")) if space >= 0 else 0)
        if start >= len(text):
            return
        room = width - _hang(text, width)


def _hang(text: str, width: int) -> int:
    return min(len(text) - len(text.lstrip(" ")) + 2, width // 2)


def _clipped(text: str, width: int) -> str:
    """What leaves room for an ellipsis."""
    return text if cell_len(text) < width else set_cell_size(text, width - 1).rstrip()


def _width(console: Console) -> int | None:
    """None: nobody says."""
    return console.width if options.knows_width(stderr=False) else None


def in_colours(console: Console) -> bool:
    """Whether styles are shown there."""
    return console.color_system is not None and not console.no_color


def painted(text: str, style: str, *, colours: bool) -> str:
    """The text as a terminal gets it."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if colours and style and text else text
