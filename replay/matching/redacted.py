"""Placeholders of redaction stand for a text that isn't in the file, so they match any text in their place.

Ours are `<redacted:0123456789ab>` and the other forms of `model.pseudonym`; `‹redacted:…›` is for people who edit a
recording by hand.
"""

from __future__ import annotations

import re

from replay.model.pseudonym import PSEUDONYM

PLACEHOLDER = re.compile(PSEUDONYM + "|‹redacted:[^›]{0,80}›")
_MARKS = ("redacted:", "<~", "r.invalid", "0099", "+9", "000", "XX")
_MARKS_BYTES = tuple(mark.encode() for mark in _MARKS)


def marked(text: str) -> bool:
    """Does the text hold a placeholder?"""
    return any(mark in text for mark in _MARKS) and PLACEHOLDER.search(text) is not None


def fits(one: str, other: str) -> bool:
    """Are two texts equal, or can the placeholders of one be filled in so that it is the other? Symmetric.

    Linear in practice: the literal parts are looked for from left to right; no backtracking is needed, since a
    placeholder may stand for anything.

    Example:
        >>> fits("Bearer <redacted:1f3a>", "Bearer sk-live-42"), fits("Bearer <redacted:1f3a>", "Basic x")
        (True, False)
    """
    return one == other or (marked(one) and _fills(one, other)) or (marked(other) and _fills(other, one))


def fits_bytes(one: bytes, other: bytes) -> bool:
    """The same for bytes; placeholders are UTF-8."""
    if one == other:
        return True
    if not any(mark in one or mark in other for mark in _MARKS_BYTES):
        return False
    # surrogateescape keeps every byte distinct, also where the body isn't text
    return fits(one.decode("utf-8", "surrogateescape"), other.decode("utf-8", "surrogateescape"))


def _fills(pattern: str, text: str) -> bool:
    first, *inner, last = PLACEHOLDER.split(pattern)
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for literal in inner:
        found = text.find(literal, at, end)
        if found < 0:
            return False
        at = found + len(literal)
    return True
