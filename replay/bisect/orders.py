"""Two runs that did the same in another order: where the orders part, and any order between them. Pure.

What came back is put in order: a *swap* is a pair of answers on different lanes of which the bad run got the second
first. Any set of swaps is an order: the good run's, changed only as far as these swaps demand. What came in the same
order in both runs stays so, and with it what one lane did, and what a task could only do when it had been begun. No
swap at all is the good run's order, all swaps are the bad run's.

Swaps of the same two lanes are parts of one difference: lanes are told apart first, then their answers (HDD).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from replay.bisect.ddmin import union
from replay.bisect.spans import Chosen
from replay.diff.pairs import Pair
from replay.model.event import Event


@dataclass(frozen=True, slots=True)
class Done:
    """An answer that both runs got.

    Attributes:
        good, bad: the events. number: of the calls of that name on that lane, in the good run.
        key: when it came in the good run. place: in the bad one.
    """

    good: int
    bad: int
    lane: str
    name: str
    key: int
    place: int
    number: int = 0


@dataclass(frozen=True, slots=True)
class Swap:
    """Two answers: `first` came first in the good run, `second` in the bad one.

    Attributes:
        numbers: its own. parts: none.
    """

    first: Done
    second: Done
    numbers: Chosen
    parts: tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Lanes:
    """All swaps of two lanes, chosen together or one by one."""

    lanes: tuple[str, str]
    numbers: Chosen
    parts: tuple[Swap, ...]


def answered(pairs: Sequence[Pair], waited: Collection[int]) -> list[Done]:
    """What both runs were answered, in the order of the good run, without what happens inside tools.

    Args:
        waited: events of the good run whose outcome a task waited for while others ran. What comes at once isn't there:
            its order follows from theirs.
    """
    found: list[Done] = []
    numbers = dict(_numbered(sorted((pair.a.event for pair in pairs if pair.a is not None), key=lambda each: each.id)))
    for pair in pairs:
        if pair.a is None or pair.b is None or pair.inside or pair.a.event.id not in waited:
            continue
        one, other = pair.a.event, pair.b.event
        if one.took is not None and other.took is not None:
            ends = one.at + one.took, other.at + other.took
            found.append(Done(one.id, other.id, pair.lane, one.name, *ends, numbers[one.id][2]))
    return sorted(found, key=lambda each: (each.key, each.good))


def swaps(order: Sequence[Done]) -> list[Lanes]:
    """Where the bad run's order differs, by lanes."""
    by_lanes: dict[tuple[str, str], list[tuple[Done, Done]]] = {}
    for number, first in enumerate(order):
        for second in order[number + 1 :]:
            if first.lane != second.lane and (second.place, second.bad) < (first.place, first.bad):
                lanes = (first.lane, second.lane) if first.lane < second.lane else (second.lane, first.lane)
                by_lanes.setdefault(lanes, []).append((first, second))
    made: list[Lanes] = []
    at = 0
    for lanes, both in by_lanes.items():
        parts = tuple(Swap(*pair, frozenset([at + n])) for n, pair in enumerate(both))
        at += len(parts)
        made.append(Lanes(lanes, union(part.numbers for part in parts), parts))
    return made


def not_come_about(events: Iterable[Event], differences: Sequence[Lanes], chosen: Chosen) -> str:
    """Which chosen swap isn't in an execution that was to have it; empty where all are, as far as it got to both."""
    them = {event.id: event for event in events}
    of = {key: them[event] for event, key in _numbered(them.values())}
    for swap in (swap for lanes in differences for swap in lanes.parts if swap.numbers <= chosen):
        first, second = (of.get((each.lane, each.name, each.number)) for each in (swap.first, swap.second))
        if first is not None and second is not None and _end(first) < _end(second):
            return f"{second.name} ({second.lane}) didn't come before {first.name} ({first.lane})"
    return ""


def _numbered(events: Iterable[Event]) -> Iterator[tuple[int, tuple[str, str, int]]]:
    """(its id, (its lane, its name, how many of that name were on that lane before)) of each event, in their order."""
    counts: Counter[tuple[str, str]] = Counter()
    for event in events:
        yield event.id, (event.lane, event.name, counts[event.lane, event.name])
        counts[event.lane, event.name] += 1


def _end(event: Event) -> float:
    return inf if event.took is None else event.at + event.took


def ordered(order: Sequence[Done], differences: Sequence[Lanes], chosen: Chosen) -> list[int]:
    """The good run's events, in the order in which their answers come when these swaps are made.

    Example:
        >>> two = [Done(0, 1, "m/t1", "a", 10, 20), Done(1, 0, "m/t2", "b", 11, 12)]
        >>> ordered(two, swaps(two), frozenset()), ordered(two, swaps(two), frozenset([0]))
        ([0, 1], [1, 0])
    """
    number = {each.good: place for place, each in enumerate(order)}
    sooner: dict[int, list[int]] = {}  # what has to come before it though it came later
    for swap in (swap for lanes in differences for swap in lanes.parts if swap.numbers <= chosen):
        sooner.setdefault(number[swap.first.good], []).append(number[swap.second.good])
    found: dict[int, None] = {}
    left = [iter(range(len(order)))]  # each waits for the one behind it; all they ask for came sooner in the bad run
    asked: list[int] = []
    while left:
        wanted = next((one for one in left[-1] if one not in found), None)
        if wanted is not None:
            asked.append(wanted)
            left.append(_before(order, wanted, sooner.get(wanted, [])))
            continue
        left.pop()
        if asked:
            found[asked.pop()] = None
    return [order[one].good for one in found]


def _before(order: Sequence[Done], wanted: int, sooner: Sequence[int]) -> Iterator[int]:
    """What has to come before it: what did in both runs, and what is to be swapped with it."""
    bad = order[wanted]
    yield from (n for n in range(wanted) if (order[n].place, order[n].bad) < (bad.place, bad.bad))
    yield from sorted(sooner)
