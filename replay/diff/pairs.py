"""The steps of two runs, each with the one that it is in the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from replay.diff.align import align
from replay.diff.lanes import matched
from replay.diff.steps import Step
from replay.model.inside import INNER


class Pair(NamedTuple):
    """Steps that are each other's; one is None where the other run has none.

    Attributes:
        lane: where they are compared: the first run's name of it. What happens inside a tool is its caller's.
    """

    a: Step | None
    b: Step | None
    lane: str

    @property
    def step(self) -> Step:
        """That of the second run; of the first where there is none."""
        step = self.b or self.a
        assert step is not None
        return step

    @property
    def inside(self) -> bool:
        """Whether it happened in the body of a tool."""
        return INNER in self.step.lane.split("/")

    @property
    def same(self) -> bool:
        """Asked and answered alike, but for what is new in every run."""
        return self.a is not None and self.b is not None and self.a.ask == self.b.ask and self.a.answer == self.b.answer


def paired(a: Sequence[Step], b: Sequence[Step]) -> list[Pair]:
    """The steps of two runs, lane by lane aligned; in the order in which they happened."""
    one, other = _by_lane(a), _by_lane(b)
    names = matched(one, other)
    renamed = {names[lane]: steps for lane, steps in other.items()}
    lanes = [*one, *(name for name in renamed if name not in one)]
    found = [pair for name in lanes for pair in _lane(_outside(name), one.get(name, []), renamed.get(name, []))]
    return _in_order(found) if len(lanes) > 1 else found  # of one lane they are in order already


def _by_lane(steps: Sequence[Step]) -> dict[str, list[Step]]:
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        lanes.setdefault(step.lane, []).append(step)
    return lanes


@lru_cache(maxsize=1024)
def _outside(lane: str) -> str:
    return "/".join(name for name in lane.split("/") if name != INNER)


def _lane(name: str, a: Sequence[Step], b: Sequence[Step]) -> Iterable[Pair]:
    for block in align([step.ask for step in a], [step.ask for step in b]):
        one, other = a[block.a0 : block.a1], b[block.b0 : block.b1]
        if block.equal:
            yield from map(Pair, one, other, repeat(name))
            continue
        for inner in align([step.where for step in one], [step.where for step in other]):
            if inner.equal:
                yield from map(Pair, one[inner.a0 : inner.a1], other[inner.b0 : inner.b1], repeat(name))
            else:
                yield from (Pair(step, None, name) for step in one[inner.a0 : inner.a1])
                yield from (Pair(None, step, name) for step in other[inner.b0 : inner.b1])


def _in_order(pairs: list[Pair]) -> list[Pair]:
    """By b; what only a has stands where it stood among its neighbours of a."""
    at: dict[int, int] = {pair.a.id: pair.b.id for pair in pairs if pair.a and pair.b}
    last = -1
    where: dict[int, int] = {}
    for event in sorted(pair.a.id for pair in pairs if pair.a):
        last = max(last, at.get(event, -1))
        where[event] = last

    def key(pair: Pair) -> tuple[int, int, int]:
        if pair.b is not None:
            return pair.b.id, 0, 0
        assert pair.a is not None
        return where[pair.a.id], 1, pair.a.id

    return sorted(pairs, key=key)
