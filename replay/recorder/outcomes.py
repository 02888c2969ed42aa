"""What came of a crossing, as numbers, and what can be said about requests and ends without a recorder. Pure."""

from __future__ import annotations

from typing import Any

RESULT, ERROR, STREAM, END, CLOSED = range(5)
"""Statuses of RETURN, EVENT and CHUNK frames (docs/format.md)."""

_FIXED = frozenset((str, int, float, bool, bytes, type(None)))


def is_fixed(request: Any) -> bool:
    """Whether nobody can change it: it may be packed later. A dict here is the seam's own, made for this call."""
    if type(request) is dict:
        return _FIXED.issuperset(map(type, request.values()))  # pyright: ignore[reportUnknownArgumentType]
    return type(request) in _FIXED


def ended(error: BaseException, end: type[BaseException]) -> tuple[int, Any]:
    """Status and value of a piece that didn't come: the stream's `end`, or an error."""
    return (END, None) if isinstance(error, end) else (ERROR, error)
