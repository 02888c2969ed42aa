"""The tape, as the pure cursor that it is: any recording, read in any order that lanes may choose."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.boundary.schedule import DRAW, SIGNAL
from replay.model.event import Site
from replay.player.tape import CALL, CHUNK, EVENT, LANE, RETURN, SITE, TRACK, Entry, Frame, Tape
from tests.player.recordings import NO_EVENT, SOURCES, Counted, Happened, Made, recordings

MANY = settings(max_examples=150)


def told(entry: Entry | None) -> tuple[object, ...] | None:
    """An entry as `Happened` has it, without its frame."""
    if entry is None:
        return None
    return (entry.op, entry.lane, entry.event, entry.detail, entry.at, entry.suspended)


def expected(happened: Happened) -> tuple[object, ...]:
    return astuple(happened)[:-1]


def tape_of(made: Made) -> tuple[Tape, Counted]:
    frames = Counted(made.frames)
    return Tape(frames, SOURCES), frames


@MANY
@given(recordings())
def test_recorded_order_consumes_everything(made: Made) -> None:
    tape, _ = tape_of(made)
    for happened in made.happened:
        if happened.op == "echo":
            tape.head()
            assert told(tape.echoes.pop(0)) == expected(happened)
            continue
        entry = tape.next_of(happened.lane)
        assert told(entry) == expected(happened)
        assert entry is not None
        if happened.gated:
            assert tape.head() is entry
        if happened.op == "return":
            assert tape.outcome(happened.event) is entry
        if happened.op == "chunk":
            assert tape.piece(happened.event) is entry
        assert tape.take(entry)
    assert tape.head() is None
    assert tape.left() is None
    assert tape.exhausted
    assert not tape.echoes
    assert [tape.next_of(lane) for lane in made.lanes] == [None] * len(made.lanes)
    assert [tape.outcome(event) for event in made.open] == [None] * len(made.open)


@MANY
@given(recordings(), st.data())
def test_lanes_are_held_back_until_their_turn(made: Made, data: st.DataObject) -> None:
    """Whichever lane moves next: the gated entries happen in the recorded order, draws in that of their lane."""
    tape, _ = tape_of(made)
    gated: list[tuple[object, ...] | None] = []
    draws: dict[str, list[tuple[object, ...] | None]] = {lane: [] for lane in made.lanes}
    while lanes := [lane for lane in made.lanes if tape.next_of(lane) is not None]:
        lane = data.draw(st.sampled_from(lanes))
        entry = tape.next_of(lane)
        assert entry is not None
        if entry.op == "draw":
            draws[lane].append(told(entry))
        elif tape.head() is not entry:
            continue  # held back
        else:
            gated.append(told(entry))
        assert tape.take(entry)
    assert gated == [expected(happened) for happened in made.happened if happened.gated]
    for lane, drawn in draws.items():
        assert drawn == [expected(h) for h in made.happened if h.op == "draw" and h.lane == lane]


@MANY
@given(recordings())
def test_nothing_is_skipped(made: Made) -> None:
    """The head isn't taken where its lane has to draw first; and then nothing has moved."""
    tape, _ = tape_of(made)
    while (head := tape.head()) is not None:
        first = tape.next_of(head.lane)
        assert first is not None
        if first is not head:
            assert not tape.take(head)
            assert tape.head() is head
            assert tape.next_of(head.lane) is first
            assert first.op == "draw"
        assert tape.take(first)


@MANY
@given(recordings())
def test_frames_are_read_no_further_than_needed(made: Made) -> None:
    tape, frames = tape_of(made)
    for happened in made.happened:
        before = frames.given
        if happened.gated:
            entry = tape.head()
            assert frames.given == max(before, happened.frame + 1)
        else:
            entry = tape.next_of(happened.lane) if happened.op == "draw" else None
        if entry is not None:
            tape.next_of(happened.lane)
            assert frames.given <= max(before, happened.frame + 1)
            assert tape.take(entry)
        kept = sum(entry.op != "echo" for entry in tape.order)
        assert kept <= sum(h.frame == happened.frame for h in made.happened)


@MANY
@given(recordings())
def test_a_long_queue_of_one_lane_stays_unread(made: Made) -> None:
    """Looking for a lane's number or next entry reads up to it."""
    tape, frames = tape_of(made)
    positions = [at for at, frame in enumerate(made.frames) if frame[0] == LANE]
    for number, (path, at) in enumerate(zip(made.lanes, positions, strict=True)):
        assert tape.number_of(path) == number
        assert frames.given == at + 1
    assert tape.number_of("m/T99") is None
    assert frames.given == len(made.frames)


@MANY
@given(recordings(), st.integers(0, 60), st.integers(0, 9))
def test_what_is_left(made: Made, taken: int, limit: int) -> None:
    """After any number of entries: the first call, outcome or piece that never happened, and the calls ahead."""
    tape, frames = tape_of(made)
    for happened in made.happened[:taken]:
        if happened.op != "echo":
            tape.head()
            entry = tape.next_of(happened.lane)
            assert entry is not None
            tape.take(entry)
    rest = made.happened[taken:]
    calls = [expected(happened) for happened in rest if happened.op == "call"]
    read = frames.given
    assert [told(entry) for entry in tape.calls_ahead(limit)] == calls[:limit]
    if limit and len(calls) >= limit:
        last = [happened for happened in rest if happened.op == "call"][limit - 1]
        assert frames.given <= max(read, last.frame + 1)
    serious = [expected(happened) for happened in rest if happened.op in ("call", "return", "chunk")]
    assert told(tape.left()) == (serious[0] if serious else None)
    assert frames.given == len(made.frames)
    assert [told(entry) for entry in tape.calls_ahead(limit)] == calls[:limit], "also where more has been read"
    resting = frozenset({"m"})
    others = [found for found in serious if found[1] != "m"]
    assert told(tape.left(resting)) == (others[0] if others else None)


@MANY
@given(recordings(), st.data())
def test_outcomes_and_pieces_are_found_ahead_of_their_turn(made: Made, data: st.DataObject) -> None:
    """In any order of events: each event's own outcome, its pieces in order, then nothing."""
    tape, _ = tape_of(made)
    for event in data.draw(st.permutations(range(made.events))):
        outcomes = [expected(h) for h in made.happened if h.op == "return" and h.event == event]
        early: bool = data.draw(st.booleans())
        if outcomes and early:
            assert told(tape.outcome(event)) == outcomes.pop()
        for piece in [expected(h) for h in made.happened if h.op == "chunk" and h.event == event]:
            assert told(tape.piece(event)) == piece
        assert tape.piece(event) is None
        if outcomes:
            assert told(tape.outcome(event)) == outcomes.pop()
        assert tape.outcome(event) is None


def test_sites() -> None:
    frames = [(LANE, NO_EVENT, [0, "m"]), (SITE, NO_EVENT, [4, "a.py", 7, "main"]), (TRACK, NO_EVENT, [0, 0, 0])]
    tape = Tape(iter(frames), SOURCES)
    assert tape.site(4) is None, "not read yet"
    tape.head()
    assert tape.site(4) == Site("a.py", 7, "main")
    assert tape.site(5) is None
    assert tape.site(None) is None


def test_an_empty_recording() -> None:
    tape = Tape(iter(()), SOURCES)
    assert (tape.head(), tape.next_of("m"), tape.outcome(0), tape.piece(0), tape.left()) == (None,) * 5
    assert tape.calls_ahead(3) == []
    assert tape.number_of("m") is None
    assert tape.exhausted


def test_a_torn_recording_ends_where_its_frames_end() -> None:
    frames = [
        (LANE, NO_EVENT, [0, "m"]),
        (CALL, 0, [0, "tool", "search", "read", 5, None, "q", None, None]),
        (CHUNK, 0, [0, 6, 0, "first", True]),
    ]
    tape = Tape(iter(frames), SOURCES)
    call = tape.head()
    assert call is not None
    assert tape.take(call)
    assert tape.outcome(0) is None
    piece = tape.piece(0)
    assert (told(piece), tape.piece(0)) == (("chunk", "m", 0, (0, "first"), 6, True), None)
    assert repr(piece) == "<chunk m event=0 (0, 'first')>"


def test_frames_that_contradict_each_other_are_refused() -> None:
    """A recorder can't have written these; a tape doesn't make sense of them by chance."""
    lane = (LANE, NO_EVENT, [0, "m"])
    for frame in [
        (CALL, 0, [1, "tool", "x", "read", 5, None, None, None, None]),
        (RETURN, 3, [0, 0, None, False]),
        (TRACK, NO_EVENT, [0, 7, 0]),
    ]:
        tape = Tape(iter([lane, frame]), SOURCES)
        with pytest.raises(KeyError):
            tape.head()
    uneven = (EVENT, 0, [0, "clock", "time.time", "draw", 0, None, ["time.time"], None, None, 0, 0, []])
    with pytest.raises(ValueError, match="zip"):
        Tape(iter([lane, uneven]), SOURCES).next_of("m")


def inside_frames() -> list[Frame]:
    """A tool of `m` (event 0) that prints, reads a clock, calls another one and is interrupted, and one more of `m`."""
    lanes: list[Frame] = [(LANE, NO_EVENT, [n, path]) for n, path in enumerate(("m", "m/x", "m/x/x"))]
    tool: list[Any] = ["tool", "outer", "write", 1, None, {}, None, None]
    return [
        *lanes,
        (CALL, 0, [0, *tool]),
        (EVENT, 1, [1, "output", "stdout", "write", 2, None, "said", None, None, 0, 0, None]),
        (EVENT, 2, [1, "clock", "time.time", "draw", 2, None, ["time.time"], None, None, 0, 0, [1.5]]),
        (CALL, 3, [1, *tool]),
        (CHUNK, 3, [1, 3, 0, "piece", False]),
        (EVENT, 4, [2, "http", "GET", "read", 3, None, {}, None, None, 1, 0, "done"]),
        (RETURN, 3, [4, 0, "inner", False]),
        (TRACK, NO_EVENT, [0, 1, 0, DRAW, 1, 0, 2.5, SIGNAL, 1, 128 * 7 + 10]),
        (RETURN, 0, [5, 0, "outer", False]),
        (EVENT, 5, [0, *tool, 1, 0, "again"]),
        (CALL, 6, [1, *tool]),
    ]


def test_whether_a_call_has_an_outcome() -> None:
    """It is asked ahead of its turn; one that was given is gone."""
    tape = Tape(iter(inside_frames()), SOURCES)
    assert [tape.has_outcome(event) for event in (5, 0, 6)] == [True, True, False]
    assert tape.outcome(5) is not None
    assert not tape.has_outcome(5)


def test_what_happened_inside_tools_is_left_out() -> None:
    """What it printed is an echo, and the handler of a signal, which acted for `m`, is an entry of `m`."""
    tape = Tape(iter(inside_frames()), SOURCES)
    found: list[tuple[str, str, int]] = []
    while (head := tape.head()) is not None:
        found.append((head.op, head.lane, head.event))
        assert tape.take(head)
    calls = [("call", "m", 0), ("signal", "m", -1), ("return", "m", 0), ("call", "m", 5), ("return", "m", 5)]
    assert found == calls
    assert [echo.detail for echo in tape.echoes] == [("stdout", "said")]
    assert (tape.inside, tape.tools) == ([[1, 5], [6, 7]], {0})
    assert tape.next_of("m/x") is None
    assert tape.announced("m/x") == "m/x"
    assert tape.announced("m/T9") is None


def test_what_happened_inside_tools_whose_bodies_run() -> None:
    tape = Tape(iter(inside_frames()), SOURCES, bodies=True)
    assert tape.announced("m/x/x", "m/x") == "m/x", "which came first"
    outcome = tape.outcome(0)
    assert outcome is not None
    left: list[str] = []
    while (entry := tape.left_of("m/x", outcome)) is not None:
        left.append(entry.op)
        while tape.head() is not entry and entry.op != "draw":
            head = tape.head()
            assert head is not None
            assert tape.take(head)
        assert tape.take(entry)
    assert left == ["call", "return", "draw", "call", "chunk", "return", "step", "draw", "signal"]
    assert tape.left_of("m/x", None) is None
    assert tape.next_of("m/x") is not None
    assert tape.left_of("m/x", outcome) is None, "it came later"
    assert tape.inside == []


def test_what_is_inside_of_something_else_than_a_tool_is_left_out() -> None:
    """No recorder writes it; it is of no tool then, and no tool's body is missed."""
    frames: list[Frame] = [
        (LANE, NO_EVENT, [0, "m"]),
        (LANE, NO_EVENT, [1, "m/x"]),
        (CALL, 0, [0, "http", "GET", "read", 1, None, {}, None, None]),
        (CALL, 1, [1, "http", "GET", "read", 1, None, {}, None, None]),
        (RETURN, 1, [4, 0, "inner", False]),
        (RETURN, 0, [5, 0, "outer", False]),
    ]
    tape = Tape(iter(frames), SOURCES)
    assert told(tape.outcome(0)) == ("return", "m", 0, (0, "outer"), 5, False)
    assert (tape.inside, tape.tools) == ([[1, 2]], set())


def test_a_recording_that_stopped_says_why() -> None:
    """The reason is no event of the program's."""
    gap = [0, "gap", "recording", "read", 9, None, {"kind": "recording", "reason": "the disk is full"}]
    frames: list[Frame] = [(LANE, NO_EVENT, [0, "m"]), (EVENT, 0, [*gap, None, None, 0, 0, None])]
    tape = Tape(iter(frames), SOURCES)
    assert tape.stopped is None, "not read yet"
    assert tape.head() is None
    assert tape.stopped == "the disk is full"
