"""An encrypted cassette that is being recorded: each write is a record of its own, sealed for the file's key.

The age format can't be added to: its last chunk is marked, and one that grows would be sealed twice under one nonce. So
what grows is a journal (docs/format.md, 9), whose key is wrapped for the recipients as in an age file, and which
becomes an age file when it is sealed. A record is on the disk whole or not at all, as a frame is; its number is its
nonce, and no number is used twice, whatever is written over.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from os import fstat  # bound now: seams patch the module's attributes
from os import write as os_write
from typing import Any, Final

from replay.cassette import age, stopping
from replay.cassette.disk import Segments, identity, is_at, put_in_place
from replay.cassette.encrypted import MAGIC, RECORD, JournalSource, key_of, nonce_of
from replay.cassette.header import entropy
from replay.cassette.source import ByteSource

PIECE: Final = 1 << 20
"""A longer write becomes several records."""

_ENDS: Final = 64
"""How many last records may be given up for the reason why a recording stops."""

_ROOM: Final = 2048


class Journal:
    """As `replay.cassette.disk.Plain`, encrypted.

    Args:
        fd: an empty file, open for appending.
        recipients: whom it is for, when it is sealed; `also`: who may read it until then.

    Raises:
        KeyUnusable: a recipient that is none; `cryptography` is missing. OSError.
    """

    def __init__(self, fd: int, recipients: Sequence[str], also: Sequence[str] = ()) -> None:
        self._fd = fd
        self._file = identity(fd)
        self._recipients = recipients
        header, file_key = age.new_header([*recipients, *also])
        nonce = entropy(age.NONCE)
        key = key_of(file_key, nonce)
        self._encrypt: Callable[[bytes, bytes, bytes], bytes] = age.cipher(key).encrypt
        self._key = key
        self._rest = MAGIC + header + nonce
        self._begins = len(self._rest)
        self._size = 0
        self._taken = 0
        self._number = 0
        self._ends: deque[int] = deque(maxlen=_ENDS)

    def put(self, data: bytes) -> int:
        """At most `PIECE` bytes of it."""
        if not self._taken:
            piece = data[:PIECE]
            self._taken = len(piece)
            self._ends.append(self._size + len(self._rest))
            self._rest += self._record(piece)
        while self._rest:
            done = os_write(self._fd, self._rest)
            self._size += done
            self._rest = self._rest[done:]
        taken, self._taken = self._taken, 0
        return taken

    def _record(self, piece: bytes) -> bytes:
        head = RECORD.pack(len(piece) + age.TAG, self._number)
        sealed = self._encrypt(nonce_of(self._number), piece, head)
        self._number += 1
        return head + sealed

    def mine(self) -> bool:
        return identity(self._fd) == self._file

    def look(self, written: int) -> tuple[int, int, int]:
        status = fstat(self._fd)
        return status.st_nlink, status.st_size, self._size

    def read(self, offset: int, count: int) -> bytes:
        data = self._source().read_at(offset, count)
        if len(data) < count:
            raise OSError(5, "the file is shorter than what was written to it")
        return data

    def _source(self) -> JournalSource:
        there = min(self._size, fstat(self._fd).st_size)
        return JournalSource(stopping.Open(self._fd, there), self._begins, self._key)

    def stop(self, header: dict[str, Any], segments: Segments | None, at: int, reason: str) -> bool:
        """The last records are given up for one with the reason, sealed under a number of its own."""
        status = fstat(self._fd)
        if not status.st_nlink:
            return False
        if segments is None:
            return True  # somebody else has written to it: nothing of it is touched
        ends = [end for end in self._ends if end > self._begins] or [self._size]
        cut = next((end for end in reversed(ends) if end <= status.st_size - _ROOM), ends[0])
        crc, events = stopping.state(JournalSource(stopping.Open(self._fd, cut), self._begins, self._key))
        record = self._record(stopping.gap(events, crc, at, reason, announced=events > 0))
        stopping.overwrite(self._fd, cut, record)
        self._rest, self._size = b"", cut + len(record)
        return True

    def is_at(self, path: str) -> bool:
        return is_at(self._fd, path)

    def replace(self, path: str, pieces: Iterable[bytes]) -> None:
        """By an age file."""
        new = put_in_place(path, fstat(self._fd).st_mode, age.seal(pieces, self._recipients))
        os.close(self._fd)
        self._fd, self._file = new, identity(new)

    def append(self, data: bytes, size: int) -> bool:
        return False

    def close(self) -> None:
        if self.mine():
            os.close(self._fd)
        self._fd = -1


class Ended:
    """A journal whose writer has ended, to be sealed by another process. What is put is only in memory."""

    def __init__(self, path: str, source: ByteSource, recipients: Any) -> None:
        """Takes a journal's `source`, which it doesn't close. Raises KeyUnusable for recipients that are none."""
        self._path = path
        self._source = source
        texts: list[Any] = recipients if isinstance(recipients, list) else []  # pyright: ignore[reportUnknownVariableType]
        self._recipients = age.recipients(str(text) for text in texts)
        self._more = b""

    def put(self, data: bytes) -> int:
        self._more += data
        return len(data)

    def read(self, offset: int, count: int) -> bytes:
        data = self._source.read_at(offset, count)
        begin = max(offset - self._source.size, 0)
        return data + self._more[begin : begin + count - len(data)]

    def is_at(self, path: str) -> bool:
        return os.path.exists(path)

    def replace(self, path: str, pieces: Iterable[bytes]) -> None:
        os.close(put_in_place(path, os.stat(path).st_mode, age.seal(pieces, self._recipients)))

    def append(self, data: bytes, size: int) -> bool:
        return False

    def close(self) -> None:
        """The source is another's."""
