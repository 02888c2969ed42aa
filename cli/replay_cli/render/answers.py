"""The rows of a query as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from replay_cli.render.text import one_line


def answers(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """One line for each row; what is too wide for the terminal is cut."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for name in names:
        table.add_column(one_line(name), no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(one_line(each, 200), no_wrap=True, overflow="ellipsis") for each in row))
    return table
