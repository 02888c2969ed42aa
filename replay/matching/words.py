"""Two long texts as one short one that shows where they differ. Bounded in time and size: what is equal at both ends is
skipped before anything expensive begins."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

_SPAN = 2000
"""Characters of each side that are compared word by word, or lines line by line."""


def compare(one: str, other: str, width: int = 400) -> str:
    """An inline word diff, or a unified diff where both texts have lines; at most about `width` characters.

    Example:
        >>> compare("please refund order 17 today", "please refund order 18 today")
        'please refund order [-17-]{+18+} today'
    """
    if min(one.count("\n"), other.count("\n")) >= 3:
        return clip(_lines(one.splitlines(), other.splitlines()), width)
    return _inline(one, other, width)


def clip(text: str, width: int) -> str:
    """The text, its middle left out when it is longer than `width`.

    Example:
        >>> clip("abcdefghij", 5)
        'abc … (5 more) … ij'
    """
    if len(text) <= width:
        return text
    return f"{text[: (width + 1) // 2]} … ({len(text) - width} more) … {text[len(text) - width // 2 :]}"


def common(one: Sequence[Any], other: Sequence[Any]) -> int:
    """The length of the common prefix; by halves, so that long texts are compared in C.

    Example:
        >>> common("refund", "refuse")
        4
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _lines(one: list[str], other: list[str]) -> str:
    head = common(one, other)
    start = max(head - 1, 0)
    a, b = one[start : start + _SPAN // 10], other[start : start + _SPAN // 10]
    diff = list(difflib.unified_diff(a, b, lineterm="", n=1))[3:]  # without file names and the first hunk's position
    return "\n".join([f"@@ line {start + 1} @@", *diff])


def _inline(one: str, other: str, width: int) -> str:
    head = common(one, other)
    while head and not (one[head - 1].isspace()):
        head -= 1  # back to where the word begins
    tail = common(one[head:][::-1], other[head:][::-1])
    while tail and not one[len(one) - tail].isspace():
        tail -= 1
    a, b = (re.findall(r"\s+|\S+", text[head : len(text) - tail][:_SPAN]) for text in (one, other))
    shown: list[str] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            shown.append(clip("".join(a[i:j]), 60))
        else:
            old, new = clip("".join(a[i:j]), width // 3), clip("".join(b[k:m]), width // 3)
            shown.append((f"[-{old}-]" if old else "") + (f"{{+{new}+}}" if new else ""))
    before = one[:head] if head <= 40 else f"…{one[head - 40 : head]}"
    rest = one[len(one) - tail :]
    return before + clip("".join(shown), width) + (rest if tail <= 40 else f"{rest[:40]}…")
