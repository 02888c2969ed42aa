"""The small values that msgpack doesn't know: big ints, dates, decimals, ids, paths. One encoder and one decoder
each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final
from uuid import UUID

from replay.cassette import _msgpack as msgpack
from replay.model.errors import NotStorable

_MICROSECOND: Final = timedelta(microseconds=1)


def _int_bytes(value: int) -> bytes:
    """Two's complement, big endian, as short as it gets."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _bytes_int(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _zone(tz: tzinfo | None, offset: timedelta | None, name: str | None) -> list[object]:
    """[offset in µs or None, name or None, key of the zone database or None]; empty without a timezone."""
    if tz is None:
        return []
    micros = None if offset is None else offset // _MICROSECOND
    if type(tz) is timezone:
        given = name != timezone(tz.utcoffset(None)).tzname(None)  # or is it the name that every such offset has?
        return [micros, name if given else None, None]
    zoneinfo = sys.modules.get("zoneinfo")
    key: str | None = getattr(tz, "key", None) if zoneinfo is not None and type(tz) is zoneinfo.ZoneInfo else None
    if micros is None and key is None:
        raise NotStorable(f"{type(tz).__module__}.{type(tz).__qualname__}", "a timezone without an offset")
    return [micros, name, key]


def _tz(parts: list[Any]) -> tzinfo | None:
    if not parts:
        return None
    micros, name, key = parts
    if key is not None:
        import zoneinfo  # most cassettes hold no zone

        try:
            return zoneinfo.ZoneInfo(key)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            if micros is None:
                return None  # a bare time of a zone that this machine doesn't know
    offset = timedelta(microseconds=micros)
    return timezone(offset) if name is None else timezone(offset, name)


def _encode_datetime(value: datetime) -> bytes:
    text = value.replace(tzinfo=None).isoformat()
    return msgpack.plain([text, value.fold, *_zone(value.tzinfo, value.utcoffset(), value.tzname())])


def _encode_time(value: time) -> bytes:
    text = value.replace(tzinfo=None).isoformat()
    return msgpack.plain([text, value.fold, *_zone(value.tzinfo, value.utcoffset(), value.tzname())])


def _decode_datetime(raw: bytes) -> datetime:
    text, fold, *zone = msgpack.unplain(raw)
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=_tz(zone))


def _decode_time(raw: bytes) -> time:
    text, fold, *zone = msgpack.unplain(raw)
    return time.fromisoformat(text).replace(fold=fold, tzinfo=_tz(zone))


def _encode_path(value: PurePath) -> bytes:
    return msgpack.plain([type(value).__name__, str(value)])


_PATHS: Final[dict[str, type[PurePath]]] = {c.__name__: c for c in (PurePosixPath, PureWindowsPath)}
_PATHS["PosixPath"] = PurePosixPath if sys.platform == "win32" else Path  # the other system's paths come as pure ones
_PATHS["WindowsPath"] = Path if sys.platform == "win32" else PureWindowsPath


def _decode_path(raw: bytes) -> PurePath:
    flavour, text = msgpack.unplain(raw)
    return _PATHS[flavour](text)


ENCODERS: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    int: (0x04, _int_bytes),  # beyond 64 bits; the others never come here
    datetime: (0x05, _encode_datetime),
    date: (0x06, lambda value: value.isoformat().encode()),
    time: (0x07, _encode_time),
    timedelta: (0x08, lambda value: _int_bytes(value // _MICROSECOND)),
    Decimal: (0x09, lambda value: str(value).encode()),
    UUID: (0x0A, lambda value: value.bytes),
    PurePosixPath: (0x0B, _encode_path),
    PureWindowsPath: (0x0B, _encode_path),
    PosixPath: (0x0B, _encode_path),
    WindowsPath: (0x0B, _encode_path),
}
"""Exact class -> ext code and encoder. Subclasses (pandas' Timestamp, a frozen clock) are not these."""

DECODERS: Final[dict[int, Callable[[bytes], object]]] = {
    0x04: _bytes_int,
    0x05: _decode_datetime,
    0x06: lambda raw: date.fromisoformat(raw.decode()),
    0x07: _decode_time,
    0x08: lambda raw: timedelta(microseconds=_bytes_int(raw)),
    0x09: lambda raw: Decimal(raw.decode()),
    0x0A: lambda raw: UUID(bytes=raw),
    0x0B: _decode_path,
}
