"""What the files of a replay held at an event. A fork shares the disk with the process it came from: before one that
stands at an earlier event goes on, its files are put back, in place, since somebody may have them open.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LIMIT: Final = 64 << 20
"""Bytes that are kept of one moment. More: nothing is, and the event can't be gone back to without starting again."""
_OURS: Final = frozenset(("verdict.json", "sandbox.log", "frames.txt", "values.trace"))


@dataclass(frozen=True, slots=True)
class Kept:
    """A file, a directory (`content` None) or a link (`link`), as it was. `state`: tells whether it is still so."""

    mode: int
    state: tuple[int, int, int]
    content: bytes | None = None
    link: str | None = None


Files = dict[str, Kept]
"""By path below the scratch directory."""


def look(scratch: str, before: Files) -> Files | None:
    """What is there now; None where that is more than LIMIT. What hasn't changed since `before` isn't read again."""
    found: Files = {}
    size = 0
    for path in _all(scratch):
        try:
            now = os.lstat(os.path.join(scratch, path))
            state = (now.st_ino, now.st_size, now.st_mtime_ns)
            known = before.get(path)
            if known is not None and known.state == state and known.mode == now.st_mode:
                found[path] = known
            elif stat.S_ISREG(now.st_mode):
                with open(os.path.join(scratch, path), "rb") as file:
                    found[path] = Kept(now.st_mode, state, file.read(LIMIT + 1))
            elif stat.S_ISLNK(now.st_mode):
                found[path] = Kept(now.st_mode, state, link=os.readlink(os.path.join(scratch, path)))
            else:
                found[path] = Kept(now.st_mode, (0, 0, 0))
        except OSError:
            continue  # a socket, or gone meanwhile
        size += len(found[path].content or b"")
        if size > LIMIT:
            return None
    return found


def put_back(scratch: str, files: Files) -> None:
    """Make it so again."""
    now = look(scratch, files)
    if now is not None and now == files:
        return
    for path in sorted(set(_all(scratch)) - set(files), reverse=True):
        where = os.path.join(scratch, path)
        if os.path.isdir(where) and not os.path.islink(where):
            os.rmdir(where)
        else:
            os.unlink(where)
    for path, then in files.items():  # a directory comes before what is in it
        where = os.path.join(scratch, path)
        if now is None or now.get(path) != then:
            _make(where, then)


def _make(where: str, then: Kept) -> None:
    if then.link is not None:
        if os.path.lexists(where):
            os.unlink(where)
        os.symlink(then.link, where)
    elif then.content is None:
        os.makedirs(where, exist_ok=True)
    else:
        with open(os.open(where, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.truncate()
            file.write(then.content)
        os.utime(where, ns=(then.state[2], then.state[2]))
        os.chmod(where, stat.S_IMODE(then.mode))


def _all(scratch: str) -> Iterator[str]:
    """Everything below it, directories first, except for what is ours."""
    for folder, folders, names in os.walk(scratch):
        below = os.path.relpath(folder, scratch)
        for name in (*sorted(folders), *sorted(names)):
            path = os.path.normpath(os.path.join(below, name))
            if path not in _OURS:
                yield path
