"""What a re-execution did, as a subject: the recorded events that it repeated, and what it did instead of the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

from replay.cassette.cassette import Cassette
from replay.expect.subject import Subject, of_header, of_outcome
from replay.expect.values import Absent
from replay.model.effect import Effect
from replay.model.event import KINDS, Event
from replay.model.verdict import Asked, Divergence, Escape


class Again(Protocol):
    """What has to be known of a re-execution: `replay.Run` has it."""

    @property
    def identical(self) -> bool: ...
    @property
    def events(self) -> int: ...
    @property
    def inside(self) -> int: ...
    @property
    def divergence(self) -> Divergence | None: ...
    @property
    def escapes(self) -> tuple[Escape, ...]: ...
    @property
    def gap(self) -> str | None: ...
    @property
    def drift(self) -> Sequence[object]: ...
    @property
    def drifted(self) -> tuple[Asked, ...]: ...
    @property
    def cut(self) -> bool: ...
    @property
    def exit_code(self) -> int | None: ...


def reexecuted(cassette: Cassette, run: Again) -> Subject:
    """What `run`, a re-execution of `cassette`, did.

    Rules:
    - Up to the first difference it did what is recorded. There it did something else: that call, if it was one, is its
      last event, and its answer isn't known. What it would have done then isn't either, unless the difference is that
      the program ended.
    - What `lenient` answered all the same is what the program asked, with the recorded answer.
    - An exception that ended it is told by what the interpreter began to print of it.
    """
    repeated = run.events + run.inside
    events = list(islice(cassette.events, repeated))
    divergence = run.divergence
    got = None if divergence is None else _other_answer(divergence, cassette) or _got(divergence, repeated)
    if got is not None:
        events.append(got)
    for drift in run.drifted:
        if drift.event < len(events) and events[drift.event].id == drift.event:
            events[drift.event] = replace(events[drift.event], request=drift.request, body=drift.body)
    ended = run.exit_code is not None and not run.cut
    values: dict[str, Any] = of_header(cassette.header)
    if run.identical:
        values |= of_outcome(cassette.outcome)
    if run.exit_code is not None:
        values["exit"] = run.exit_code
        if run.exit_code == 0:
            values["exception"] = None
    raised = None if got is None else _raised(divergence)
    if raised is not None:
        values |= {"exception": raised, "exit": 1}
    return Subject(
        events=events,
        open="" if ended and run.gap is None and len(run.drift) == len(run.drifted) else _why_open(run),
        values={"exception": Absent.UNKNOWN, **values},
        facts={
            "identical": run.identical,
            "diverged": divergence is not None,
            "escaped": bool(run.escapes),
            "drifted": bool(run.drift),
            "finished": ended,
        },
    )


def _why_open(run: Again) -> str:
    if run.gap is not None:
        return f"the recording lacks something: {run.gap}"
    if run.divergence is not None:
        return f"the replay stopped where it differed: {run.divergence.reason}"
    if len(run.drift) != len(run.drifted):
        return "more requests differed than are kept"
    return "the recording is unfinished"


def _other_answer(divergence: Divergence, cassette: Cassette) -> Event | None:
    """The tool that was called as recorded, whose body came to another end; what it answered isn't kept as a value."""
    got, event = divergence.got, divergence.event
    if got is None or got.request is not None or event is None or not got.what.startswith("tool "):
        return None
    called = cassette.events[event]
    if called.kind != "tool" or not got.what.startswith(f"tool {called.name} "):
        return None
    return replace(called, status="open", response=None, error=None, took=None)


def _got(divergence: Divergence, at: int) -> Event | None:
    """What the program did instead, if it was a crossing."""
    got = divergence.got
    if got is None:
        return None
    kind, _, name = got.what.partition(" ")
    if kind not in KINDS:
        return None
    name = name.partition(" of ")[0] if kind == "output" else name
    body = None if got.body is None else got.body.encode("utf-8", "surrogateescape")
    effect: Effect = "write" if kind in ("tool", "output") else "read"
    return Event(at, kind, name, effect, got.lane, 0, None, None, got.request, body, "open")


def _raised(divergence: Divergence | None) -> str | None:
    if divergence is None or divergence.got is None or not divergence.got.what.startswith("output "):
        return None
    return divergence.got.what.partition(" of ")[2] or None
