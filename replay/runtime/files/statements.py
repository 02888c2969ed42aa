"""Statements that run on an SQLite connection, as events. They run again at replay, so only what was asked is written.

SQLite itself tells (`set_trace_callback`), with the values in their places; that holds for every cursor, factory and
library above it. What a statement read isn't stored: the content of the file and the statements before it say
(`replay.semantics.memory`).

They are written like reads of clock and chance: runs of them are one event, which costs about a microsecond each, and
lanes aren't made to wait for each other. Ordering them was tried: SQLite takes its locks after it has told, so a thread
that waits for a lock and one that waits for its turn wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from replay.boundary import originals, sites
from replay.boundary.lanes import running
from replay.boundary.schedule import DRAW
from replay.boundary.sources import NUMBER

_SOURCE = "sqlite3.execute"
_NUMBER = NUMBER[_SOURCE]
_watching: dict[str, WeakSet[Callable[[str], None]]] = {}


def in_use(path: str) -> bool:
    """Whether a connection to that database is open: SQLite lets its callback go when it is closed."""
    return bool(_watching.get(path))


def watch(connection: Any, path: str | None, store: str) -> None:
    """Note each statement of that connection, in the lane that runs it.

    Args:
        path: of its file, absolute.
    """

    def ran(statement: str) -> None:  # it doesn't know the connection, which would then be garbage for the collector
        lane = running.lane
        if lane is None or statement.startswith("--"):  # what a trigger does
            return
        found = (store, statement)
        if lane.log is None:
            lane.door.draw(lane, _SOURCE, lambda: found)
            return
        lane.door.before_read(lane)
        frame = sites.program_frame(originals.frame(1)) or originals.frame(1)
        lane.log.append((DRAW, lane.number, _NUMBER, found, frame.f_code, frame.f_lasti))

    connection.set_trace_callback(ran)
    if path is not None:
        _watching.setdefault(path, WeakSet()).add(ran)
