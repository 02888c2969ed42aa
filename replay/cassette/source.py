"""Where a reader's bytes come from: a file today, anything with random access tomorrow."""

from __future__ import annotations

import os
import stat
from typing import Protocol

from replay.model.errors import CassetteMissing, CassetteUnreadable


class ByteSource(Protocol):
    """Random access to bytes that don't change while they are read (a file may grow; `size` is what it was)."""

    @property
    def name(self) -> str:
        """For messages: a path or an address."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; fewer only at the end. Raises CassetteUnreadable."""
        ...

    def close(self) -> None: ...


class FileSource:
    """A regular file, opened for reading only.

    Raises:
        CassetteMissing: there is none.
        CassetteUnreadable: no permission, a directory, a device.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        try:
            self._fd = os.open(self.name, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        except (FileNotFoundError, NotADirectoryError):
            raise CassetteMissing(f"no such cassette: {self.name}", hint="`replay ls` lists what there is") from None
        except (OSError, ValueError) as error:
            raise CassetteUnreadable(f"can't open {self.name}: {error}") from None
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise CassetteUnreadable(f"{self.name} isn't a regular file")
        self.size = status.st_size

    def read_at(self, offset: int, count: int) -> bytes:
        try:
            data = b""
            while len(data) < count and offset + len(data) < self.size:
                more = os.pread(self._fd, min(count, self.size - offset) - len(data), offset + len(data))
                if not more:
                    break  # it was cut while we read
                data += more
        except OSError as error:
            raise CassetteUnreadable(f"can't read {self.name}: {error}") from None
        return data

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
