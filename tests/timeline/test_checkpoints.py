"""Where snapshots stand: stepping back is cheap, and there are few of them."""

from __future__ import annotations

from math import log2

from hypothesis import given
from hypothesis import strategies as st

from replay.timeline import checkpoints

EVENTS = st.integers(0, 2000)


class Line:
    """A line of events with one who goes along it, as `replay.timeline.session` does."""

    def __init__(self) -> None:
        self.held = {0}
        self.present = 0

    def cost(self, target: int) -> int:
        begin = checkpoints.start(self.held, target)
        assert begin is not None
        return target - begin

    def goto(self, target: int) -> int:
        cost = self.cost(target)
        self.held |= set(checkpoints.on_the_way(target - cost, target))
        self.present = target
        self.held = checkpoints.kept(self.held, target)
        return cost


@given(EVENTS, EVENTS)
def test_the_way_ends_at_the_target(begin: int, target: int) -> None:
    begin, target = sorted((begin, target))
    way = checkpoints.on_the_way(begin, target)
    assert way == sorted(set(way))
    assert way[-1] == target
    assert all(begin < each for each in way[:-1])
    assert len(way) <= log2(target - begin + 1) + 2


@given(st.lists(EVENTS, min_size=1, max_size=20))
def test_there_are_few_of_them(walk: list[int]) -> None:
    line = Line()
    for target in walk:
        line.goto(target)
        assert {0, target} <= line.held
        assert len(line.held) <= 4 * (log2(2001) + 2)


@given(st.sets(EVENTS, min_size=1), st.data(), st.integers(2, 10))
def test_with_less_room_the_nearest_stay(held: set[int], data: st.DataObject, room: int) -> None:
    present = data.draw(st.sampled_from(sorted(held)))
    kept = checkpoints.kept(held, present, room)
    assert kept <= held
    assert {min(held), present} <= kept
    assert len(kept) <= room


@given(st.lists(EVENTS, max_size=10), st.integers(0, 500))
def test_a_step_back_is_cheap_wherever_one_came_from(walk: list[int], steps: int) -> None:
    line = Line()
    for target in walk:
        line.goto(target)
    costs, began = list[int](), line.present
    for _ in range(min(steps, line.present)):
        costs.append(line.goto(line.present - 1))
    assert sum(costs) <= began + len(costs) * log2(2001)  # the way there at most once, then each event once a doubling


@given(EVENTS, EVENTS)
def test_nearby_is_cheap_behind_a_jump(target: int, back: int) -> None:
    line = Line()
    line.goto(target)
    assert line.cost(max(target - back, 0)) <= 2 * back


@given(st.lists(EVENTS, max_size=10), EVENTS)
def test_nothing_costs_more_than_from_the_beginning(walk: list[int], target: int) -> None:
    line = Line()
    for each in walk:
        line.goto(each)
    assert line.cost(target) <= target
