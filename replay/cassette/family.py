"""Which recorded process started which. A child's header names its parent and the event it began at; nobody else does,
so nothing has to be written twice, and a child that was killed is known as well."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from replay.cassette import layout, opening
from replay.cassette.directory import children, parent_of
from replay.model.errors import ReplayError


@dataclass(frozen=True, slots=True)
class Child:
    """A recorded process below another one.

    Attributes:
        how: `exec`, `fork`, `spawn`, or `beside`: another one that the same command started.
        event: the parent's event at which it began; None where no event is known (a shell lies between, say).
        pid: its process id then.
    """

    path: Path
    header: Mapping[str, Any]
    how: str
    event: int | None
    pid: int | None


def family(path: str | os.PathLike[str], identity: str) -> list[Child]:
    """The children of the recording at `path` whose id is `identity`, in the order in which they began.

    What lies in their folder and can't be read, or is another recording's child, is left out.
    """
    found: list[Child] = []
    for file in children(path):
        header = header_at(file) or {}
        link = _parent(header)
        if link.get("cassette") == identity:
            found.append(
                Child(file, header, str(link.get("how")), _number(link.get("event")), _number(header.get("pid")))
            )
    return found


def ancestry(path: str | os.PathLike[str], header: Mapping[str, Any]) -> Path | None:
    """Where the parent's cassette lies: beside the folder that this one is in; None where it isn't there."""
    parent = parent_of(path)
    known = None if parent is None else header_at(parent)
    return parent if known is not None and known.get("id") == _parent(header).get("cassette") else None


def header_at(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The header of the cassette at `path`; None where it can't be read."""
    try:
        source = opening.source(path)
        try:
            return dict(layout.header(source))
        finally:
            source.close()
    except ReplayError:
        return None


def _parent(header: Mapping[str, Any]) -> Mapping[str, Any]:
    link: Any = header.get("parent")
    return cast("dict[str, Any]", link) if isinstance(link, dict) else {}


def _number(found: Any) -> int | None:
    return found if isinstance(found, int) else None
