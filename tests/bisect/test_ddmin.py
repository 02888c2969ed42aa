"""What is found is bad, and nothing of it can be left out: whatever the test is like."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.bisect.ddmin import Group, LimitReached, Outcome, Trials, bound, ddmin, minimise, union

Test = Callable[[Group[int]], Outcome]


def singles(count: int) -> list[Group[int]]:
    return [frozenset([n]) for n in range(count)]


def any_test(count: int, seed: int, unresolved: float) -> Test:
    """Each set has some outcome, by chance; none of them is good and all of them are bad."""

    def test(applied: Group[int]) -> Outcome:
        if not applied or len(applied) == count:
            return "bad" if applied else "good"
        chance = random.Random(f"{seed} {sorted(applied)}")
        return "unresolved" if chance.random() < unresolved else chance.choice(("good", "bad"))

    return test


def causes_of(count: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.integers(0, count - 1), min_size=1, max_size=4)


def needing(causes: frozenset[int]) -> Test:
    return lambda applied: "bad" if causes <= applied else "good"


def is_minimal(found: list[Group[int]], test: Test) -> bool:
    whole = union(found)
    return test(whole) == "bad" and all(test(whole - group) != "bad" for group in found if len(found) > 1)


@given(st.integers(1, 60).flatmap(lambda count: st.tuples(st.just(count), causes_of(count))), st.integers(1, 4))
def test_causes_that_are_needed_together_are_found(plan: tuple[int, frozenset[int]], width: int) -> None:
    count, causes = plan
    trials = Trials(needing(causes), width=width)
    assert union(minimise(singles(count), trials)) == causes
    assert trials.executed <= min(bound(count), width * len(causes) * (count.bit_length() + 2))


@given(st.integers(1, 14), st.integers(), st.sampled_from((0.0, 0.3, 0.9)), st.integers(1, 3))
def test_any_test(count: int, seed: int, unresolved: float, width: int) -> None:
    test = any_test(count, seed, unresolved)
    for algorithm in (minimise, ddmin):
        trials = Trials(test, width=width)
        found = algorithm(singles(count), trials)
        assert is_minimal(found, test)
        if width == 1:
            assert trials.executed <= bound(count) + count
        assert trials.executed == len(trials.known)
        assert trials.unresolved == sum(test(applied) == "unresolved" for applied in trials.known)


@given(st.integers(2, 40), st.data())
def test_what_cant_stand_alone(count: int, data: st.DataObject) -> None:
    """A difference that is unresolved without the one it needs is found with it."""
    needs = data.draw(st.dictionaries(st.integers(0, count - 1), st.integers(0, count - 1), max_size=3))
    causes = data.draw(causes_of(count))

    def test(applied: Group[int]) -> Outcome:
        if any(one in applied and other not in applied for one, other in needs.items()):
            return "unresolved"
        return "bad" if causes <= applied else "good"

    assert is_minimal(minimise(singles(count), Trials(test)), test)


@given(st.integers(2, 60), st.data())
def test_weights_change_how_many_and_not_what(count: int, data: st.DataObject) -> None:
    causes = data.draw(causes_of(count))
    groups = singles(count)
    weights = {group: data.draw(st.sampled_from((0.1, 1.0, 5.0))) for group in groups}
    trials = Trials(needing(causes))
    assert union(minimise(groups, trials, weights=weights)) == causes


def test_what_is_likely_is_found_sooner() -> None:
    def executions(weights: dict[Group[int], float] | None) -> int:
        trials = Trials(needing(frozenset({70})))
        minimise(groups, trials, weights=weights)
        return trials.executed

    groups = singles(128)
    assert executions({group: 100.0 if group == frozenset([70]) else 1.0 for group in groups}) <= 3 < executions(None)


def test_a_limit() -> None:
    trials = Trials(needing(frozenset({3, 17})), limit=5)
    with pytest.raises(LimitReached):
        minimise(singles(64), trials)
    assert trials.executed == 5
    assert trials.least is not None
    assert {3, 17} <= trials.least


def test_no_more_executions_than_ddmin(record_property: Callable[[str, object], None]) -> None:
    """How many there are on average, by how many causes there are among a hundred."""
    for count in (1, 2, 3):
        ours = theirs = 0
        for seed in range(50):
            causes = frozenset(random.Random(seed).sample(range(100), count))
            for algorithm in (minimise, ddmin):
                trials = Trials(needing(causes))
                assert union(algorithm(singles(100), trials)) == causes
                if algorithm is ddmin:
                    theirs += trials.executed
                else:
                    ours += trials.executed
        record_property(f"bisect: executions, {count} of 100", f"{ours / 50:.1f}; ddmin's {theirs / 50:.1f}")
        assert ours <= theirs
