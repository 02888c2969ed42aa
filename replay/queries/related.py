"""The recordings that one recording set off: processes below it, and what it called, which says so in its trace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from replay.cassette.cassette import Cassette
from replay.cassette.directory import SUFFIX
from replay.cassette.family import family, header_at
from replay.queries.shapes import mapping


@dataclass(frozen=True, slots=True)
class Related:
    """One of them, and the event at which it was set off; None where that isn't known."""

    path: str
    id: str
    how: str
    event: int | None


def related(cassette: Cassette, asked: Mapping[str, int], pids: Mapping[int, int]) -> list[Related]:
    """What lies in the same directory or below. `asked`, `pids`: spans and processes -> the events they come from."""
    path = Path(cassette.path)
    found: dict[str, Related] = {}
    for child in family(path, cassette.id):
        event = child.event if child.event is not None else pids.get(child.pid or -1)
        found[str(child.header.get("id"))] = _related(child.path, child.header, child.how, event, path)
    trace = mapping(cassette.header.get("trace")).get("id")
    for file in sorted(path.parent.rglob(f"*{SUFFIX}")) if asked and trace else ():
        header = header_at(file) or {}
        link = mapping(header.get("trace"))
        caller = asked.get(str(link.get("parent")))
        if link.get("id") == trace and caller is not None and header.get("id") != cassette.id:
            found.setdefault(str(header.get("id")), _related(file, header, "called", caller, path))
    return list(found.values())


def _related(file: Path, header: Mapping[str, object], how: str, event: int | None, beside: Path) -> Related:
    return Related(os.path.relpath(file, beside.parent), str(header.get("id")), how, event)
