"""Texts without what is new in every run: times, random numbers, ids, addresses, temporary paths. Pure, and fast enough
for all that a run says (about 10 ms a megabyte), so that digests of it can be made when a recording ends.

Two texts of which this leaves the same differ in nothing else. The other way round it doesn't hold: a date with the
name of its month is left alone, for one (`matching.shapes` knows more, and takes fifteen times as long).

Each shape begins, or is found, with a character that is rare in prose, so that the search for it runs in C. What stands
left of that character (`deadbeef-…`, whose first digit is far behind) is taken in a second search, from the end.
"""

from __future__ import annotations

import re
from typing import Final

MARK: Final = b"\xff"
"""In place of what was taken out; no text in UTF-8 has such a byte."""

_HEX: Final = rb"[0-9a-fA-F]"
_DRAWN: Final = re.compile(
    rb"[0-9_/-](?:"
    # an id: letters, a hyphen, and at least eight letters and digits, of which one is a digit
    rb"(?<=[A-Za-z]{2}[_-])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{8,}"
    # the rest of a uuid whose first group has no digit
    rb"|(?<=[a-fA-F]{8}-)" + _HEX + rb"{4}-" + _HEX + rb"{4}-" + _HEX + rb"{4}-" + _HEX + rb"{12}"
    rb"|(?<=/)(?:tmp/[\w.-]+|var/folders/[\w/+-]+)"
    rb"|(?<![0-9][0-9])(?<=[0-9])(?:"
    # a date, with a time or without
    rb"[0-9]{3}-[0-9][0-9]-[0-9][0-9](?:[T ][0-9][0-9]:[0-9][0-9](?::[0-9][0-9](?:[.,][0-9]+)?)?"
    rb"(?: ?(?:Z|UTC|[+-][0-9][0-9]:?[0-9][0-9]))?)?(?![0-9])"
    rb"|[0-9]?:[0-9][0-9](?::[0-9][0-9](?:\.[0-9]+)?)?(?![0-9:])"
    # seconds to nanoseconds since 1970, years 2014 to 2033
    rb"|(?<=1)[4-9][0-9]{8}(?:[0-9]{3}|[0-9]{6}|[0-9]{9})?(?![0-9])(?:\.[0-9]+)?"
    rb"|(?<=0)\.[0-9]{9,}(?:e-?[0-9]+)?"
    rb"|(?<=0)x[0-9a-fA-F]{6,16}(?![0-9A-Za-z])"
    # a uuid, from its first digit on; and what else is long and hexadecimal
    rb"|" + _HEX + rb"{0,7}-" + _HEX + rb"{4}-" + _HEX + rb"{4}-" + _HEX + rb"{4}-" + _HEX + rb"{12}"
    rb"|" + _HEX + rb"{12,}(?![0-9A-Za-z])"
    rb"))"
)
_BEFORE: Final = re.compile(rb"\xff[a-fA-F]{1,8}(?![0-9A-Za-z])")  # from the end


def stable(text: bytes) -> bytes:
    """The text with MARK for each time, id, random number, address and temporary path. Binary data comes back as it is.

    Example:
        >>> stable(b'{"id": "call_a81Bc9dE77", "at": "2026-11-22T10:00:00Z", "days": 30}')
        b'{"id": "call\\xff", "at": "\\xff", "days": 30}'
    """
    if MARK in text:
        return text
    found = _DRAWN.sub(MARK, text)
    return _BEFORE.sub(MARK, found[::-1])[::-1] if MARK in found else found
