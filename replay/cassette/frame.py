"""Framing without I/O: bytes in, frames out, and back. `docs/format.md` has the layout, byte by byte.

The checksums form a chain: each frame's crc is seeded with the crc of the frame before it, so a frame that was altered,
dropped, doubled or moved doesn't fit where it stands. The crc comes first and covers everything behind it, lengths too.
It guards against accidents; the sha256 of CHAIN frames is there for evidence.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

MAGIC: Final = b"\x89RPLAY\r\n\x1a\n"
"""As in PNG: not text, and any transfer that changes line ends or cuts the eighth bit destroys it."""

VERSION: Final = 1
PREAMBLE: Final = MAGIC + VERSION.to_bytes(2, "big")

HEADER: Final = 1
CALL: Final = 2
RETURN: Final = 3
EVENT: Final = 4
CHUNK: Final = 5
TRACK: Final = 6
LANE: Final = 7
SITE: Final = 8
BLIND: Final = 9
CHAIN: Final = 10
END: Final = 11
BLOCK: Final = 12
INDEX: Final = 13
CONTENT: Final = 14
DIGESTS: Final = 15

NAMES: Final = {
    HEADER: "HEADER",
    CALL: "CALL",
    RETURN: "RETURN",
    EVENT: "EVENT",
    CHUNK: "CHUNK",
    TRACK: "TRACK",
    LANE: "LANE",
    SITE: "SITE",
    BLIND: "BLIND",
    CHAIN: "CHAIN",
    END: "END",
    BLOCK: "BLOCK",
    INDEX: "INDEX",
    CONTENT: "CONTENT",
    DIGESTS: "DIGESTS",
}

ENVELOPES: Final = frozenset((BLOCK, INDEX, DIGESTS))
"""Frames of a sealed file that are no links of the chain."""

LATER: Final = frozenset((RETURN, CHUNK, CONTENT))
"""Frames of an event that may come long after it began."""

NO_EVENT: Final = 0xFFFFFFFF
MAX_PAYLOAD: Final = 1 << 30
"""1 GiB: a length above it is damage, never a reason to allocate."""

HEAD: Final = Struct(">IIBI")  # crc, length, type, event
COVERED: Final = Struct(">IBI")  # the part of the head that the crc covers
TYPE: Final = 8
"""Where the type stands in a frame."""

TRAILER: Final = Struct(">QII8s")  # offset of INDEX, seed of its crc, crc of these 12 bytes, mark
TRAILER_MARK: Final = b"\x89RPLEND\n"

_cover = COVERED.pack
_head = HEAD.unpack_from
_length_and_event = Struct(">4xIxI").unpack_from


Frame: TypeAlias = tuple[int, int, int, int]
"""(type, event, start, end) of one frame in the buffer that was parsed: its payload is `data[start:end]`. A plain
tuple, because a scan makes one for each frame."""


class Parsed(NamedTuple):
    """What `parse` found. `end`: offset behind the last whole frame; `problem`: why it can't go on, None if it can."""

    frames: list[Frame]
    crc: int
    end: int
    problem: str | None


def encode(type_: int, event: int, payload: bytes, seed: int) -> tuple[bytes, int]:
    """A whole frame and its crc, the seed of the next.

    Example:
        >>> encode(LANE, NO_EVENT, b"\\x92\\x00\\xa1m", 0)[0].hex(" ", -4)
        '9e7c0aa5 00000004 07 ffffffff ...'
    """
    if len(payload) > MAX_PAYLOAD:
        raise OverflowError(f"a frame holds up to {MAX_PAYLOAD} bytes, not {len(payload)}")
    covered = _cover(len(payload), type_, event) + payload
    crc = crc32(covered, seed)
    return crc.to_bytes(4, "big") + covered, crc


def parse(data: bytes, seed: int, start: int = 0, limit: int = -1) -> Parsed:
    """All whole frames of `data[start:]`, in order, checksums verified; stops at the first that isn't whole or right,
    and behind an envelope: what it envelops comes before what follows.

    Give the rest (`data[end:]`) again in front of the bytes that come next, with `crc` as the seed.

    Args:
        data: any cut of the stream of frames that begins, at `start`, with a frame.
        seed: crc of the frame before; 0 at the first.
        limit: stop after so many frames.
    """
    frames: list[Frame] = []
    append = frames.append
    view = memoryview(data)
    size = len(data)
    last_head = size - 13
    pos = start
    while pos <= last_head and limit:
        crc, length, type_, event = _head(data, pos)
        end = pos + 13 + length
        if end > size:
            if length > MAX_PAYLOAD:
                return Parsed(frames, seed, pos, f"a length of {length} bytes")
            break
        if crc32(view[pos + 4 : end], seed) != crc:
            return Parsed(frames, seed, pos, "checksum doesn't fit")
        append((type_, event, pos + 13, end))
        pos = end
        if type_ > 11 and type_ in ENVELOPES:
            break
        seed = crc
        limit -= 1
    return Parsed(frames, seed, pos, None)


def walk(data: bytes) -> tuple[list[int], list[int]]:
    """Where the frames of `data` are, by their lengths alone: the event of each; 0 and the end of each.

    No checksum is looked at: lengths that lie lead anywhere, also past the end.

    Example:
        >>> frame, _ = encode(RETURN, 7, b"", 0)
        >>> walk(frame + frame)
        ([7, 7], [0, 13, 26])
    """
    events: list[int] = []
    ends = [pos := 0]
    last_head = len(data) - 13
    while pos <= last_head:
        length, event = _length_and_event(data, pos)
        pos += 13 + length
        events.append(event)
        ends.append(pos)
    return events, ends


def crc_at(data: bytes, start: int) -> int:
    """The crc of the frame that begins there, as it is written."""
    return int.from_bytes(data[start : start + 4], "big")


def fits(data: bytes, start: int, end: int, seed: int) -> bool:
    """Whether the frame there has the crc that it must have behind one with the crc `seed`."""
    return crc32(memoryview(data)[start + 4 : end], seed) == crc_at(data, start)


def whole_size(data: bytes, pos: int) -> int:
    """Bytes of the frame at `pos`, as its head claims; those of the head while that isn't whole."""
    if len(data) - pos < 13:
        return 13
    length: int = _head(data, pos)[1]
    return 13 + length
