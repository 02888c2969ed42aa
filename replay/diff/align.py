"""Which elements of one sequence are which of another. Pure.

Patience: elements that occur once in both are surest to belong together; the longest run of them in the same order
holds, and what lies between is aligned in the same way. Where nothing is unique, what is equal at both ends is matched
and the rest goes to `difflib` if it is small, and is a replacement if it is large: the whole takes about linear time.

Patience diff is Bram Cohen's (https://bramcohen.livejournal.com/73318.html); the longest increasing run is found by
patience sorting.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from operator import eq
from typing import Final, NamedTuple

SMALL: Final = 40_000
"""Where nothing is unique: how many pairs of elements are compared at most."""


class Block(NamedTuple):
    """`a[a0:a1]` stands against `b[b0:b1]`: equal element by element, or different."""

    equal: bool
    a0: int
    a1: int
    b0: int
    b1: int


def align(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Block]:
    """Blocks that cover both sequences in order; equal ones and different ones take turns.

    Example:
        >>> [tuple(block) for block in align("abcd", "abxd")]
        [(True, 0, 2, 0, 2), (False, 2, 3, 2, 3), (True, 3, 4, 3, 4)]
    """
    merged: list[Block] = []
    for block in _blocks(a, b):
        last = merged[-1] if merged else None
        if last is not None and last.equal == block.equal:
            merged[-1] = Block(last.equal, last.a0, block.a1, last.b0, block.b1)
        else:
            merged.append(block)
    return merged


def pairs(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Positions of the elements that are equal and belong together, in order."""
    for block in align(a, b):
        if block.equal:
            yield from zip(range(block.a0, block.a1), range(block.b0, block.b1), strict=True)


def _blocks(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[Block]:
    todo = [(0, len(a), 0, len(b))]  # a stack: the leftmost is on top
    while todo:
        a0, a1, b0, b1 = todo.pop()
        one, other = a[a0:a1], b[b0:b1]
        head = _alike(one, other)
        if head:
            yield Block(True, a0, a0 + head, b0, b0 + head)
            a0, b0 = a0 + head, b0 + head
        if a0 == a1 or b0 == b1:
            if a0 < a1 or b0 < b1:
                yield Block(False, a0, a1, b0, b1)
            continue
        one, other = one[head:], other[head:]
        tail = _alike(reversed(one), reversed(other))
        if tail:
            todo.append((a1 - tail, a1, b1 - tail, b1))
            todo.append((a0, a1 - tail, b0, b1 - tail))
            continue
        if set(one).isdisjoint(other):
            yield Block(False, a0, a1, b0, b1)
            continue
        anchors = _anchors(one, other)
        if not anchors:
            yield from _plain(a, b, a0, a1, b0, b1)
            continue
        regions: list[tuple[int, int, int, int]] = []  # each begins with a run of anchors, the first with none
        i, j = a0, b0
        last = None
        for k, m in ((a0 + x, b0 + y) for x, y in anchors):
            if last != (k - 1, m - 1):
                regions.append((i, k, j, m))
                i, j = k, m
            last = k, m
        regions.append((i, a1, j, b1))
        todo += (each for each in reversed(regions) if each[0] < each[1] or each[2] < each[3])


def _alike(one: Iterable[Hashable], other: Iterable[Hashable]) -> int:
    """How many of their first elements are equal."""
    return len([*takewhile(bool, map(eq, one, other))])


def _anchors(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The longest run of elements that are unique in both, in the order of both."""
    once_a, once_b = Counter(a), Counter(b)
    at = {item: j for j, item in enumerate(b) if once_b[item] == 1}
    both = [(i, at[item]) for i, item in enumerate(a) if once_a[item] == 1 and item in at]
    tails: list[int] = []  # of the best run of each length: the least last position in b
    piles: list[int] = []  # and which of `both` that is
    before: list[int | None] = []
    for number, (_, j) in enumerate(both):
        length = bisect_left(tails, j)
        before.append(piles[length - 1] if length else None)
        if length == len(tails):
            tails.append(j)
            piles.append(number)
        else:
            tails[length], piles[length] = j, number
    run: list[tuple[int, int]] = []
    at_last = piles[-1] if piles else None
    while at_last is not None:
        run.append(both[at_last])
        at_last = before[at_last]
    return run[::-1]


def _plain(a: Sequence[Hashable], b: Sequence[Hashable], a0: int, a1: int, b0: int, b1: int) -> Iterator[Block]:
    if (a1 - a0) * (b1 - b0) > SMALL:
        yield Block(False, a0, a1, b0, b1)
        return
    matcher = SequenceMatcher(None, a[a0:a1], b[b0:b1], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        yield Block(tag == "equal", a0 + i, a0 + j, b0 + k, b0 + m)
