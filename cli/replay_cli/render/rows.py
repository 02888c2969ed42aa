"""Long tables, printed as they come: rich would look at every cell of all rows before it prints the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console

from replay_cli.render.lines import in_colours, painted

Cell = tuple[str, str]
"""Text that may be shown, and its style."""

Said = list[list[Cell]]
"""The last column: lines of pieces."""

_TOGETHER: Final = 1000
"""Rows that have columns of equal width; those of later ones are as wide at least."""

_LEAST: Final = 20
_WIDEST: Final = 16
"""Cells of any column but the last."""

_RIGHT: Final = frozenset(("event", "seconds"))


def print_rows(
    console: Console, head: Sequence[str], rows: Iterable[tuple[Sequence[Cell], Said]], *, fold: bool
) -> None:
    """Print a table whose last column has the room that is left.

    Args:
        head: names of the columns.
        rows: the cells of each row but the last one, and what that says.
        fold: lines that are too long go on below; else they are cut.
    """
    colours = in_colours(console)
    widths = [max(len(name), 5 if name == "event" else 0) for name in head[:-1]]
    waiting = iter(rows)
    titles = [(name, "dim") for name in head]
    first = True
    while batch := list(islice(waiting, _TOGETHER)):
        batch = [([(clipped(text, _WIDEST), style) for text, style in cells], said) for cells, said in batch]
        for cells, _ in batch:
            widths = [max(width, cell_len(text)) for width, (text, _) in zip(widths, cells, strict=True)]
        if first:
            batch.insert(0, (titles[:-1], [[titles[-1]]]))
            first = False
        margin = sum(widths) + len(widths)
        room = max(console.width - margin, _LEAST)
        out: list[str] = []
        for cells, said in batch:
            aligned = zip(head, widths, cells, strict=False)
            left = "".join(_aligned(name, width, cell, colours=colours) + " " for name, width, cell in aligned)
            for line in said:
                for part in _folded(line, room) if fold else (_cut(line, room),):
                    out.append(left + "".join(painted(*piece, colours=colours) for piece in part) + "\n")
                    left = " " * margin
        console.file.write("".join(out))


def clipped(text: str, width: int) -> str:
    """The text in so many cells of a terminal; cut with an ellipsis."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _aligned(name: str, width: int, cell: Cell, *, colours: bool) -> str:
    text, style = cell
    space = " " * (width - cell_len(text))
    shown = painted(text, style, colours=colours)
    return space + shown if name in _RIGHT else shown + space


def _cut(line: list[Cell], room: int) -> list[Cell]:
    kept: list[Cell] = []
    for text, style in line:
        size = cell_len(text)
        if size > room:
            return [*kept, (clipped(text, room), style)] if room else kept
        kept.append((text, style))
        room -= size
    return kept


def _folded(line: list[Cell], room: int) -> Iterator[list[Cell]]:
    """Lines of at most `room` cells."""
    part: list[Cell] = []
    left = room
    for text, style in line:
        while cell_len(text) > left:
            head = chop_cells(text, left)[0] if left else ""
            yield [*part, (head, style)]
            part, left, text = [], room, text[len(head) :]
        part.append((text, style))
        left -= cell_len(text)
    yield part
