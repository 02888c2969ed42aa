"""The table of `replay ls`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from replay.cassette.directory import SUFFIX
from replay.queries.facts import local
from replay_cli.render.text import one_line

_COLUMNS = ("recorded", "outcome", "events", "llm", "tools", "tokens", "blind", "cassette", "program")
_CUT = frozenset({"cassette", "program"})
_NUMBERS = frozenset({"events", "llm", "tools", "tokens", "blind"})

_INTERPRETER = re.compile(r"^/\S*/(?=python)")  # where it lies is the same on every line


_NARROW = 100
"""Columns of a terminal below which times have no year, and outcomes are cut."""


def listing(rows: Iterable[Mapping[str, Any]], width: int) -> Table:
    """One line for each cassette. `blind` counts blind spots and gaps; the program is cut first where room is short."""
    narrow = width < _NARROW
    lines = list(_lines(rows, "", narrow=narrow))
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    for name in _COLUMNS:
        # rich takes room from columns that may wrap; the cells themselves forbid it, so they are cut
        justify: Literal["left", "right"] = "right" if name in _NUMBERS else "left"
        most = 12 if narrow and name == "outcome" else None
        least = 12 if narrow and name == "cassette" else None
        table.add_column(name, justify=justify, no_wrap=name not in _CUT, max_width=most, min_width=least)
    for line in lines:
        table.add_row(*line)
    return table


def _lines(rows: Iterable[Mapping[str, Any]], above: str, *, narrow: bool) -> Iterator[list[Text]]:
    """A recording, and below it those of the processes that it started: `above` is the path to them."""
    for row in rows:
        yield _line(row, above, narrow=narrow) if "events" in row else _broken(row, above)
        yield from _lines(row.get("children", ()), f"{above}{_name(row)}.d/", narrow=narrow)


def _line(row: Mapping[str, Any], above: str, *, narrow: bool) -> list[Text]:
    bad = row["status"] == "torn" or row["outcome"] not in ("exit 0", "ended")
    losses = row["blind_spots"] + row["gaps"]
    return [
        _text(local(row["created"])[5 if narrow else 0 : 16]),
        _text(row["outcome"], "bold red" if bad else ""),
        _text(str(row["events"])),
        _text("" if row["llm"] is None else str(row["llm"])),
        _text("" if row["tools"] is None else str(sum(row["tools"].values()))),
        _text("" if row["tokens"] is None else str(row["tokens"])),
        _text(str(losses), "bold yellow" if losses else ""),
        _text(above + _name(row)),
        _text(f"{row['name']}: " if row["name"] else "") + _text(_INTERPRETER.sub("", row["program"])),
    ]


def _broken(row: Mapping[str, Any], above: str) -> list[Text]:
    why = str(row["problem"]).removeprefix(str(row["path"])).lstrip(": ")
    return [Text(), _text("unreadable", "bold red"), *[Text()] * 5, _text(above + _name(row)), _text(why)]


def _name(row: Mapping[str, Any]) -> str:
    return str(row["path"]).rpartition("/")[2].removesuffix(SUFFIX)


def _text(text: str, style: str = "") -> Text:
    return Text(one_line(text), style=style, no_wrap=True, overflow="ellipsis")
