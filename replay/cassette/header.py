"""What the first frame says: which format, who wrote it, when, and which behaviour a reader has to know."""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom
from time import time_ns
from typing import Any, Final

from replay.cassette.frame import VERSION
from replay.model.errors import CassetteNewer, UsageError

WRITER: Final = "agent-replay 1"

KNOWN_FLAGS: Final[frozenset[str]] = frozenset()
"""Behaviour flags this version understands. A flag that begins with `!` is required: who doesn't know it can't
replay."""

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def entropy(count: int) -> bytes:
    """Random bytes, also where the program's own are recorded."""
    return urandom(count)


def new_id(milliseconds: int, entropy: bytes) -> str:
    """A ULID: 26 characters that sort by time.

    Args:
        milliseconds: since 1970.
        entropy: 10 random bytes.

    Example:
        >>> new_id(1_700_000_000_000, bytes(10))
        '01HF7YAT000000000000000000'
    """
    number = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(entropy[:10], "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def iso(milliseconds: int) -> str:
    """UTC, with milliseconds: `2026-11-23T04:37:00.123Z`."""
    from datetime import datetime, timedelta

    moment = datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)  # noqa: DTZ001 - said by the Z
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def complete(header: Mapping[str, Any]) -> dict[str, Any]:
    """`header` with `format`, `writer`, `created`, `id` and `flags`; the last three only where they are missing.

    Raises:
        UsageError: another `format` was asked for.
    """
    if header.get("format", VERSION) != VERSION:
        raise UsageError(f"this version writes format {VERSION}, not {header['format']!r}")
    now = time_ns() // 1_000_000  # bound when this module was imported, so never a patched clock
    return {
        "format": VERSION,
        "writer": WRITER,
        "created": iso(now),
        "id": new_id(now, urandom(10)),
        "flags": [],
        **header,
    }


def check(header: Mapping[str, Any], path: str, known: frozenset[str] = KNOWN_FLAGS) -> None:
    """Raises CassetteNewer where a required flag is unknown."""
    flags = header.get("flags")
    for flag in flags if isinstance(flags, list) else ():  # pyright: ignore[reportUnknownVariableType]
        if isinstance(flag, str) and flag.startswith("!") and flag not in known:
            raise CassetteNewer(f"{path} needs {flag[1:]!r}, which this version doesn't know", hint="please update")
