"""What happened inside tools: told by the lane's path, which has a segment for each tool that it is inside of."""

from __future__ import annotations

INNER = "x"
"""The path of a lane's inner lane is `<lane>/x`."""

INSIDE = "tools-inside-1"
"""The flag of recordings that have what happened inside tools."""


def outer(lane: str) -> str | None:
    """The lane whose tool that lane is inside of, the outermost one; None where it is in none.

    Example:
        >>> outer("m/t3"), outer("m/t3/x"), outer("m/t3/x/T1/x/t2"), outer("m/i:x")
        (None, 'm/t3', 'm/t3', None)
    """
    before, inside, _ = f"{lane}/".partition(f"/{INNER}/")
    return before if inside else None


def depth(lane: str) -> int:
    """How many tools it is inside of.

    Example:
        >>> depth("m"), depth("m/x/t1/x")
        (0, 2)
    """
    return lane.split("/").count(INNER)


def caller(lane: str) -> str | None:
    """The same, the innermost one.

    Example:
        >>> caller("m/t3/x/T1/x/t2"), caller("m")
        ('m/t3/x/T1', None)
    """
    before, inside, _ = f"{lane}/".rpartition(f"/{INNER}/")
    return before if inside else None
