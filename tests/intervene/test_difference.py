"""What rates say about a cause: Newcombe's interval, the verdicts, and when enough is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.bisect.rates import Rate
from replay.intervene.difference import Difference, settled

RATES = st.integers(1, 40).flatmap(lambda of: st.builds(Rate, st.integers(0, of), st.just(of)))


@pytest.mark.parametrize(
    ("given_", "masked", "interval"),
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)), ((10, 10), (0, 20), (0.6791, 1.0))],
)
def test_the_interval_of_newcombes_paper(
    given_: tuple[int, int], masked: tuple[int, int], interval: tuple[float, float]
) -> None:
    """Table II of the paper, method 10, contrasts (a), (b) and (g)."""
    found = Difference(Rate(*given_), Rate(*masked)).interval
    assert [round(end, 4) for end in found] == pytest.approx(interval, abs=1e-4)


@given(RATES, RATES)
def test_verdicts_agree_with_the_interval(one: Rate, other: Rate) -> None:
    found = Difference(one, other)
    low, high = found.interval
    assert -1 <= low <= found.size <= high <= 1
    if found.verdict == "confirmed":
        assert low > 0
    if found.verdict == "refuted":
        assert high < one.share / 2


@given(RATES, RATES, st.integers(0, 20), st.data())
def test_stopping_early_costs_no_certainty(one: Rate, other: Rate, left: int, data: st.DataObject) -> None:
    """Whatever the samples that weren't taken had been, the verdict would be the one that there is."""
    if settled(one, other, left):
        more = data.draw(st.integers(0, left))
        assert Difference(one, other).verdict == Difference(one, Rate(other.bad + more, other.of + left)).verdict


def test_how_many_samples_it_takes() -> None:
    assert [Difference(Rate(n, n), Rate(0, n)).verdict for n in (1, 3, 4)] == ["undecided", "undecided", "confirmed"]
    assert [Difference(Rate(n, n), Rate(n, n)).verdict for n in (1, 3, 4)] == ["undecided", "undecided", "refuted"]
    assert Difference(Rate(0, 9), Rate(0, 9)).verdict == "undecided", "it wasn't made at all"
    assert Difference(Rate(5, 10), Rate(5, 10)).verdict == "undecided"


def test_what_is_certain_takes_one() -> None:
    assert Difference(Rate(1, 1), Rate(0, 1), certain=True).verdict == "confirmed"
    assert Difference(Rate(1, 1), Rate(1, 1), certain=True).verdict == "refuted"
    assert Difference(Rate(1, 1), Rate(), certain=True).verdict == "undecided"
    assert Difference(Rate(1, 1), Rate(0, 1), certain=True).interval == (1.0, 1.0)
