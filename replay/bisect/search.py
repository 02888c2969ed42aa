"""The causes among differences that have parts, proved in both directions. Pure.

    1  premise    no difference: good; all of them: bad. Otherwise there is nothing to search.
    2  minimise   whole differences first; then the parts of those that are left, as small as they are.
    3  without    all differences but what was found: good, or there was another way to be bad. Then that is searched
                  in what remains, until it is good: each way is a *set* of causes that is enough by itself.

So of each set holds: alone it turns good into bad, and with any one less it doesn't; and without all sets together bad
is good.

Tried and rejected: going down level by level (documents, then paragraphs, then sentences), as hierarchical delta
debugging does: 50 executions instead of 38 for two or three spans among hundreds, since each level is checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from replay.bisect.ddmin import Group, LimitReached, NothingDecided, Outcome, Trials, bound, minimise, union

Premise = Literal["holds", "good isn't good", "bad isn't bad", "unresolved"]


class Difference(Protocol):
    """What may be applied: the numbers of all that is in it, and its parts, if it has any."""

    @property
    def numbers(self) -> frozenset[int]: ...
    @property
    def parts(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Causes:
    """What was found.

    Attributes:
        sets: each is enough by itself, and 1-minimal; by the numbers of its differences, in order.
        premise: whether none was good and all were bad, and something between them could be decided; `sets` is empty
            where not.
        minimal: it was searched to the end; False where the limit was reached: the last set is the smallest so far.
        without: all but these differences, executed: `good`, unless it can't be decided or wasn't.
        doubtful: those of which it is unresolved whether they are needed.
        trials: executions. unresolved: of these. bound: what ddmin takes at most for as many differences.
    """

    sets: tuple[tuple[int, ...], ...]
    premise: Premise
    minimal: bool
    without: Outcome
    doubtful: tuple[int, ...]
    trials: int
    unresolved: int
    bound: int

    @property
    def found(self) -> bool:
        return bool(self.sets)

    @property
    def verified(self) -> bool:
        """In both directions."""
        return self.found and self.minimal and self.without == "good" and not self.doubtful


def search(
    differences: Sequence[Difference],
    trials: Trials[int],
    *,
    weights: Sequence[float] | None = None,
    level: Callable[[int], None] = lambda count: None,
) -> Causes:
    """Finds the causes.

    Args:
        differences: their numbers are their own.
        weights: how likely each is to be (in) a cause.
        level: told before each level how many differences there are to choose from.

    Example:
        >>> from replay.bisect.spans import spans
        >>> values = [({"a": 0, "b": 0}, {"a": 1, "b": 1}), (0, 1), (0, 1)]
        >>> whole = [spans(good, bad, first=first) for (good, bad), first in zip(values, (0, 2, 3))]
        >>> search(whole, Trials(lambda applied: "bad" if {1, 3} <= applied else "good")).sets
        ((1, 3),)
    """
    everything = union(difference.numbers for difference in differences)
    most = bound(sum(1 for difference in differences for _ in _leaves(difference)))
    sets: list[tuple[int, ...]] = []

    def ended(premise: Premise, without: Outcome = "unresolved", *, minimal: bool = False) -> Causes:
        doubtful = [one for each in sets for one in each if trials.known.get(frozenset(each) - {one}) == "unresolved"]
        counts = trials.executed, trials.unresolved, most
        return Causes(tuple(sets), premise, minimal, without, tuple(doubtful), *counts)

    try:
        premise = _premise(trials([frozenset()])[0], trials([everything])[0])
        if premise != "holds":
            return ended(premise)
        likely = {each.numbers: weights[n] if weights else 1.0 for n, each in enumerate(differences)}
        while True:
            sets.append(tuple(sorted(_descend(differences, everything, trials, likely, level))))
            everything -= union(map(frozenset, sets))
            without = trials([everything])[0]
            if without != "bad":
                return ended("holds", without, minimal=True)
    except NothingDecided:
        return ended("unresolved")
    except LimitReached:
        if trials.least is not None and not sets:
            sets.append(tuple(sorted(trials.least)))
        return ended("holds")


def _premise(none: Outcome, everything: Outcome) -> Premise:
    if "unresolved" in (none, everything):
        return "unresolved"
    if none == "bad":
        return "good isn't good"
    return "holds" if everything == "bad" else "bad isn't bad"


def _descend(
    differences: Sequence[Difference],
    among: Group[int],
    trials: Trials[int],
    weights: Mapping[Group[int], float],
    level: Callable[[int], None],
) -> Group[int]:
    """Whole differences, then parts of those that are left. `among`: what may be chosen at all."""
    whole = {each.numbers & among: each for each in differences if each.numbers & among}
    level(len(whole))
    likely = {group: weights[each.numbers] for group, each in whole.items()}
    left = [whole[group] for group in minimise(list(whole), trials, weights=likely)]
    leaves = [leaf.numbers for each in left for leaf in _leaves(each) if leaf.numbers & among]
    if len(leaves) == len(left):
        return union(leaves)
    level(len(leaves))
    return union(minimise(leaves, trials))


def _leaves(difference: Difference) -> list[Difference]:
    return [leaf for part in difference.parts for leaf in _leaves(part)] if difference.parts else [difference]
