"""Explaining a divergence: what was expected, what came, from where, what resembles it, and the likely cause. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from replay.boundary.door import Call
from replay.cassette.named import Named
from replay.cassette.revive import revive
from replay.matching.cause import Cause, likely_cause
from replay.matching.compare import Request, same
from replay.matching.explain import Difference, explain
from replay.matching.nearest import nearest
from replay.model.verdict import Candidate, Crossing, Divergence
from replay.player.answers import CLOSED, END, ERROR, RESULT, STREAM
from replay.player.tape import Entry, Tape

_LOOK_AHEAD = 200
_BODY_SHOWN = 4000
_VALUE_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the program's source then and now.

    Attributes:
        changed: recorded source files that differ now; None where the recording doesn't say.
        replaced: the first event, up to the given one, whose answer has a stand-in for a secret; None if none has.
    """

    changed: tuple[str, ...] | None = None
    replaced: Callable[[int | None], int | None] = lambda at: None

    @property
    def source_changed(self) -> bool | None:
        """Whether the source differs, or None."""
        return None if self.changed is None else bool(self.changed)


def request_of(entry: Entry) -> Request:
    """The request of a call entry."""
    kind, name, _effect, _site, request, body, _meta = entry.detail
    return Request(kind, name, request, body)


def phrase(entry: Entry | None) -> str:
    """An entry in words."""
    if entry is None:
        return "nothing more"
    if entry.op == "call":
        return f"{entry.detail[0]} {entry.detail[1]}"
    if entry.op == "draw":
        return f"reads {entry.detail[0]}"
    if entry.op == "chunk" and entry.detail[0] == CLOSED:
        return f"closes the stream of event {entry.event}"
    if entry.op in ("return", "chunk"):
        return f"the {'outcome' if entry.op == 'return' else 'next piece'} of event {entry.event}"
    return _IN_WORDS.get(entry.op) or f"a {entry.op} of its event loop"


_IN_WORDS = {
    "acquire": "takes a lock",
    "arrival": "hears a signal in its event loop",
    "takeover": "draws from a random stream that another thread drew from",
    "switch": "gets its turn among the threads",
}


def of_call(
    tape: Tape, lane: str, entry: Entry | None, what: str, call: Call[Any] | None, frame: FrameType | None, facts: Facts
) -> Divergence:
    """The program asked something else than its lane did in the recording.

    Args:
        entry: what the lane did; None past its end. what: what it does now, in words. call: the same, if a crossing.
    """
    expected = request_of(entry) if entry is not None and entry.op == "call" else None
    got = None if call is None else Request(call.kind, call.name, call.request, call.body)
    difference = explain(expected, got) if expected is not None and got is not None else None
    ahead = tape.calls_ahead(_LOOK_AHEAD)
    elsewhere = [f"event {other.event} in lane {other.lane}" for other in ahead if got and same(request_of(other), got)]
    cause = likely_cause(expected, got, source_changed=facts.source_changed, elsewhere=elsewhere, difference=difference)
    candidates = _candidates(ahead, got)
    return Divergence(
        event=_event(tape, entry),
        reason=_reason(lane, entry, what, expected, got),
        expected=_crossing(entry, expected, lane),
        got=Crossing(what, lane, None if got is None else got.request, _text(None if got is None else got.body)),
        recorded_site=_recorded_site(tape, entry),
        site=None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}",
        cause=cause.cause,
        why=_why(cause, facts, _event(tape, entry)),
        changes=_changes(difference),
        candidates=candidates,
    )


def of_order(
    tape: Tape,
    entry: Entry | None,
    reason: str,
    waiting: Mapping[str, str],
    frame: FrameType | None,
    facts: Facts,
) -> Divergence:
    """What the recording says comes next can't come. `waiting`: lane → the turn it waits for."""
    lanes = "; ".join(f"{lane} waits for {turn}" for lane, turn in sorted(waiting.items()))
    cause = (
        Cause("code changed", "other lanes wait for other turns than recorded, and the program's source differs")
        if facts.source_changed
        else Cause("order", "lanes ran in another order than recorded")
    )
    return Divergence(
        event=_event(tape, entry),
        reason=f"{reason}{f' ({lanes})' if lanes else ''}",
        expected=_crossing(entry, None, "" if entry is None else entry.lane),
        got=None,
        recorded_site=_recorded_site(tape, entry),
        site=None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}",
        cause=cause.cause,
        why=_why(cause, facts, _event(tape, entry)),
    )


def of_body(
    tape: Tape, tool: str, call: Entry | None, outcome: Entry, now: tuple[int, Any], facts: Facts
) -> Divergence:
    """A tool's body, run again, came to another end.

    Args:
        call: its beginning, if known. outcome: the recorded end. now: status and value, in storable form.
    """
    then = outcome.detail
    then_said, now_said = _came(*then), _came(*now)
    expected, got = Request("tool", tool, then[1]), Request("tool", tool, now[1])
    difference = explain(expected, got) if then[0] == now[0] else None
    cause = likely_cause(expected, got, source_changed=facts.source_changed, difference=difference)
    return Divergence(
        event=outcome.event,
        reason=f"tool {tool}, run again, {now_said}; in the recording it {then_said}",
        expected=Crossing(f"tool {tool} {then_said}", outcome.lane),
        got=Crossing(f"tool {tool} {now_said}", outcome.lane),
        recorded_site=_recorded_site(tape, call),
        cause=cause.cause,
        why=_why(cause, facts, outcome.event),
        changes=tuple(change.replace(" request", " answer", 1) for change in _changes(difference)),
    )


def of_body_left(tape: Tape, tool: str, left: Entry, facts: Facts) -> Divergence:
    """A tool's body, run again, has ended without doing what comes next in the recording."""
    expected = request_of(left) if left.op == "call" else None
    cause = likely_cause(expected, None, source_changed=facts.source_changed)
    return Divergence(
        event=_event(tape, left),
        reason=f"tool {tool}, run again, ended; in the recording it went on: {phrase(left)}",
        expected=_crossing(left, expected, left.lane),
        got=None,
        recorded_site=_recorded_site(tape, left),
        cause=cause.cause,
        why=_why(cause, facts, _event(tape, left)),
    )


def of_stand_in(tool: str, event: int, missing: Named) -> str:
    """A tool's answer has an object that can't be made again without running the tool."""
    return (
        f"tool {tool} answered with a {missing.type_name} (event {event}), a class that isn't imported here: "
        "what the tool's body imports is there only if that runs"
    )


_ENDS = {END: "had no more", CLOSED: "was closed", STREAM: "opened a stream"}


def _came(status: int, value: Any) -> str:
    """An outcome in words."""
    if status in (RESULT, ERROR):
        text = repr(revive(value) if status == ERROR else value)
        text = text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}…"
        return f"{'answered' if status == RESULT else 'raised'} {text}"
    return _ENDS[status]


def of_early_end(tape: Tape, entry: Entry, facts: Facts) -> Divergence:
    """The program has ended before the recording."""
    expected = request_of(entry) if entry.op == "call" else None
    cause = likely_cause(expected, None, source_changed=facts.source_changed)
    return Divergence(
        event=_event(tape, entry),
        reason=f"the program ended; the recording goes on with {phrase(entry)} in lane {entry.lane}",
        expected=_crossing(entry, expected, entry.lane),
        got=None,
        recorded_site=_recorded_site(tape, entry),
        cause=cause.cause,
        why=cause.why,
    )


def _event(tape: Tape, entry: Entry | None) -> int | None:
    """Where they part, as an event: a turn of a lock, a loop or a library's draw has none, so the next one that has."""
    if entry is None:
        return None
    if entry.event >= 0:
        return entry.event
    tape.calls_ahead(1)
    return next((other.event for other in tape.order if other.event >= 0), None)


def _reason(lane: str, entry: Entry | None, what: str, expected: Request | None, got: Request | None) -> str:
    if entry is None:
        return f"lane {lane} did nothing more in the recording; now: {what}"
    if expected is not None and got is not None and (expected.kind, expected.name) == (got.kind, got.name):
        return f"{what}: the same call with another request"
    return f"expected {phrase(entry)}, got {what} (lane {lane})"


def _crossing(entry: Entry | None, request: Request | None, lane: str) -> Crossing:
    if request is None:
        return Crossing(phrase(entry), lane)
    return Crossing(phrase(entry), lane, request.request, _text(request.body))


def _recorded_site(tape: Tape, entry: Entry | None) -> str | None:
    if entry is None or entry.op not in ("call", "draw"):
        return None
    site = tape.site(entry.detail[3] if entry.op == "call" else entry.detail[2])
    return None if site is None else str(site)


def _candidates(ahead: list[Entry], got: Request | None) -> tuple[Candidate, ...]:
    if got is None:
        return ()
    alike = [entry for entry in ahead if entry.detail[0] == got.kind]
    found = nearest(got, [request_of(entry) for entry in alike])
    return tuple(
        Candidate(alike[near.position].event, phrase(alike[near.position]), near.score, near.why) for near in found
    )


def _changes(difference: Difference | None) -> tuple[str, ...]:
    if difference is None:
        return ()
    lines = [str(change) for change in difference.changes]
    return (*lines, f"… and {difference.more} more changes") if difference.more else tuple(lines)


def _text(body: bytes | None) -> str | None:
    if body is None:
        return None
    text = body.decode("utf-8", "backslashreplace")
    return text if len(text) <= _BODY_SHOWN else f"{text[:_BODY_SHOWN]}… ({len(text)} characters)"


def _why(cause: Cause, facts: Facts, at: int | None) -> str:
    """The reason, with what else is known; `at`: the event at which they part."""
    if cause.cause == "code changed" and facts.changed:
        return f"{cause.why} ({', '.join(_short(path) for path in facts.changed[:3])})"
    replaced = facts.replaced(at) if cause.cause == "unrecorded input" else None
    if replaced is None:
        return cause.why
    why = "a program that looks into it goes another way"
    return f"{cause.why}; in the answer of event {replaced} a secret is replaced: {why}"


def _short(path: str) -> str:
    return path.rpartition("/")[2]
