"""The first event at which something holds, by asking at few of them, or at each."""

from __future__ import annotations

from math import log2

from hypothesis import given
from hypothesis import strategies as st

from replay.timeline import search

EVENTS = st.sets(st.integers(0, 5000), min_size=1, max_size=200).map(sorted)


@given(EVENTS, st.integers(-1, 5001))
def test_halving_finds_the_beginning_of_what_stays(events: list[int], since: int) -> None:
    asked: list[int] = []

    def holds(event: int) -> bool:
        asked.append(event)
        return event >= since

    found = search.halve(events, holds)
    assert found.event == next((event for event in events if event >= since), None)
    assert found.asked == len(asked) == len(set(asked))
    assert found.asked <= log2(len(events)) + 2
    if found.before is not None and found.event is not None:
        assert found.before == max(event for event in events if event < found.event)


@given(EVENTS, st.sets(st.integers(0, 5000)))
def test_of_what_comes_and_goes_it_finds_one_beginning(events: list[int], when: set[int]) -> None:
    found = search.halve(events, when.__contains__)
    if events[-1] not in when:
        assert found == search.Found(None, events[-1], 1)
    else:
        assert found.event is not None
        assert found.event in when
        earlier = events[: events.index(found.event)]
        assert not earlier or earlier[-1] not in when


@given(EVENTS, st.sets(st.integers(0, 5000)))
def test_scanning_assumes_nothing(events: list[int], when: set[int]) -> None:
    found = search.scan(events, when.__contains__)
    assert found.event == next((event for event in events if event in when), None)
    assert found.before == next(
        (event for event in reversed(events) if found.event is None or event < found.event), None
    )


@given(EVENTS, st.integers(-1, 5001), st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 3))
def test_where_it_cannot_be_told(events: list[int], since: int, first: int, last: int, every: int) -> None:
    """Only between two events, and there at every second or third."""
    told = {event for event in events[::every] if first <= event <= last}

    def holds(event: int) -> bool | None:
        return event >= since if event in told else None

    found = search.halve(events, holds)
    if every == 1:
        assert found.event == next((event for event in events if event in told and event >= since), None)
    elif found.event is not None:
        assert holds(found.event)
        assert found.before is None or found.before < since <= found.event


@given(st.integers(2, 400), st.integers(0, 400), st.integers(2, 3))
def test_two_frames_by_turns(count: int, since: int, every: int) -> None:
    """It can be told at every second or third event, also at the end."""
    told = range(0, count, every)
    found = search.halve(range(count), lambda event: event >= since if event in told else None)
    assert found.event == next((event for event in told if event >= since), None)
    assert found.asked <= 8 * (log2(count) + 2)


def test_nowhere() -> None:
    found = search.halve(range(1000), lambda _: None)
    assert (found.event, found.before) == (None, None)
    assert found.asked < 50


def test_no_events() -> None:
    assert search.halve([], bool) == search.scan([], bool) == search.Found(None, None, 0)
