"""The recorded requests that come nearest to one that wasn't recorded, and why each doesn't match."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from replay.matching.compare import Request, same
from replay.matching.explain import explain

_WORD = re.compile(r"\w+")
_SPAN = 20_000


class Near(NamedTuple):
    """One candidate.

    Attributes:
        position: among the candidates, from 0.
        score: 1.0 for the same request, below for others, 0.0 for another kind.
        why: why it doesn't match, one line; `the same` if it does.
    """

    position: int
    candidate: Request
    score: float
    why: str


def nearest(got: Request, candidates: Iterable[Request], limit: int = 3) -> list[Near]:
    """The best candidates, best first, earlier ones first among equals; those with nothing in common are left out.

    Linear in the number of candidates (some 10 µs for small requests, a millisecond for 20 KB): hand in those of one
    lane, or of the kind in question.

    Example:
        >>> [near.why for near in nearest(Request("tool", "refund", 5), [Request("tool", "refund", 4)])]
        ['request changed']
    """
    mine = _words(got)
    scored = ((_score(got, mine, candidate), -index, candidate) for index, candidate in enumerate(candidates))
    best = heapq.nlargest(limit, (item for item in scored if item[0] > 0), key=lambda item: item[:2])
    return [Near(-index, candidate, score, explain(candidate, got).summary) for score, index, candidate in best]


def _score(got: Request, mine: Counter[str], candidate: Request) -> float:
    if same(candidate, got):
        return 1.0
    if candidate.kind != got.kind:
        return 0.0
    theirs = _words(candidate)
    alike = 2 * (mine & theirs).total() / ((mine.total() + theirs.total()) or 1)  # Dice's coefficient
    return round(0.1 + 0.3 * (candidate.name == got.name) + 0.59 * alike, 4)


def _words(request: Request) -> Counter[str]:
    body = request.body or b""
    # Requests of one agent begin alike (system prompt) and differ at their end (the last message).
    ends = body if len(body) <= _SPAN else body[: _SPAN // 4] + body[-_SPAN * 3 // 4 :]
    return Counter(_WORD.findall(repr(request.request)[:_SPAN] + ends.decode("utf-8", "replace")))
