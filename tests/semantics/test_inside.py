"""Which tool an event happened in, from lanes and times alone."""

from __future__ import annotations

from typing import Any

from replay.model.event import Event, Piece
from replay.semantics.inside import Tools


def event(
    identity: int, lane: str, kind: str = "clock", at: int | None = None, took: int | None = 1, **more: Any
) -> Event:
    begun = identity * 10 if at is None else at
    status = more.pop("status", "done")
    return Event(identity, kind, "it", "read", lane, begun, took, None, {}, None, status, **more)


def stream(identity: int, lane: str, *pieces: int) -> Event:
    given = tuple(Piece(at, "piece", None) for at in pieces)
    return event(identity, lane, "tool", status="streamed", pieces=given)


def held(*events: Event) -> list[int | None]:
    tools = Tools()
    return [tools.holding(each) for each in events]


def test_nothing_is_inside_where_there_is_no_tool() -> None:
    assert held(event(0, "m"), event(1, "m/t1"), event(2, "m/x:y")) == [None, None, None]


def test_the_last_tool_of_the_lane_is_it() -> None:
    assert held(
        event(0, "m", "tool", took=15),
        event(1, "m/x"),
        event(2, "m"),
        event(3, "m", "tool", took=15),
        event(4, "m/x"),
        event(5, "m/t1", "tool", took=5),
        event(6, "m/t1/x"),
        event(7, "m/x"),
    ) == [None, 0, None, None, 3, None, 5, 3]


def test_tools_in_tools_and_the_threads_of_their_bodies() -> None:
    assert held(
        event(0, "m", "tool", took=None),
        event(1, "m/x/t1"),
        event(2, "m/x", "tool", took=5),
        event(3, "m/x/x"),
        event(4, "m/x/t1"),
    ) == [None, 0, 0, 2, 0]


def test_what_a_tool_left_behind_stays_inside_it() -> None:
    """A thread that the first tool began goes on while the second runs; the lane itself is in the second by then."""
    assert held(
        event(0, "m", "tool", took=15),
        event(1, "m/x/t1"),
        event(2, "m", "tool", took=100),
        event(3, "m/x/t1"),
        event(4, "m/x"),
        event(5, "m/x/t2"),
    ) == [None, 0, None, 0, 2, 2]


def test_generators_that_give_by_turns_are_told_apart_by_time() -> None:
    assert held(
        stream(0, "m", 25, 45, 70),
        stream(1, "m", 35, 55),
        event(2, "m/x", at=20),
        event(3, "m/x", at=30),
        event(4, "m/x", at=40),
        event(5, "m/x", at=50),
        event(6, "m/x", at=60),
    ) == [None, None, 0, 1, 0, 1, 0]


def test_a_tool_that_is_running_is_it_whatever_a_generator_gives_later() -> None:
    assert held(
        stream(0, "m", 5, 95),
        event(1, "m", "tool", at=10, took=20),
        event(2, "m/x", at=25),
        event(3, "m/x", at=40),
        event(4, "m", "tool", at=50, took=None),
        event(5, "m/x", at=60),
    ) == [None, None, 1, 0, None, 4]


def test_a_lane_whose_tool_was_lost_is_in_none() -> None:
    """A damaged cassette; a stream that ended before."""
    assert held(event(0, "m/t1/x"), stream(1, "m", 15), event(2, "m/x", at=30)) == [None, None, None]
