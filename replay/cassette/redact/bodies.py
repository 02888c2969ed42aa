"""Bodies that share their beginning with the last one: only what is new is searched, and stored.

An agent sends its whole history with each step. What two bodies have in common is without its secrets already. What is
found may reach over the border of what is new: it is one word, with a name and `=` or the like before it, so that much
of the common part is searched again; of a private key, which is many words, all that it can have.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final, NamedTuple

from replay.cassette.delta import Delta, common_prefix, common_suffix, saves
from replay.cassette.redact.detectors import REACH
from replay.cassette.redact.texts import Redacted, Texts

_LEAD: Final = 256
"""Bytes that may stand before a word and say that it is a secret, blanks apart; numbers with blanks are shorter."""

_NUMBER: Final = 64
"""And what they may take up."""

_PRIVATE: Final = b"PRIVATE KEY-----"
_BREAK: Final = re.compile(rb"[\s\"']")
_SEPARATORS: Final = b" \t\r\n\f\v\"'\\:="
_BREAKS: Final = bytes(32 if _BREAK.match(bytes((byte,))) else 97 for byte in range(256))


class Edge(NamedTuple):
    """A part that is replaced: from where to where, where its end is in what is stored, and what is put there."""

    start: int
    end: int
    safe_end: int
    put: bytes


class Body(NamedTuple):
    """A body as it was, and what of it is replaced before it is stored, in order."""

    raw: bytes
    edges: list[Edge]

    @property
    def safe(self) -> bytes:
        """All of it as it may be stored; `raw` itself where nothing is replaced."""
        return self.stored(0, len(self.raw)) if self.edges else self.raw

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return len(self.raw) + sum(len(edge.put) for edge in self.edges)

    def stored(self, start: int, end: int) -> bytes:
        """A part of it as it may be stored; neither end lies within what is replaced."""
        pieces: list[bytes] = []
        for edge in self.edges[bisect_right(self.edges, start, key=_end) :]:
            if edge.start >= end:
                break
            pieces += self.raw[start : edge.start], edge.put
            start = edge.end
        return b"".join((*pieces, self.raw[start:end]))

    def place(self, at: int) -> int:
        """Where that place is in what is stored."""
        index = bisect_right(self.edges, at, key=_end)
        return at if not index else at - self.edges[index - 1].end + self.edges[index - 1].safe_end


def redacted(texts: Texts | None, raw: bytes) -> Body:
    """A body without its secrets; texts: finds them, if somebody should."""
    found = Redacted(raw, []) if texts is None or not texts.suspect(raw) else texts.redact(raw)
    return Body(raw, _edges(found))


def changed(texts: Texts | None, raw: bytes, base: Body, number: int) -> tuple[Body, Delta | None]:
    """A body without its secrets, and how it differs from what is stored of `base`, the body of event `number`; None
    where that saves too little."""
    old = base.raw
    prefix = common_prefix(old, raw)
    suffix = common_suffix(old, raw, min(len(old), len(raw)) - prefix)
    if not saves(prefix, suffix, raw):
        return redacted(texts, raw), None
    if texts is None:
        return Body(raw, []), Delta(number, prefix, suffix, raw[prefix : len(raw) - suffix])
    if texts.rules:  # who knows how far they look
        whole = redacted(texts, raw)
        old, raw = base.safe, whole.safe
        prefix = common_prefix(old, raw)
        suffix = common_suffix(old, raw, min(len(old), len(raw)) - prefix)
        return whole, Delta(number, prefix, suffix, raw[prefix : len(raw) - suffix])
    shift = len(raw) - len(old)
    private = raw.find(_PRIVATE, max(prefix - REACH, 0), len(raw) - suffix + REACH) >= 0
    start = _before(base.edges, max(prefix - REACH, 0) if private else _back(raw, prefix, _NUMBER))
    end = _behind(base.edges, _ahead(old, len(old) - suffix, private=private))
    whole = Body(raw, _replaced(texts, raw, base, start, end))
    was, now = base.stored(start, end), whole.stored(start, end + shift)
    more = common_prefix(was, now)
    less = common_suffix(was, now, min(len(was), len(now)) - more)
    prefix, suffix = base.place(start) + more, base.place(len(old)) - base.place(end) + less
    return whole, Delta(number, prefix, suffix, now[more : len(now) - less])


def _replaced(texts: Texts, raw: bytes, base: Body, start: int, end: int) -> list[Edge]:
    """What is replaced: of what `base` has from start to end it may be something else, and the rest is as it was."""
    shift = len(raw) - len(base.raw)
    began = _back(raw, start, _LEAD)
    middle = raw[began : end + shift]
    found = _edges(texts.redact(middle)) if texts.suspect(middle) else []
    edges = base.edges
    first, last = (bisect_right(edges, at, key=_end) for at in (start, end))
    moved = [Edge(a + shift, b + shift, c, put) for a, b, c, put in edges[last:]]
    new = [Edge(a + began, b + began, c, put) for a, b, c, put in found if a + began >= start]
    return _placed(edges[:first], new + moved)


def _placed(edges: list[Edge], more: list[Edge]) -> list[Edge]:
    """Those, and more behind them, whose place in what is stored is told anew."""
    moved = edges[-1].safe_end - edges[-1].end if edges else 0
    for start, end, _, put in more:
        moved += len(put) - (end - start)
        edges.append(Edge(start, end, end + moved, put))
    return edges


def _edges(found: Redacted) -> list[Edge]:
    edges: list[Edge] = []
    done = safe_done = 0
    for start, end, safe_end in found.edges:
        edges.append(Edge(start, end, safe_end, found.text[safe_done + start - done : safe_end]))
        done, safe_done = end, safe_end
    return edges


def _end(edge: Edge) -> int:
    return edge.end


def _back(raw: bytes, at: int, size: int) -> int:
    """Where a word begins, so many bytes before the one at that place, and before the blanks and signs between."""
    near = raw[max(at - REACH, 0) : at]
    lead = near[: _word(near)].rstrip(_SEPARATORS)
    return at - len(near) + _word(lead[: max(len(lead) - size, 0)])


def _ahead(raw: bytes, at: int, *, private: bool) -> int:
    """Where the word ends that what is before that place may lead to."""
    near = raw[at : at + REACH]
    after = len(near) if private else min(_LEAD, len(near))
    after = len(near) - len(near[after:].lstrip(_SEPARATORS))
    found = _BREAK.search(near, after)
    return at + (len(near) if found is None else found.end())


def _word(text: bytes) -> int:
    """Where its last word begins."""
    return text.translate(_BREAKS).rfind(b" ") + 1


def _before(edges: list[Edge], at: int) -> int:
    """The last place up to `at` that isn't inside of something replaced."""
    index = bisect_right(edges, at, key=_end)
    return min(at, edges[index].start) if index < len(edges) else at


def _behind(edges: list[Edge], at: int) -> int:
    index = bisect_right(edges, at, key=_end)
    return edges[index].end if index < len(edges) and edges[index].start < at else at
