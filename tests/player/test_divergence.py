"""Explanations of a divergence, made from a tape and a call alone."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.boundary.door import Call
from replay.cassette.codec import pack, unpack
from replay.cassette.named import Named
from replay.model.verdict import Crossing
from replay.player.divergence import (
    Facts,
    of_body,
    of_body_left,
    of_call,
    of_early_end,
    of_order,
    of_stand_in,
    phrase,
    request_of,
)
from replay.player.tape import CALL, EVENT, LANE, RETURN, SITE, TRACK, Entry, Tape
from tests.player.recordings import NO_EVENT, SOURCES, Made, recordings

UNCHANGED = Facts(())


def tape_of(*requests: Any, kind: str = "tool", body: bytes | None = None) -> Tape:
    """One lane that made these calls one after the other."""
    frames: list[Any] = [(LANE, NO_EVENT, [0, "m"]), (SITE, NO_EVENT, [0, "then.py", 12, "main"])]
    for number, request in enumerate(requests):
        frames.append((EVENT, number, [0, kind, "search", "read", 5, 0, request, body, None, 1, 0, "found"]))
    return Tape(iter(frames), SOURCES)


def of(tape: Tape, call: Call[Any] | None, facts: Facts = UNCHANGED, frame: Any = None) -> Any:
    what = "reads time.time" if call is None else f"{call.kind} {call.name}"
    return of_call(tape, "m", tape.next_of("m"), what, call, frame, facts)


def test_another_request() -> None:
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    found = of(tape_of({"q": "cats"}), Call("tool", "search", "read", {"q": "dogs"}), frame=frame)
    assert found.event == 0
    assert found.reason == "tool search: the same call with another request"
    assert found.expected == Crossing("tool search", "m", {"q": "cats"}, None)
    assert found.got == Crossing("tool search", "m", {"q": "dogs"}, None)
    assert found.recorded_site == "then.py:12"
    assert found.site.startswith(f"{__file__}:")
    assert found.changes == ("~ request.q: 'cats' -> 'dogs'",)
    assert found.cause == "unrecorded input"
    assert (found.candidates[0].event, found.candidates[0].what) == (0, "tool search")
    assert 0 < found.candidates[0].score < 1


def test_another_call() -> None:
    found = of(tape_of("a"), Call("tool", "refund", "write", "a"), Facts(("/home/me/agent.py", "/home/me/tools.py")))
    assert found.reason == "expected tool search, got tool refund (lane m)"
    assert found.cause == "code changed"
    assert "(agent.py, tools.py)" in found.why


def test_the_same_call_elsewhere_is_a_matter_of_order() -> None:
    found = of(tape_of("first", "second"), Call("tool", "search", "read", "second"))
    assert found.cause == "order"
    assert "event 1 in lane m" in found.why
    assert found.candidates[0].score == 1.0


def test_a_draw_instead_of_a_call_and_a_call_instead_of_a_draw() -> None:
    found = of(tape_of("a"), None)
    assert found.reason == "expected tool search, got reads time.time (lane m)"
    assert found.got == Crossing("reads time.time", "m")
    assert (found.changes, found.candidates, found.site) == ((), (), None)
    draws = (EVENT, 0, [0, "clock", "time.time", "draw", 0, 0, ["time.time"], None, None, 0, 0, [1.5]])
    site = (SITE, NO_EVENT, [0, "then.py", 12, "main"])
    tape = Tape(iter([(LANE, NO_EVENT, [0, "m"]), site, draws]), SOURCES)
    found = of(tape, Call("tool", "search", "read", "a"))
    assert found.reason == "expected reads time.time, got tool search (lane m)"
    assert (found.event, found.recorded_site) == (0, "then.py:12")


def test_pieces_and_closes_of_a_stream() -> None:
    said = [phrase(Entry("chunk", "m", 7, (status, None))) for status in (0, 3, 4)]
    assert said == ["the next piece of event 7", "the next piece of event 7", "closes the stream of event 7"]


def test_past_the_end_of_a_lane() -> None:
    found = of(tape_of(), Call("tool", "search", "read", "a"))
    assert found.event is None
    assert found.reason == "lane m did nothing more in the recording; now: tool search"
    assert found.expected == Crossing("nothing more", "m")


def test_bodies_are_shown_as_text_and_not_at_full_length() -> None:
    found = of(tape_of("r", body=b"x\xff"), Call("tool", "search", "read", "r", b"y" * 5000))
    assert found.expected.body == "x\\xff"
    assert found.got.body == f"{'y' * 4000}… (5000 characters)"


def test_many_changes_are_counted() -> None:
    then, now = ({f"key {n}": n + shift for n in range(300)} for shift in (0, 1))
    found = of(tape_of(then), Call("tool", "search", "read", now))
    assert found.changes[-1].startswith("… and ")
    assert int(found.changes[-1].split()[2]) + len(found.changes) - 1 == 300


def test_order_names_who_waits() -> None:
    tape = Tape(iter([(LANE, NO_EVENT, [0, "m"]), (TRACK, NO_EVENT, [0, 0, 0])]), SOURCES)
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    found = of_order(tape, tape.head(), "nothing moves", {"m/t2": "a turn", "m/T1": "another"}, frame, Facts())
    assert found.reason == "nothing moves (m/T1 waits for another; m/t2 waits for a turn)"
    assert (found.event, found.cause, found.got) == (None, "order", None)
    assert found.expected == Crossing("a step of its event loop", "m")
    assert found.site is not None
    nothing = of_order(tape, None, "it has ended", {}, None, Facts())
    assert (nothing.reason, nothing.expected, nothing.site) == ("it has ended", Crossing("nothing more", ""), None)
    asked = tape_of("a")
    assert of_order(asked, asked.head(), "skipped", {}, None, Facts()).event == 0


def test_a_changed_program_is_why_lanes_take_other_turns() -> None:
    tape = tape_of("a")
    found = of_order(tape, tape.head(), "nothing moves", {}, None, Facts(("/home/me/agent.py",)))
    assert found.cause == "code changed"
    assert "(agent.py)" in found.why


def test_a_changed_program_is_why_times_differ() -> None:
    then, now = "at 2026-11-22T10:00:00Z", "at 2026-11-22T10:00:01Z"
    call = Call[Any]("tool", "search", "read", now)
    assert of(tape_of(then), call).cause == "unrecorded input"
    found = of(tape_of(then), call, Facts(("/home/me/agent.py",)))
    assert (found.cause, "only time" in found.why) == ("code changed", True)


def test_a_replaced_secret_is_named_where_nothing_else_explains_it() -> None:
    asked: list[int | None] = []

    def replaced(until: int | None) -> int | None:
        asked.append(until)
        return 3

    found = of(tape_of("a"), Call("tool", "search", "read", "b"), Facts((), replaced))
    assert "in the answer of event 3 a secret is replaced" in found.why
    assert asked == [0]
    of(tape_of("a"), Call("tool", "search", "read", "b"), Facts(("agent.py",), replaced))
    assert asked == [0]  # the program changed: no need to look


def test_early_end() -> None:
    tape = tape_of("a")
    left = tape.left()
    assert left is not None
    found = of_early_end(tape, left, Facts(None))
    assert found.reason == "the program ended; the recording goes on with tool search in lane m"
    assert (found.event, found.recorded_site) == (0, "then.py:12")
    assert found.expected == Crossing("tool search", "m", "a", None)
    frames = [
        (LANE, NO_EVENT, [0, "m"]),
        (CALL, 0, [0, "tool", "x", "read", 5, None, "q", None, None]),
        (RETURN, 0, [6, 0, 1, False]),
    ]
    tape = Tape(iter(frames), SOURCES)
    call = tape.head()
    assert call is not None
    tape.take(call)
    outcome = tape.left()
    assert outcome is not None
    found = of_early_end(tape, outcome, UNCHANGED)
    assert found.reason.endswith("goes on with the outcome of event 0 in lane m")
    assert (found.recorded_site, found.expected) == (None, Crossing("the outcome of event 0", "m"))


def test_a_body_that_ends_otherwise() -> None:
    tape = tape_of("q")
    call, outcome = tape.head(), tape.outcome(0)
    assert call is not None
    assert outcome is not None
    outcome.detail = (0, {"found": "cats"})
    found = of_body(tape, "search", call, outcome, (0, {"found": "dogs"}), Facts(("agent.py",)))
    assert found.reason == (
        "tool search, run again, answered {'found': 'dogs'}; in the recording it answered {'found': 'cats'}"
    )
    assert (found.event, found.recorded_site) == (0, "then.py:12")
    assert found.expected == Crossing("tool search answered {'found': 'cats'}", "m")
    assert found.got == Crossing("tool search answered {'found': 'dogs'}", "m")
    assert found.changes == ("~ answer.found: 'cats' -> 'dogs'",)
    assert (found.cause, "agent.py" in found.why) == ("code changed", True)


def test_a_body_that_ends_in_another_way() -> None:
    """An exception for an answer, a stream's end for a piece: nothing to compare, and long values are cut."""
    raised = unpack(pack(ValueError("no")))
    for then, now, said in [
        ((0, "fine"), (1, raised), "raised ValueError('no'); in the recording it answered 'fine'"),
        ((0, "piece"), (3, None), "had no more; in the recording it answered 'piece'"),
        ((4, None), (2, None), "opened a stream; in the recording it was closed"),
    ]:
        found = of_body(tape_of(), "search", None, Entry("return", "m", 3, then), now, UNCHANGED)
        assert found.reason == f"tool search, run again, {said}"
        assert (found.event, found.recorded_site, found.changes) == (3, None, ())
    found = of_body(tape_of(), "search", None, Entry("return", "m", 3, (0, "a" * 5000)), (0, "b"), UNCHANGED)
    assert found.reason.endswith("aaa…")
    assert len(found.reason) < 5000


def test_a_body_that_ends_too_early() -> None:
    tape = tape_of("q")
    call, outcome = tape.head(), tape.outcome(0)
    assert call is not None
    assert outcome is not None
    found = of_body_left(tape, "buy", call, Facts(("agent.py",)))
    assert found.reason == "tool buy, run again, ended; in the recording it went on: tool search"
    assert found.expected == Crossing("tool search", "m", "q", None)
    assert (found.event, found.got, found.recorded_site) == (0, None, "then.py:12")
    assert found.cause == "code changed"
    found = of_body_left(tape, "buy", outcome, UNCHANGED)
    assert found.reason.endswith("it went on: the outcome of event 0")
    assert found.expected == Crossing("the outcome of event 0", "m")


def test_an_answer_that_cant_be_made() -> None:
    said = of_stand_in("find", 4, Named("shop", "Order", "dataclass", {}))
    assert said.startswith("tool find answered with a shop.Order (event 4), a class that isn't imported here")


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("draw", "reads time.time"),
        ("return", "the outcome of event 4"),
        ("chunk", "the next piece of event 4"),
        ("timer", "a timer of its event loop"),
        ("acquire", "takes a lock"),
    ],
)
def test_entries_in_words(op: str, said: str) -> None:
    assert phrase(Entry(op, "m", 4, ("time.time", 1.5, None))) == said


def test_facts() -> None:
    assert Facts().source_changed is None
    assert Facts(()).source_changed is False
    assert Facts(("a.py",)).source_changed is True


@settings(max_examples=80)
@given(recordings(), st.sampled_from(["tool", "http"]), st.integers(0, 5))
def test_any_recording_can_be_explained(made: Made, kind: str, number: int) -> None:
    """Whatever the lane was to do next: one sentence, the event, JSON-ready, and candidates of the call's kind."""
    tape = Tape(iter(made.frames), SOURCES)
    entry = tape.next_of("m")
    call: Call[Any] = Call(kind, f"{kind}{number}", "read", {"n": number})
    found = of_call(tape, "m", entry, f"{kind} {call.name}", call, None, UNCHANGED)
    if entry is None:
        assert found.event is None
    else:  # a turn of the schedule has no event: then it is the next that has
        later = [h.event for h in made.happened if h.op != "draw" and h.event >= 0]
        assert found.event == (entry.event if entry.event >= 0 else next(iter(later), None))
    assert found.reason
    assert found.to_json()["reason"] == found.reason
    ahead = {e.event: request_of(e) for e in tape.calls_ahead(200)}
    assert all(ahead[candidate.event].kind == kind for candidate in found.candidates)
    assert len(found.candidates) <= 5
