"""A reader written from docs/format.md alone: struct, zlib, msgpack, and zstandard for blocks. Shares nothing with
ours."""

from __future__ import annotations

import struct
import zlib
from hashlib import sha256
from typing import Any

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
import zstandard

_msgpack: Any = msgpack
EVENTS = {2, 4}


def value(data: bytes) -> Any:
    """Ext values as (code, decoded) for those that hold msgpack, (code, bytes) for the others."""

    def hook(code: int, raw: bytes) -> Any:
        holds_msgpack = code in (1, 2, 3, 5, 7, 0x0B, 0x10, 0x20)
        return (code, _freeze(value(raw)) if holds_msgpack else raw)

    return _msgpack.unpackb(data, ext_hook=hook, strict_map_key=False, unicode_errors="surrogatepass")


def _freeze(item: Any) -> Any:
    if isinstance(item, list):
        return tuple(_freeze(part) for part in item)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    if isinstance(item, dict):
        return tuple((key, _freeze(part)) for key, part in item.items())  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    return item


class Tiny:
    """All of a cassette, read from the first byte to the last good one."""

    def __init__(self, data: bytes) -> None:
        assert data[:10] == bytes.fromhex("8952504C41590D0A1A0A")
        assert struct.unpack(">H", data[10:12]) == (1,)
        self.plain = data[:12]
        self.frames: list[tuple[int, int, bytes]] = []
        self.index: Any = None
        self.digests: Any = None
        self.crc = 0
        self.end = 12
        while self._next(data):
            pass
        self.sealed = bool(self.index) and self._trailer(data)

    def _next(self, data: bytes) -> bool:
        head = data[self.end : self.end + 13]
        if len(head) < 13 or self.index is not None:
            return False
        crc, length, kind, event = struct.unpack(">IIBI", head)
        whole = data[self.end : self.end + 13 + length]
        if len(whole) < 13 + length or zlib.crc32(whole[4:], self.crc) != crc:
            return False
        if kind == 12:
            size, _, packed = value(whole[13:])
            inside = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
            assert len(inside) == size
            outer, self.end = self.end, 0
            while self._next(inside):
                pass
            assert self.end == size
            self.end = outer
        elif kind == 13:
            self.index = value(whole[13:])
            self.index_at = self.end
        elif kind == 15:
            size, _, packed = value(whole[13:])
            self.digests = value(zstandard.ZstdDecompressor().decompress(packed, max_output_size=size))
            self.digests_at = self.end
        else:
            if kind == 10:
                assert value(whole[13:]) == [sha256(self.plain).digest()]
            self.plain += whole
            self.crc = crc
            self.frames.append((kind, event, whole[13:]))
        self.end += 13 + length
        return True

    def _trailer(self, data: bytes) -> bool:
        offset, seed, crc, mark = struct.unpack(">QII8s", data[self.end :])
        assert mark == bytes.fromhex("8952504C454E440A")
        assert crc == zlib.crc32(data[self.end : self.end + 12])
        assert (offset, seed) == (self.index_at, self.crc)
        return True

    def body(self, event: int) -> bytes | None:
        stored = next(value(payload)[7] for kind, number, payload in self.frames if kind in EVENTS and number == event)
        if stored is None or isinstance(stored, bytes):
            return stored
        code: int = stored[0]
        base: int
        base, prefix, suffix, middle = stored[1]
        assert code == 0x20
        assert base < event
        before = self.body(base)
        assert before is not None
        whole: bytes = before[:prefix] + middle + before[len(before) - suffix :]
        return whole

    @property
    def events(self) -> list[int]:
        return [event for kind, event, _ in self.frames if kind in EVENTS]
