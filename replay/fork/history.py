"""Which files there were at a fork point, as far as a recording tells. Pure.

- What happened before it: the last word about each path counts.
- What happened behind it: the first word about a path tells how it was before, where nothing earlier does. A file that
  is made there wasn't there; one that is read, asked for or removed was.
- A listing tells about all names of a directory.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from replay.model.event import Event
from replay.semantics import loose

_ASKED = frozenset(("stat", "lstat", "readlink", "getxattr", "listxattr"))
_MADE = frozenset(("mkdir", "mkfifo", "mknod"))
_REMOVED = frozenset(("remove", "unlink", "rmdir"))
_MOVED = frozenset(("rename", "replace"))
_OF_ITSELF = _ASKED | _REMOVED | {"open", "listdir", "scandir"}
"""What fails where there is nothing at the path itself."""


@dataclass(slots=True)
class History:
    """What is known.

    Attributes:
        there: absolute path -> whether there was something.
        listed: directory -> all names that it had when it was listed.
        contents: path -> event behind the fork point that tells what was in it.
    """

    there: dict[str, bool] = field(default_factory=dict[str, bool])
    listed: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    contents: dict[str, int] = field(default_factory=dict[str, int])


def history(events: Iterable[tuple[Event, bool]], directory: str) -> History:
    """Read it from a recording.

    Args:
        events: in order, each with whether its outcome came before the fork point.
        directory: where the program was started.
    """
    reading = _Reading(directory)
    for event, happened in events:
        if event.kind == "file" and isinstance(event.request, dict) and event.status != "open":
            reading.add(event, happened=happened)
    return reading.found


class _Reading:
    def __init__(self, directory: str) -> None:
        self.found = History()
        self._directory = directory
        self._changed: set[str] = set()  # by the program: what is in it comes from nowhere else
        self._happened = True

    def add(self, event: Event, *, happened: bool) -> None:
        self._happened = happened
        path, other = self._path(event.request.get("path")), self._path(event.request.get("to"))
        if path is None:
            return
        if event.error is not None:
            self._failed(event, path)
        elif event.name == "open":
            self._opened(event, path)
        elif event.name in ("listdir", "scandir"):
            self._listing(event, path)
        elif event.name == "chdir":
            self._directory = str(event.response)
        elif event.name in _ASKED or (event.name == "access" and event.response):
            self._note(path, before=True, behind=True)
        elif event.name in _MADE or event.name == "symlink":
            self._note(path, before=True, behind=False)
        elif event.name in _REMOVED:
            self._note(path, before=False, behind=True)
            self._changed.add(path)
        elif event.name in _MOVED or event.name == "link":
            self._note(path, before=event.name == "link", behind=True)
            if other is not None:
                self._note(other, before=True, behind=False)
                self._changed |= {path, other}

    def _failed(self, event: Event, path: str) -> None:
        assert event.error is not None
        name = event.error.type.rpartition(".")[2]
        if name == "FileExistsError":
            self._note(path, before=True, behind=True)
        elif name == "FileNotFoundError" and event.name in _OF_ITSELF and "create" not in _mode(event):
            self._note(path, before=False, behind=False)

    def _opened(self, event: Event, path: str) -> None:
        mode, facts = _mode(event), loose.obj(event.response)
        made = "create" in mode and not (facts.get("size") and "truncate" not in mode)
        self._note(path, before=True, behind=not made)
        if not self._happened and path not in self._changed and event.content is not None:
            self.found.contents.setdefault(path, event.id)
        if mode != "read":
            self._changed.add(path)

    def _listing(self, event: Event, path: str) -> None:
        names = [each if isinstance(each, str) else each[0] for each in _items(event.response)]
        self._note(path, before=True, behind=True)
        if self._happened:
            self.found.listed[path] = frozenset(names)
        else:
            self.found.listed.setdefault(path, frozenset(names))
        for name in names:
            self._note(posixpath.join(path, name), before=True, behind=True)

    def _note(self, path: str, *, before: bool, behind: bool) -> None:
        if self._happened:
            self.found.there[path] = before
        else:
            self.found.there.setdefault(path, behind)

    def _path(self, found: Any) -> str | None:
        if not isinstance(found, (str, bytes)):
            return None
        text = found if isinstance(found, str) else found.decode("utf-8", "surrogateescape")
        return posixpath.normpath(posixpath.join(self._directory, text))


def _mode(event: Event) -> str:
    return str(event.request.get("mode"))


def _items(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
