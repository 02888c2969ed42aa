"""Verdicts on what is answered by chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.bisect.rates import Judge, Rate, judge


@given(st.integers(0, 200), st.integers(0, 200))
def test_intervals(bad: int, good: int) -> None:
    rate = Rate(bad, bad + good)
    low, high = rate.interval
    assert 0 <= low <= rate.share <= high <= 1 or not rate.of
    wider = Rate(bad * 2, rate.of * 2).interval
    assert not rate.of or wider[1] - wider[0] < high - low


@pytest.mark.parametrize(("good", "bad"), [(0.02, 0.98), (0.1, 0.7), (0.4, 0.9)])
def test_wrong_verdicts_are_rare_and_come_early(good: float, bad: float) -> None:
    """At most about 5 % of either; and most are decided long before all samples are taken."""
    chance = random.Random(7)
    samples = 60
    for rate, right in ((good, "good"), (bad, "bad")):
        wrong = taken = 0
        for _ in range(1000):
            seen, verdict = Rate(), None
            while verdict is None:
                seen = seen.and_one(chance.random() < rate)
                verdict = Judge(good, bad, samples).verdict(seen)
            taken += seen.of
            wrong += verdict != right
        assert wrong <= 75, (rate, wrong)
        assert taken / 1000 < samples / 3


def test_once_is_enough_where_nothing_is_by_chance() -> None:
    once = judge(Rate(0, 1), Rate(1, 1), 1)
    assert once is not None
    assert [once.verdict(rate) for rate in (Rate(), Rate(0, 1), Rate(1, 1))] == [None, "good", "bad"]
    assert judge(Rate(1, 1), Rate(1, 1), 1) is None


def test_what_cant_be_told_apart() -> None:
    assert judge(Rate(4, 10), Rate(6, 10), 10) is None
    assert judge(Rate(9, 10), Rate(1, 10), 10) is None
    found = judge(Rate(1, 10), Rate(9, 10), 10)
    assert found is not None
    assert 0 < found.good < 0.2 < 0.8 < found.bad < 1


@given(st.integers(0, 20), st.integers(0, 20))
def test_it_ends(good: int, bad: int) -> None:
    taken = Rate(bad, good + bad)
    verdict = Judge(0.2, 0.8, 12).verdict(taken)
    assert verdict is not None or taken.of < 12
