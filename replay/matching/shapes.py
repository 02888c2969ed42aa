"""Texts that look like time, chance or identity: what differs between two runs when an input was not recorded."""

from __future__ import annotations

import re

_SHAPES = (
    # (name, pattern); the first that matches at a place wins
    ("uuid", r"\b[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\b"),
    (
        "time",
        (
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?"
            r"|\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[AP]M)?\b"
            r"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?(?:\d{1,2} )?"
            r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?(?: \d{1,2}(?!\d))?,? \d{4}\b"
            r"|\b1[4-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?\b"
        ),  # seconds to nanoseconds since 1970, years 2014 to 2033
    ),
    ("address", r"\b0x[0-9a-fA-F]{6,16}\b"),
    ("temporary path", r"/(?:var/folders/[\w/+-]+|tmp)/[\w.-]+"),
    ("random number", r"\b0\.\d{9,}(?:e-?\d+)?\b"),
    ("id", r"\b[A-Za-z]{2,12}[_-](?=[A-Za-z0-9]*\d)[A-Za-z0-9]{8,}\b|\b[A-Za-z]?(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{16,}\b"),
)
_ANY = re.compile("|".join(f"(?P<s{i}>{pattern})" for i, (_, pattern) in enumerate(_SHAPES)))


def mask(text: str) -> tuple[str, dict[str, list[str]]]:
    """The text with each shaped piece replaced by `‹its shape›`, and the pieces by shape, in order.

    Example:
        >>> mask("at 2026-11-22T10:00:00Z by call_a81Bc9dE")
        ('at ‹time› by ‹id›', {'time': ['2026-11-22T10:00:00Z'], 'id': ['call_a81Bc9dE']})
    """
    found: dict[str, list[str]] = {}

    def name(hit: re.Match[str]) -> str:
        shape = _SHAPES[int((hit.lastgroup or "s0")[1:])][0]
        found.setdefault(shape, []).append(hit.group())
        return f"‹{shape}›"

    return _ANY.sub(name, text), found


def differing(one: str, other: str) -> list[str]:
    """The shapes in which alone two texts differ; empty when they are equal or differ in anything else too.

    Example:
        >>> differing("run 5f2b8c9d1e3a4f60", "run 0123456789abcdef"), differing("refund 5", "refund 6")
        (['id'], [])
    """
    (a, here), (b, there) = mask(one), mask(other)
    return [shape for shape in here if here[shape] != there[shape]] if a == b else []
