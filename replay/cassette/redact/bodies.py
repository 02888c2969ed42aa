"""Bodies that share their beginning with the last one: only what is new is searched.

An agent sends its whole history with each step. What two bodies have in common is without its secrets already; a
finding that reaches over the border of what is new is no longer than REACH, so that much of the common part is searched
again.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from replay.cassette.redact.detectors import REACH
from replay.cassette.redact.texts import Redacted, Texts


class Body(NamedTuple):
    """A body as it was, as it may be stored, and where they differ (`Redacted.edges`). Mostly the two are one."""

    raw: bytes
    safe: bytes
    edges: list[tuple[int, int, int]]


def redacted(texts: Texts, raw: bytes, base: Body | None = None, prefix: int = 0, suffix: int = 0) -> Body:
    """A body without its secrets.

    Args:
        base: one that has the first `prefix` and the last `suffix` bytes in common with it.
    """
    if base is None or texts.rules:
        return Body(raw, *texts.redact(raw)) if texts.suspect(raw) else Body(raw, raw, [])
    start = _before(base.edges, prefix - REACH)
    end = _behind(base.edges, len(base.raw) - suffix + REACH, len(base.raw))
    shift = len(raw) - len(base.raw)
    middle = raw[start : end + shift]
    found = texts.redact(middle) if texts.suspect(middle) else Redacted(middle, [])
    if not found.edges and not base.edges:
        return Body(raw, raw, [])
    head, tail = _place(base.edges, start), _place(base.edges, end)
    safe = b"".join((base.safe[:head], found.text, base.safe[tail:]))
    moved = head + len(found.text) - tail
    edges = [edge for edge in base.edges if edge[1] <= start]
    edges += [(a + start, b + start, c + head) for a, b, c in found.edges]
    edges += [(a + shift, b + shift, c + moved) for a, b, c in base.edges if a >= end]
    return Body(raw, safe, edges)


def _before(edges: list[tuple[int, int, int]], at: int) -> int:
    """The last place up to `at` that isn't inside of something replaced."""
    at = max(at, 0)
    for start, end, _ in reversed(edges):
        if start < at < end:
            return start
        if end <= at:
            break
    return at


def _behind(edges: list[tuple[int, int, int]], at: int, size: int) -> int:
    at = min(at, size)
    for start, end, _ in edges:
        if start < at < end:
            return end
    return at


def _place(edges: list[tuple[int, int, int]], at: int) -> int:
    """Where that place of the original is in what is stored."""
    index = bisect_right(edges, at, key=lambda edge: edge[1])
    if not index:
        return at
    _, end, safe_end = edges[index - 1]
    return at - end + safe_end
