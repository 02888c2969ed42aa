"""The files as a program sees them behind a fork point: reads find what was, writes stay in the overlay.

    what                       where it is looked for, first found
    content                    the overlay; what the recording says was in it; the disk
    whether it is there        what the program did; what the recording says; the overlay; the disk

The disk is never written to. It may be ahead of the fork point: the recorded program itself may have gone on to write
there. What the recording tells of how it was before counts more, so its own later files aren't seen.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from typing import Any

from replay.boundary import originals
from replay.runtime.files import world

_REAL = originals.REAL_OS
_join = os.path.join
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND


class View:
    """Of one fork.

    Args:
        there: absolute path -> whether there was something at the fork point, as far as anything tells.
        listed: directory -> all names that were in it once; later changes are in `there`.
        content: what was in a file that the recording reads behind the fork point; None where it doesn't.
    """

    def __init__(
        self,
        there: Mapping[str, bool],
        listed: Mapping[str, frozenset[str]],
        content: Callable[[str], bytes | None],
    ) -> None:
        self._there = dict(there)
        self._listed = dict(listed)
        self._content = content

    def exists(self, path: str) -> bool:
        """Whether there is something."""
        known = self._there.get(path)
        if known is not None:
            return known
        if _REAL.path.lexists(world.inside(path)):
            return True
        folder, name = _REAL.path.split(path)
        if folder != path and (name not in self._listed.get(folder, (name,)) or not self.exists(folder)):
            return False
        return bool(_REAL.path.lexists(path))

    def readable(self, path: str) -> str:
        """Where it lies. Raises FileNotFoundError."""
        target = world.inside(path)
        if not self.exists(path):
            raise _error(errno.ENOENT, path)
        if _REAL.path.lexists(target):
            return target
        content = self._content(path)
        return path if content is None else world.lay(path, len(content), None, content)

    def writable(self, path: str) -> str:
        """Where it lies in the overlay, with what was in it. Raises FileNotFoundError."""
        source, target = self.readable(path), world.inside(path)
        if source != target:
            fd = originals.os_open(source, os.O_RDONLY)
            try:
                content = world.read_all(fd)
            finally:
                originals.os_close(fd)
            world.lay(path, len(content), None, content)
        return target

    def open(self, path: str, flags: int, mode: int) -> int:
        """As `os.open`."""
        if not self.exists(path):
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            self._folder_of(path)
            self._there[path] = True
            return originals.os_open(world.inside(path), flags | os.O_CREAT, mode)
        if flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        if self._is_directory(path):
            if flags & _WRITES:
                raise _error(errno.EISDIR, path)
            return originals.os_open(self.readable(path), flags)
        where = self.writable(path) if flags & _WRITES else self.readable(path)
        return originals.os_open(where, flags & ~(os.O_CREAT | os.O_EXCL))

    def ask(self, name: str, real: Any, path: str, *args: Any, **more: Any) -> Any:
        """A question of `os`, asked about the file that is meant."""
        if name == "listdir":
            return self.names(path)
        if name == "access" and not self.exists(path):
            return False
        try:
            return real(self.readable(path), *args, **more)
        except OSError as error:
            raise type(error)(error.errno, error.strerror, path) from None

    def names(self, path: str) -> list[str]:
        """What is in a directory. Raises FileNotFoundError, NotADirectoryError."""
        if not self._is_directory(path):
            raise _error(errno.ENOTDIR, path)
        found = {_REAL.path.basename(each) for each in self._there if _REAL.path.dirname(each) == path}
        for place in (path, world.inside(path)):
            try:
                found |= set(_REAL.listdir(place))
            except OSError:
                continue
        return sorted(name for name in found - {""} if self.exists(_join(path, name)))

    def scan(self, path: str) -> list[list[Any]]:
        """[name, inode, is a directory, a file, a link] of each entry."""
        entries: list[list[Any]] = []
        for name in self.names(path):
            try:
                where = self.readable(_join(path, name))
                own, met = _REAL.lstat(where), _REAL.stat(where)
            except OSError:  # a link that leads nowhere, or what is gone from the disk
                continue
            link = stat.S_ISLNK(own.st_mode)
            entries.append([name, own.st_ino, stat.S_ISDIR(met.st_mode), stat.S_ISREG(met.st_mode), link])
        return entries

    def change(self, name: str, path: str, other: str | None, args: tuple[Any, ...], more: dict[str, Any]) -> None:
        """A change, made in the overlay.

        Args:
            args, more: what follows the paths in the call.
        """
        if name in ("remove", "unlink"):
            self._remove(path, directory=False)
        elif name == "rmdir":
            self._remove(path, directory=True)
        elif name == "mkdir":
            self._absent(path)
            self._folder_of(path)
            world.folder(path)
            self._there[path] = True
        elif name in ("rename", "replace") and other is not None:
            self._move(path, other)
        elif name == "link" and other is not None:
            self._absent(other)
            self._folder_of(other)
            self._copy(path, other)
        elif name == "truncate":
            _REAL.truncate(self.writable(path), *args, **more)
        elif name in ("chmod", "utime"):
            if not self._is_directory(path):
                getattr(_REAL, name)(self.writable(path), *args, **more)
        else:
            raise OSError(errno.EPERM, "a fork makes no such file", path)

    def enter(self, path: str) -> str:
        """For `os.chdir`."""
        if not self._is_directory(path):
            raise _error(errno.ENOTDIR, path)
        return path

    # -- inside --------------------------------------------------------------------------------------------------

    def _is_directory(self, path: str) -> bool:
        """Raises FileNotFoundError."""
        return path == "/" or bool(_REAL.path.isdir(self.readable(path)))

    def _absent(self, path: str) -> None:
        if self.exists(path):
            raise _error(errno.EEXIST, path)

    def _folder_of(self, path: str) -> None:
        """Something is made there: its directory has to be."""
        folder = _REAL.path.dirname(path)
        if not self._is_directory(folder):
            raise _error(errno.ENOTDIR, path)
        world.folder(folder)

    def _remove(self, path: str, *, directory: bool) -> None:
        if self._is_directory(path) != directory:
            raise _error(errno.ENOTDIR if directory else errno.EISDIR, path)
        if directory and self.names(path):
            raise _error(errno.ENOTEMPTY, path)
        world.change("rmdir" if directory else "remove", path, None)
        self._there[path] = False

    def _move(self, path: str, other: str) -> None:
        self._folder_of(other)
        if self._is_directory(path):
            if self.exists(other) and self.names(other):
                raise _error(errno.ENOTEMPTY, other)
            world.folder(other)
            self._there[other] = True
            for name in self.names(path):
                self._move(_join(path, name), _join(other, name))
            self._remove(path, directory=True)
            return
        if self.exists(other) and self._is_directory(other):
            raise _error(errno.EISDIR, other)
        self.writable(path)
        world.change("replace", path, other)
        self._there[path], self._there[other] = False, True

    def _copy(self, path: str, other: str) -> None:
        self.writable(path)
        world.change("link", path, other)
        self._there[other] = True


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
