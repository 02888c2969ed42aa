"""SQLite databases in files: SQLite opens them in C, so the connection is the crossing.

Connecting records what is in the file (and in its journals). At replay the copy in the overlay is opened, and every
statement runs again on it (`statements`). What other processes write to the database meanwhile isn't seen.
"""

from __future__ import annotations

import functools
import os
from typing import Any
from urllib.parse import unquote

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.imports import on_import
from replay.boundary.lanes import Lane, running
from replay.runtime.files import world
from replay.runtime.files.opening import LIMIT, wanted
from replay.runtime.files.statements import in_use, watch

_REAL = originals.REAL_OS
_PARTS = ("", "-wal", "-journal")


def install() -> None:
    """Once `sqlite3` is imported."""
    on_import("sqlite3", _patch)


def _patch(module: Any) -> None:
    real = module.connect

    def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        path = None if lane is None else _path(database, kwargs.get("uri", False))
        found = None if path is None else wanted(path, None, originals.frame(0).f_back, writes=True)
        if lane is None or found is None:
            return _watched(real(database, *args, **kwargs), database, None, lane)
        opened = _cross(lane, found[0], found[1])
        if opened is None:
            return _watched(real(database, *args, **kwargs), database, found[1], lane)
        if kwargs.get("uri") and os.fsdecode(database).startswith("file:"):
            _, mark, query = os.fsdecode(database).partition("?")
            opened = f"file:{opened}{mark}{query}"
        return _watched(real(opened, *args, **kwargs), database, found[1], lane)

    functools.update_wrapper(connect, real)
    module.connect = module.dbapi2.connect = connect


def _watched(connection: Any, database: Any, path: str | None, lane: Lane | None) -> Any:
    if lane is not None:
        watch(connection, path, f"sqlite:{os.fsdecode(database)}")
    return connection


def _path(database: Any, uri: Any) -> Any:
    """The file of a database; None where it is none."""
    try:
        text = os.fsdecode(database)
    except TypeError:
        return None
    if uri and text.startswith("file:"):
        text, _, query = text.removeprefix("file:").partition("?")
        text = unquote(text.removeprefix("//"))
        if "mode=memory" in query:
            return None
    return None if text in ("", ":memory:") else text


def _cross(lane: Lane, name: Any, absolute: str) -> str | None:
    """Where to open it instead; None while recording."""
    call: Call[Any] = Call(
        "file", "connect", "write", {"path": name}, chain=("file", absolute), dump=lambda result: result[0]
    )

    def perform() -> Any:
        parts: dict[str, int] = {}
        contents: list[bytes] = []
        view = world.view
        for part in _PARTS:
            if view is not None:
                if not view.exists(absolute + part):
                    continue
                view.writable(absolute + part)
            content = _content(absolute + part if view is None else world.inside(absolute + part))
            if content is not None:
                parts[part] = len(content)
                contents.append(content)
        if contents:
            call.content = b"".join(contents)
        facts: dict[str, Any] = {"type": "sqlite", "parts": parts}
        if not _REAL.path.isdir(_REAL.path.dirname(absolute)) or _REAL.path.isdir(absolute):
            facts["fails"] = True
        if view is not None and "fails" not in facts:
            world.folder(os.path.dirname(absolute))
            return facts, world.inside(absolute)
        return facts, None

    def load(facts: Any) -> Any:
        content = (lane.door.content(call) if "sha256" in facts else None) or b""
        parts: dict[str, int] = (
            {} if in_use(absolute) else facts["parts"]
        )  # what this program has open, its own statements made
        for part, size in parts.items():
            world.lay(absolute + part, size, None, content[:size])
            content = content[size:]
        if facts.get("fails"):  # SQLite itself says so: in a folder that isn't there it can't open it either
            return facts, os.path.join(world.folder("/nowhere"), "no folder", "file")
        world.folder(os.path.dirname(absolute))
        return facts, world.inside(absolute)

    call.load = load
    return lane.door.cross(lane, call, perform)[1]  # type: ignore[no-any-return]


def _content(path: str) -> bytes | None:
    try:
        fd = originals.os_open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return world.read_all(fd) if os.lseek(fd, 0, os.SEEK_END) <= LIMIT else None
    except OSError:
        return None
    finally:
        originals.os_close(fd)
