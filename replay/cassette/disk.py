"""Where a writer's bytes go: a file as it is (here), or an encrypted one (`replay.cassette.journal`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from os import fstat  # bound now: seams patch the module's attributes
from os import write as os_write
from typing import Any, Final, Protocol

from replay.cassette import stopping

_HIGH: Final = 500
"""Numbers of descriptors from here on: a program that closes what it didn't open, and opens files then, gets others."""

Segments = Sequence[tuple[int, int, int]]


class Ending(Protocol):
    """A file to be sealed. Offsets are those of the bytes that were put, whatever they look like there.

    Attributes:
        put: takes a beginning of the bytes it is given, and says how many. What it took survives kill -9. After an
            OSError it has to be given the same bytes again.
    """

    @property
    def put(self) -> Callable[[bytes], int]: ...

    def read(self, offset: int, count: int) -> bytes:
        """What was put there. Raises OSError."""
        ...

    def is_at(self, path: str) -> bool:
        """Whether that is the file."""
        ...

    def replace(self, path: str, pieces: Iterable[bytes]) -> None:
        """Put a file of these bytes in its place, in one step. Raises OSError: nothing has changed."""
        ...

    def append(self, data: bytes, size: int) -> bool:
        """Add `data` behind the `size` bytes that were put; False where only `replace` will do. Raises OSError."""
        ...

    def close(self) -> None: ...


class Disk(Ending, Protocol):
    """A file that grows."""

    def mine(self) -> bool:
        """Whether its descriptor is still that file's: a program may close what it didn't open."""
        ...

    def look(self, written: int) -> tuple[int, int, int]:
        """How many names the file has, how many bytes, and how many it should have when `written` were put."""
        ...

    def stop(self, header: dict[str, Any], segments: Segments | None, at: int, reason: str) -> bool:
        """As `replay.cassette.stopping.stop`."""
        ...


class Plain:
    """A file open at `fd`, for appending."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._file = identity(fd)
        self.put: Callable[[bytes], int] = partial(os_write, fd)

    def mine(self) -> bool:
        return identity(self._fd) == self._file

    def look(self, written: int) -> tuple[int, int, int]:
        status = fstat(self._fd)
        return status.st_nlink, status.st_size, written

    def read(self, offset: int, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = os.pread(self._fd, count - len(data), offset + len(data))
            if not more:
                raise OSError(5, "the file is shorter than what was written to it")
            data += more
        return data

    def stop(self, header: dict[str, Any], segments: Segments | None, at: int, reason: str) -> bool:
        return stopping.stop(self._fd, header, segments, at, reason)

    def is_at(self, path: str) -> bool:
        return is_at(self._fd, path)

    def replace(self, path: str, pieces: Iterable[bytes]) -> None:
        new = put_in_place(path, fstat(self._fd).st_mode, pieces)
        os.close(self._fd)
        self._fd, self._file = new, identity(new)

    def append(self, data: bytes, size: int) -> bool:
        if fstat(self._fd).st_size != size:  # somebody else has written to it
            return False
        try:
            write_all(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        return True

    def close(self) -> None:
        if self.mine():
            os.close(self._fd)
        self._fd = -1


def identity(fd: int) -> tuple[int, int] | None:
    """Which file that is; None where it is closed."""
    try:
        status = fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def high(fd: int) -> int:
    """The same file by a high number, if there are so many."""
    import fcntl

    try:
        number = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:
        return fd
    os.close(fd)
    return number


def is_at(fd: int, path: str) -> bool:
    """Whether the file open at `fd` is the one at `path`."""
    return os.path.exists(path) and os.path.samestat(fstat(fd), os.stat(path))


def put_in_place(path: str, mode: int, pieces: Iterable[bytes]) -> int:
    """A file of these bytes, written beside, in the place of the one at `path` in one step. Returns its descriptor.

    Raises:
        OSError: nothing has changed.
    """
    beside = f"{path}.sealing"
    if os.path.exists(beside):
        os.unlink(beside)  # of a process that died while it sealed
    new = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode & 0o777)
    try:
        for piece in pieces:
            write_all(new, piece)
        os.fsync(new)  # a rename can reach the disk before the bytes do
        os.replace(beside, path)
    except BaseException:
        os.close(new)
        os.unlink(beside)
        raise
    return new


def write_all(fd: int, data: bytes) -> None:
    """Writes all of `data`, however often it takes."""
    view = memoryview(data)
    while view:
        view = view[os_write(fd, view) :]
