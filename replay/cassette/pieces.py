"""Digests of large texts that grow: each is cut into pieces, and what it shares with the one before isn't read again.

An agent sends its whole history with each step. Here, as on the disk, a step costs what is new in it.

Where a text is cut follows from the text alone (behind the first end of a JSON object that comes a kilobyte after the
cut before), so equal texts have equal digests, whatever they are stored as a difference to.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

from replay.cassette.delta import Delta
from replay.cassette.lru import Recent
from replay.matching.stable import stable

SIZE: Final = 8
"""Bytes of a digest."""

_PIECE: Final = 1024
_END: Final = b"},"
_STABLE_UP_TO: Final = 1 << 16
"""A longer piece counts as it is: it is no message, and looking for times and ids in it would take too long."""


class Whole(NamedTuple):
    """The digest of a text without what is new in every run, and a checksum of the text as it is."""

    digest: bytes
    exact: int


class Text(NamedTuple):
    """A text in pieces.

    Attributes:
        pieces: joined they are the text. ends: where each ends. marks: the digest of each. sums: and its checksum.
    """

    pieces: list[bytes]
    ends: list[int]
    marks: list[bytes]
    sums: list[bytes]


def digest(data: bytes) -> bytes:
    """SIZE bytes. It finds differences, also those that somebody hides with some effort; it isn't evidence."""
    return blake2b(data, digest_size=SIZE).digest()


class Texts:
    """The texts of one cassette, by event, in the order in which they were recorded."""

    def __init__(self) -> None:
        self._recent: Recent[int, Text] = Recent(64)
        self._whole: dict[int, tuple[Whole, int]] = {}  # and its size

    def add(self, event: int, stored: bytes | Delta) -> Whole:
        """The text of that event, as it is stored."""
        if isinstance(stored, Delta):
            known = self._whole.get(stored.base)
            base = self._recent.get(stored.base)
            if known is not None and not stored.middle and stored.prefix + stored.suffix == known[1]:
                self._whole[event] = known  # the same again, however long ago it was there
                if base is not None:
                    self._recent.put(event, base)
                return known[0]
            if base is None:  # no writer of ours goes back that far: two of these may be equal and seem different
                return Whole(digest(repr((known, stored)).encode()), crc32(stored.middle))
            text = _joined(base, stored)
        else:
            text = Text([], [], [], [])
            _add(text, stored)
        self._recent.put(event, text)
        whole = Whole(digest(b"".join(text.marks)), crc32(b"".join(text.sums)))
        self._whole[event] = whole, text.ends[-1]
        return whole


def _joined(base: Text, delta: Delta) -> Text:
    kept = bisect_right(base.ends, delta.prefix)
    if kept == len(base.ends):
        kept = max(kept - 1, 0)  # the last piece ends where the text did, and not at a cut
    text = Text(base.pieces[:kept], base.ends[:kept], base.marks[:kept], base.sums[:kept])
    begin = text.ends[-1] if kept else 0
    size = base.ends[-1]
    resume = bisect_right(base.ends, size - delta.suffix)  # the piece in which the suffix begins
    rest = _slice(base, kept, begin, delta.prefix) + delta.middle
    for number in range(resume, len(base.pieces)):
        start = base.ends[number] - len(base.pieces[number])
        rest += base.pieces[number][max(size - delta.suffix - start, 0) :]
        rest = _cut(text, rest)
        if not rest and number + 1 < len(base.pieces):
            shift = text.ends[-1] - base.ends[number]
            text.pieces.extend(base.pieces[number + 1 :])
            text.ends.extend([end + shift for end in base.ends[number + 1 :]])
            text.marks.extend(base.marks[number + 1 :])
            text.sums.extend(base.sums[number + 1 :])
            return text
    _add(text, rest)
    return text


def _slice(base: Text, number: int, begin: int, end: int) -> bytes:
    """What stands from `begin`, where piece `number` does, to `end`."""
    found = b""
    while begin + len(found) < end:
        found += base.pieces[number][: end - begin - len(found)]
        number += 1
    return found


def _add(text: Text, rest: bytes) -> None:
    rest = _cut(text, rest)
    if rest or not text.pieces:
        _append(text, rest)


def _cut(text: Text, rest: bytes) -> bytes:
    """Adds all pieces that end at a cut; what is left."""
    begin = 0
    while (end := rest.find(_END, begin + _PIECE)) >= 0:
        _append(text, rest[begin : end + len(_END)])
        begin = end + len(_END)
    return rest[begin:]


def _append(text: Text, piece: bytes) -> None:
    text.pieces.append(piece)
    text.ends.append((text.ends[-1] if text.ends else 0) + len(piece))
    text.marks.append(digest(stable(piece) if len(piece) <= _STABLE_UP_TO else piece))
    text.sums.append(crc32(piece).to_bytes(4, "big"))
