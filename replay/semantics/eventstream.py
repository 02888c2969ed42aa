"""AWS event streams (`application/vnd.amazon.eventstream`): binary frames with string headers and a payload.

frame   = total u32 | headers u32 | crc32(of both) u32 | headers | payload | crc32(of all before) u32   (big endian)
header  = name length u8 | name | type u8 | value ; type 7 is a string with a u16 length, the others have known sizes
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # true, false, i8, i16, i32, i64, timestamp, uuid
_COUNTED = (6, 7)  # bytes, string


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its string headers (`:event-type`, `:message-type`, …) and its payload."""

    headers: dict[str, str]
    payload: bytes


def parse(data: bytes) -> tuple[list[Frame], str | None]:
    """All whole frames, and what is wrong with the rest (None when nothing is).

    Example:
        >>> parse(b"\\0\\0")
        ([], 'the event stream is cut inside a frame')
    """
    frames: list[Frame] = []
    at = 0
    while at < len(data):
        if len(data) - at < 16:
            return frames, "the event stream is cut inside a frame"
        total, headers, crc = struct.unpack_from(">III", data, at)
        if zlib.crc32(data[at : at + 8]) != crc or total < 16 + headers:
            return frames, "the event stream has a damaged frame"
        if at + total > len(data):
            return frames, "the event stream is cut inside a frame"
        body = at + total - 4
        if zlib.crc32(data[at:body]) != struct.unpack_from(">I", data, body)[0]:
            return frames, "the event stream has a damaged frame"
        frames.append(Frame(_headers(data[at + 12 : at + 12 + headers]), data[at + 12 + headers : body]))
        at += total
    return frames, None


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            size = data[at]
            name = data[at + 1 : at + 1 + size].decode("utf-8", "replace")
            kind = data[at + 1 + size]
            at += 2 + size
            if kind in _COUNTED:
                length = int.from_bytes(data[at : at + 2], "big")
                value, at = data[at + 2 : at + 2 + length], at + 2 + length
                if kind == 7:
                    found[name] = value.decode("utf-8", "replace")
            else:
                at += _SIZES[kind]
    except (IndexError, KeyError):
        pass  # checksums were right, so this is a header type of later days: what was read so far stands
    return found
