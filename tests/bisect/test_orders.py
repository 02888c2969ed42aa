"""Any set of swaps is an order: between the good run's and the bad one's, and of each lane as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay.bisect.ddmin import Trials
from replay.bisect.orders import Done, ordered, swaps
from replay.bisect.search import search


@st.composite
def runs(draw: st.DrawFn) -> list[Done]:
    """Both orders of the same events on some lanes."""
    lanes = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
    places = _merge(lanes, draw(st.permutations(range(len(lanes)))))
    return [Done(n, n, lane, f"call {n}", n, places[n]) for n, lane in enumerate(lanes)]


def _merge(lanes: list[str], turns: list[int]) -> list[int]:
    """Where each event stands in an order of lanes that is given by chance."""
    left = {lane: [n for n, other in enumerate(lanes) if other == lane] for lane in lanes}
    order = [left[lanes[turn]].pop(0) for turn in turns]
    return [order.index(n) for n in range(len(lanes))]


@given(runs(), st.data())
def test_orders(order: list[Done], data: st.DataObject) -> None:
    differences = swaps(order)
    numbers = sorted(frozenset[int]().union(*(each.numbers for each in differences)))
    assert ordered(order, differences, frozenset()) == [each.good for each in order]
    assert ordered(order, differences, frozenset(numbers)) == [e.good for e in sorted(order, key=lambda e: e.place)]
    chosen = frozenset(data.draw(st.sets(st.sampled_from(numbers)))) if numbers else frozenset[int]()
    mixed = ordered(order, differences, chosen)
    assert sorted(mixed) == list(range(len(order)))
    for lane in "abc":
        own = [each.good for each in order if each.lane == lane]
        assert [event for event in mixed if event in own] == own
    swapped = {(swap.first.good, swap.second.good): swap.numbers <= chosen for e in differences for swap in e.parts}
    for one in order:
        for other in order[one.good + 1 :]:
            then = mixed.index(one.good) < mixed.index(other.good)
            wanted = swapped.get((one.good, other.good))
            assert not (wanted and then), "swapped where that was chosen"
            assert then or wanted is not None, "and never what is the same in both"


@given(runs())
def test_a_swap_changes_no_more_than_it_has_to(order: list[Done]) -> None:
    """Of two neighbours: nothing else at all."""
    differences = swaps(order)
    for swap in (swap for each in differences for swap in each.parts):
        mixed = ordered(order, differences, swap.numbers)
        if swap.second.good == swap.first.good + 1:
            expected = list(range(len(order)))
            expected[swap.first.good], expected[swap.second.good] = swap.second.good, swap.first.good
            assert mixed == expected


@given(runs(), st.data())
def test_the_swap_that_matters_is_found(order: list[Done], data: st.DataObject) -> None:
    differences = swaps(order)
    parts = [part for each in differences for part in each.parts]
    if not parts:
        return
    wanted = data.draw(st.sampled_from(parts))

    def is_bad(chosen: frozenset[int]) -> bool:
        mixed = ordered(order, differences, chosen)
        return mixed.index(wanted.second.good) < mixed.index(wanted.first.good)

    found = search(differences, Trials[int](lambda chosen: "bad" if is_bad(chosen) else "good"))
    assert found.sets
    for each in found.sets:
        assert is_bad(frozenset(each))
        assert not any(is_bad(frozenset(each) - {number}) for number in each)
