"""The fewest differences that turn a good execution into a bad one: delta debugging. Pure; executions are a function.

Given is a test over sets of differences: none of them is good, all of them is bad. What is found is *1-minimal*: it is
bad, and without any single one of its differences it isn't.

    narrow   Binary search for the shortest prefix that is bad: its last difference is needed. That one is kept, what
             lay behind it is dropped, and the search begins again before it. k causes of n: about k · log2 n executions
             where more differences never make it good again; elsewhere what it leaves is bad all the same, only larger.
             With weights the halves are those of the weight: what is likely is found in fewer steps.
    check    Each one is left out in turn. Where that stays bad, or where nothing could be narrowed,
    ddmin    Zeller and Hildebrandt's algorithm, which asks nothing of the test: at most n² + 3n executions.

An outcome may be *unresolved*: then the set counts as not bad, as in ddmin. Nothing is concluded from it.

Sources: A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002, figure 5.
The search for prefixes is that of U. Junker, "QuickXplain", AAAI 2004, section 3 (with binary steps); parts of parts:
G. Misherghi, Z. Su, "HDD: Hierarchical Delta Debugging", ICSE 2006. Left out: Zeller's `dd`, which needs still fewer
executions by moving the good side, too: what it isolates is one difference between two states that neither run saw, not
what it takes to make the good run bad.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Final, Generic, Literal, TypeVar

Outcome = Literal["good", "bad", "unresolved"]

T = TypeVar("T", bound=Hashable)

Group = frozenset[T]
"""Differences that are applied together: one whole input is the group of its parts."""


def bound(count: int) -> int:
    """How many executions ddmin takes at most for that many differences.

    Example:
        >>> bound(40)
        1720
    """
    return count * count + 3 * count


class LimitReached(Exception):
    """No more executions are allowed."""


class NothingDecided(LimitReached):
    """Nothing between the ends can be decided."""


class Trials(Generic[T]):
    """Asks for outcomes, each set once, several at a time.

    Args:
        trial: executes with that set applied. Called on `width` threads at once, if that is more than 1.
        limit: how many executions there may be; None: as many as it takes.
        patience: after so many that are unresolved, where nothing but both ends was decided, there are no more.
        heard: told of each execution, in the order in which they end.

    Attributes:
        known: what came out, by set. executed: how many executions there were. unresolved: of these.
        least: the smallest set that was bad.
    """

    def __init__(
        self,
        trial: Callable[[Group[T]], Outcome],
        *,
        width: int = 1,
        limit: int | None = None,
        patience: int | None = None,
        heard: Callable[[Group[T], Outcome], None] = lambda group, outcome: None,
    ) -> None:
        self._trial = trial
        self._heard = heard
        self._limit = limit
        self._patience = patience
        self.width: Final = max(width, 1)
        self.known: dict[Group[T], Outcome] = {}
        self.executed = 0
        self.least: Group[T] | None = None

    @property
    def unresolved(self) -> int:
        return sum(outcome == "unresolved" for outcome in self.known.values())

    def __call__(self, sets: Sequence[Group[T]]) -> list[Outcome]:
        """The outcomes of these sets.

        Raises:
            LimitReached: there are more to execute than may be. NothingDecided: it makes no sense to go on.
        """
        new = [each for each in dict.fromkeys(sets) if each not in self.known]
        if new and self._patience is not None and self._patience <= self.unresolved >= self.executed - 2:
            raise NothingDecided
        if self._limit is not None and self.executed + len(new) > self._limit:
            raise LimitReached
        if self.width == 1 or len(new) < 2:
            for each in new:
                self._note(each, self._trial(each))
        else:
            with ThreadPoolExecutor(self.width) as pool:
                for each, outcome in zip(new, pool.map(self._trial, new), strict=True):
                    self._note(each, outcome)
        return [self.known[each] for each in sets]

    def bad(self, group: Group[T]) -> bool:
        """Whether that one set is bad."""
        return self([group]) == ["bad"]

    def first_bad(self, sets: Sequence[Group[T]]) -> int | None:
        """The position of the first set that is bad, as many at a time as may be; None if none is."""
        for begin in range(0, len(sets), self.width):
            outcomes = self(sets[begin : begin + self.width])
            if "bad" in outcomes:
                return begin + outcomes.index("bad")
        return None

    def _note(self, group: Group[T], outcome: Outcome) -> None:
        self.executed += 1
        self.known[group] = outcome
        if outcome == "bad" and (self.least is None or len(group) < len(self.least)):
            self.least = group
        self._heard(group, outcome)


Groups = Sequence[Group[T]]


def minimise(
    groups: Groups[T], trials: Trials[T], *, weights: Mapping[Group[T], float] | None = None
) -> list[Group[T]]:
    """The least of these groups that are bad together, 1-minimal, in their order. No group alone is also possible.

    Args:
        groups: all of them applied are bad.
        weights: how likely each is to be a cause; alike by default. The likely ones are tried first.

    Example:
        >>> trials = Trials(lambda applied: "bad" if {3, 7} <= applied else "good")
        >>> [sorted(group) for group in minimise([frozenset([n]) for n in range(64)], trials)], trials.executed
        ([[3], [7]], 12)
    """
    place = {group: number for number, group in enumerate(groups)}
    likely = dict.fromkeys(groups, 1.0) if weights is None else weights
    found = narrow(sorted(groups, key=lambda group: -likely[group]), trials, likely)
    while len(found) > 1:
        spare = trials.first_bad([union(found) - group for group in found])
        if spare is None:
            break
        found = ddmin([*found[:spare], *found[spare + 1 :]], trials)
    return sorted(found, key=place.__getitem__)


def narrow(groups: Groups[T], trials: Trials[T], weights: Mapping[Group[T], float]) -> list[Group[T]]:
    """Some of these groups that are bad together: as few as binary search for prefixes leaves. See the module."""
    needed: list[Group[T]] = []
    left = list(groups)
    while left and not (needed and trials.bad(union(needed))):
        low, high = 0, len(left)  # the first `low` with what is needed aren't bad, the first `high` are
        while high - low > 1:
            cuts = _cuts([weights[group] for group in left], low, high, trials.width)
            outcomes = trials([union([*needed, *left[:cut]]) for cut in cuts])
            hit = outcomes.index("bad") if "bad" in outcomes else len(cuts)
            low, high = [low, *cuts][hit], [*cuts, high][hit]
        needed.insert(0, left[high - 1])
        left = left[: high - 1]
    return needed


def _cuts(weights: Sequence[float], low: int, high: int, count: int) -> list[int]:
    """Up to `count` places between low and high that share the weight between them equally."""
    count = min(count, high - low - 1)
    sums = list(accumulate(weights[low:high], initial=0.0))
    found: list[int] = []
    for number in range(1, count + 1):
        least, most = (found[-1] if found else low) + 1, high - 1 - (count - number)
        wanted = sums[-1] * number / (count + 1)
        found.append(min(range(least, most + 1), key=lambda cut: abs(sums[cut - low] - wanted)))
    return found


def ddmin(groups: Groups[T], trials: Trials[T]) -> list[Group[T]]:
    """Zeller and Hildebrandt's ddmin: a 1-minimal part of these groups, which are bad together."""
    left: list[Group[T]] = list(groups)
    grain = 2
    while len(left) > 1:
        parts: list[list[Group[T]]] = [
            left[len(left) * n // grain : len(left) * (n + 1) // grain] for n in range(grain)
        ]
        hit = trials.first_bad([union(part) for part in parts])
        if hit is not None:
            left, grain = parts[hit], 2
            continue
        rests: list[list[Group[T]]] = (
            [[group for group in left if group not in part] for part in parts] if grain > 2 else []
        )
        hit = trials.first_bad([union(rest) for rest in rests])
        if hit is not None:
            left, grain = rests[hit], max(grain - 1, 2)
        elif grain == len(left):
            break
        else:
            grain = min(len(left), grain * 2)
    return left


def union(groups: Iterable[Group[T]]) -> Group[T]:
    """All that is in any of them."""
    return frozenset[T]().union(*groups)
