"""Causes with parts, proved in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from replay.bisect.ddmin import Group, Outcome, Trials
from replay.bisect.search import search


@dataclass(frozen=True, slots=True)
class Nest:
    numbers: frozenset[int]
    parts: tuple[Nest, ...] = ()


def nests(sizes: list[list[int]]) -> list[Nest]:
    """Inputs of parts of so many leaves."""
    made: list[Nest] = []
    at = 0
    for parts in sizes:
        inner: list[Nest] = []
        for size in parts:
            leaves = tuple(Nest(frozenset([at + n])) for n in range(size))
            inner.append(Nest(frozenset(range(at, at + size)), leaves if size > 1 else ()))
            at += size
        made.append(Nest(frozenset[int]().union(*(part.numbers for part in inner)), tuple(inner)))
    return made


OUTCOMES: tuple[Outcome, ...] = ("good", "bad", "unresolved")

SIZES = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=1, max_size=12)


@given(SIZES, st.data())
def test_leaves_that_are_needed_together(sizes: list[list[int]], data: st.DataObject) -> None:
    whole = nests(sizes)
    count = sum(map(sum, sizes))
    causes = data.draw(st.frozensets(st.integers(0, count - 1), min_size=1, max_size=3))
    found = search(whole, Trials[int](lambda applied: "bad" if causes <= applied else "good"))
    assert found.verified
    assert found.sets == (tuple(sorted(causes)),)
    assert found.trials <= found.bound


@given(SIZES, st.data())
def test_ways_that_are_each_enough(sizes: list[list[int]], data: st.DataObject) -> None:
    """All ways are found that share nothing, and without them bad is good."""
    whole = nests(sizes)
    count = sum(map(sum, sizes))
    numbers = data.draw(st.permutations(range(count)))
    ways = [frozenset(numbers[:2]), frozenset(numbers[2:4]), frozenset(numbers[4:5])]
    ways = [way for way in ways if way]

    def test(applied: Group[int]) -> Outcome:
        return "bad" if any(way <= applied for way in ways) else "good"

    found = search(whole, Trials(test))
    assert found.verified
    assert {frozenset(each) for each in found.sets} == set(ways)


@given(st.integers(1, 9), st.integers(0, 2**32), st.integers(1, 3))
def test_any_test(count: int, seed: int, width: int) -> None:
    """Nothing is claimed that wasn't executed."""

    def test(applied: Group[int]) -> Outcome:
        if len(applied) in (0, count):
            return "bad" if applied else "good"
        return OUTCOMES[hash((seed, tuple(sorted(applied)))) % 3]

    found = search([Nest(frozenset([n])) for n in range(count)], Trials(test, width=width))
    assert found.premise == "holds"
    for each in found.sets:
        assert test(frozenset(each)) == "bad"
        assert all(test(frozenset(each) - {number}) != "bad" for number in each)
    together = frozenset[int]().union(*found.sets)
    assert found.without == test(frozenset(range(count)) - together) != "bad"


def test_premises() -> None:
    whole = [Nest(frozenset([n])) for n in range(3)]
    said: dict[str, Outcome] = {"good isn't good": "bad", "bad isn't bad": "good", "unresolved": "unresolved"}
    for premise, always in said.items():
        found = search(whole, Trials[int](partial(_always, always)))
        assert (found.premise, found.sets, found.found, found.trials) == (premise, (), False, 2)


def test_where_nothing_can_be_decided_it_gives_up() -> None:
    """Neither run says what comes of a mixture: that isn't searched to the end."""

    def test(applied: Group[int]) -> Outcome:
        return "bad" if len(applied) == 100 else "unresolved" if applied else "good"

    found = search([Nest(frozenset([n])) for n in range(100)], Trials(test, patience=10))
    assert (found.premise, found.found, found.trials, found.unresolved) == ("unresolved", False, 12, 10)


def test_what_isnt_known_to_be_needed_is_said() -> None:
    whole = [Nest(frozenset([n])) for n in range(2)]
    outcomes: dict[frozenset[int], Outcome] = {
        frozenset(): "good",
        frozenset([0]): "good",
        frozenset([1]): "unresolved",
    }
    found = search(whole, Trials[int](lambda applied: outcomes.get(applied, "bad")))
    assert (found.sets, found.doubtful, found.verified) == (((0, 1),), (0,), False)


def test_a_limit_leaves_the_smallest_so_far() -> None:
    whole = [Nest(frozenset([n])) for n in range(64)]
    found = search(whole, Trials[int](lambda applied: "bad" if {3, 40} <= applied else "good", limit=8))
    assert (found.found, found.minimal, found.verified) == (True, False, False)
    assert {3, 40} < set(found.sets[0])
    assert len(found.sets[0]) < 64


def test_levels_are_told() -> None:
    told: list[int] = []
    search(nests([[1, 3], [1], [2]]), Trials[int](lambda a: "bad" if 2 in a else "good"), level=told.append)
    assert told == [3, 4]


def _always(outcome: Outcome, applied: Group[int]) -> Outcome:
    return outcome
