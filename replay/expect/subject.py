"""What is judged: the events of a run, whether these are all, and what is known of it as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from replay.cassette.cassette import Cassette
from replay.expect.values import Absent
from replay.model.event import Event


@dataclass(frozen=True, slots=True)
class Subject:
    """A run.

    Attributes:
        events: in the order in which they began.
        open: why there may have been more; empty where these are all.
        values: what is known of it as a whole, by the names of `syntax.VALUES`; `output` and the like come from events.
        facts: what a re-execution came to, by the names of `syntax.FACTS`; those that aren't there aren't known.
    """

    events: Sequence[Event]
    open: str = ""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    facts: Mapping[str, bool] = field(default_factory=dict[str, bool])


def recorded(cassette: Cassette) -> Subject:
    """What a cassette holds, as it was recorded: nothing is executed.

    Raises:
        CassetteDamaged: when its events are looked at, where one can't be read.
    """
    outcome, header = cassette.outcome, cassette.header
    return Subject(
        events=cassette.events,
        open=_why_open(cassette),
        values={**of_header(header), **of_outcome(outcome), "status": cassette.status}
        | {"blind_spots": len(cassette.blind_spots), "gaps": len(cassette.gaps)},
        facts={"finished": outcome is not None},
    )


def of_header(header: Mapping[str, Any]) -> dict[str, Any]:
    """Values that are known before anything is executed."""
    command = header.get("argv") or header.get("command") or ()
    return {
        "program": " ".join(str(word) for word in command),
        "name": header.get("name"),
        "id": header.get("id"),
        "created": header.get("created"),
        "tags": header.get("tags") or {},
        "git": header.get("git") or {},
    }


def of_outcome(outcome: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values that are known when the program has ended."""
    if outcome is None:
        return {}
    raised: Any = outcome.get("exception")
    if isinstance(raised, dict):
        said: dict[str, Any] = raised  # pyright: ignore[reportUnknownVariableType]
        raised = f"{said.get('type')}: {said.get('message')}".removeprefix("builtins.")
    return {
        "exit": outcome.get("exit_code", Absent.UNKNOWN),
        "exception": None if raised is None else str(raised),
        "result": outcome.get("result", Absent.MISSING),
    }


def _why_open(cassette: Cassette) -> str:
    ring: Mapping[str, Any] = dict(cassette.header.get("ring") or {})
    if not ring.get("whole", True):
        return "the recording has lost its beginning"
    if cassette.damage is not None:
        return "the recording is damaged"
    if cassette.stopped is not None:
        return "the recording stopped before its program"
    return "" if cassette.outcome is not None else "the recording is unfinished"
