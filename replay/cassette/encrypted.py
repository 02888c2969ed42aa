"""Reading encrypted cassettes: each is a `ByteSource` over the bytes that it would have unencrypted.

What was altered reads as zeros, which no checksum of a frame fits: so a reader finds the damage where it is, as in any
other cassette, and never sees a byte that nobody vouches for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from struct import Struct
from typing import Final

from replay.cassette import age, keyring
from replay.cassette.lru import Recent
from replay.cassette.source import ByteSource
from replay.model.errors import CassetteDamaged, CassetteEncrypted

MAGIC: Final = b"agent-replay.journal/v1\n"
INFO: Final = b"agent-replay journal"
RECORD: Final = Struct(">IQ")
"""Length of what is sealed, its tag included; number."""

LIMIT: Final = 16 << 20
"""A longer record is damage (a writer makes some of 1 MiB)."""

START: Final = 32
_WINDOW: Final = 256 * 1024
_KEPT: Final = 16
_BROKEN: Final = 64


def key_of(file_key: bytes, nonce: bytes) -> bytes:
    """The key of a journal's records."""
    return age.hkdf(file_key, nonce, INFO)


def nonce_of(number: int) -> bytes:
    """Of the record with that number."""
    return number.to_bytes(12, "big")


def opened(source: ByteSource, start: bytes) -> ByteSource | None:
    """`source` decrypted; None where it isn't encrypted.

    Args:
        start: its first `START` bytes, or all.

    Raises:
        CassetteEncrypted: no identity at hand opens it. CassetteDamaged: its header was cut or altered.
        KeyUnusable: `cryptography` is missing, or an identity file can't be used.
    """
    journal = start.startswith(MAGIC)
    if not journal and not start.startswith(age.VERSION):
        return None
    skip = len(MAGIC) if journal else 0
    data = source.read_at(skip, age.HEADER_LIMIT)
    size = age.header_size(data)
    if size is None or len(data) < size + age.NONCE:
        raise CassetteDamaged(f"{source.name} is encrypted, and its header was cut", offset=0, good_events=0)
    identities = keyring.identities()
    file_key = age.open_header(data[:size], identities)
    if file_key is None:
        what = "and no identity was given" if not identities else "and not for the identity that was given"
        hint = "--identity FILE, or REPLAY_IDENTITY"
        raise CassetteEncrypted(f"{source.name} is encrypted, {what}", hint=hint)
    nonce = data[size : size + age.NONCE]
    begins = skip + size + age.NONCE
    found = (
        JournalSource(source, begins, key_of(file_key, nonce))
        if journal
        else AgeSource(source, begins, age.payload_key(file_key, nonce))
    )
    first = found.read_at(0, START)
    if first and not any(first):
        raise CassetteDamaged(f"{source.name} was altered or cut near its beginning", offset=begins, good_events=0)
    return found


class AgeSource:
    """A sealed one: an age file.

    Args:
        source: what it is read from. begins: where its chunks begin there.
    """

    def __init__(self, source: ByteSource, begins: int, key: bytes) -> None:
        self.name = source.name
        self._source = source
        self._begins = begins
        self._open = age.opener(key)
        there = max(source.size - begins, 0)
        self._last = max(-(-there // (age.CHUNK + age.TAG)) - 1, 0)
        self.size = max(there - (self._last + 1) * age.TAG, 0)
        self._chunks: Recent[int, bytes] = Recent(_KEPT)

    def read_at(self, offset: int, count: int) -> bytes:
        end = min(offset + count, self.size)
        if offset >= end:
            return b""
        first, last = offset // age.CHUNK, (end - 1) // age.CHUNK
        self._fetch(first, last)
        data = b"".join(self._chunk(number) for number in range(first, last + 1))
        return data[offset - first * age.CHUNK : end - first * age.CHUNK]

    def _fetch(self, first: int, last: int) -> None:
        """Many chunks at once: one read."""
        if last - first < _KEPT and any(self._chunks.get(number) is None for number in range(first, last + 1)):
            whole = age.CHUNK + age.TAG
            data = self._source.read_at(self._begins + first * whole, (last - first + 1) * whole)
            for number in range(first, last + 1):
                self._keep(number, data[(number - first) * whole : (number - first + 1) * whole])

    def _chunk(self, number: int) -> bytes:
        chunk = self._chunks.get(number)
        if chunk is None:
            whole = age.CHUNK + age.TAG
            chunk = self._keep(number, self._source.read_at(self._begins + number * whole, whole))
        return chunk

    def _keep(self, number: int, sealed: bytes) -> bytes:
        chunk = self._open(age.chunk_nonce(number, last=number == self._last), sealed, None)
        chunk = bytes(max(len(sealed) - age.TAG, 0)) if chunk is None else chunk
        self._chunks.put(number, chunk)
        return chunk

    def close(self) -> None:
        self._source.close()


class JournalSource:
    """One that is being recorded, or whose writer died: a journal. Its heads are read through once."""

    def __init__(self, source: ByteSource, begins: int, key: bytes) -> None:
        self.name = source.name
        self._source = source
        self._open = age.opener(key)
        self._starts = array("Q")
        self._offsets = array("Q")
        self._records: Recent[int, bytes] = Recent(_KEPT)
        self.size = 0
        self._look(begins)

    def _look(self, at: int) -> None:
        """Where the records are."""
        window, begun = b"", at
        expected = -1
        while at < self._source.size:
            if at + RECORD.size > begun + len(window):
                window, begun = self._source.read_at(at, _WINDOW), at
            head = window[at - begun : at - begun + RECORD.size]
            length, number = RECORD.unpack(head) if len(head) == RECORD.size else (0, 0)
            if len(head) < RECORD.size or (
                age.TAG <= length <= LIMIT and at + RECORD.size + length > self._source.size
            ):
                self.size += 1  # a record that was cut reads as a frame that was cut
                return
            self._starts.append(self.size)
            self._offsets.append(at)
            if not age.TAG <= length <= LIMIT or number <= expected:
                self._offsets[-1] = 0  # what begins here is no record
                self.size += _BROKEN
                return
            expected = number
            self.size += length - age.TAG
            at += RECORD.size + length

    def read_at(self, offset: int, count: int) -> bytes:
        end = min(offset + count, self.size)
        out: list[bytes] = []
        while offset < end:
            number = bisect_right(self._starts, offset) - 1
            record = self._record(number)
            begin = offset - (self._starts[number] if number >= 0 else 0)
            piece = record[begin : begin + end - offset] or bytes(end - offset)
            out.append(piece)
            offset += len(piece)
        return b"".join(out)

    def _record(self, number: int) -> bytes:
        if number < 0 or not self._offsets[number]:
            return b""
        record = self._records.get(number)
        if record is None:
            at = self._offsets[number]
            head = self._source.read_at(at, RECORD.size)
            length, counter = RECORD.unpack(head)
            sealed = self._source.read_at(at + RECORD.size, length)
            found = self._open(nonce_of(counter), sealed, head)
            record = bytes(length - age.TAG) if found is None else found
            self._records.put(number, record)
        return record

    def close(self) -> None:
        self._source.close()
