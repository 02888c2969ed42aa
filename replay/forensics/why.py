"""Why an event happened: the texts that account for the call, ranked, each with its evidence. Pure.

Two kinds of link, never mixed up: *recorded* (this answer asked for the call; this message was in its window; this text
came from that event) and *inferred* (a span reads like an instruction to do just this; a value of the call stands in an
earlier text). That a cause is *confirmed*, by running without it, is `replay.intervene`'s.

    found = why(cassette.events, 7)
    found.causes[0].event, found.causes[0].score, found.made_up
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from replay.forensics.influence import Call, Influence, Source, call, influences, reached, view
from replay.forensics.text import Span
from replay.forensics.trail import NOBODY, Decision, Index, Trail
from replay.forensics.trust import Trust
from replay.forensics.values import Found, Value, locate, made_up
from replay.model.event import Event

Link = Literal["recorded", "inferred", "confirmed", "refuted"]
"""The last two: of a cause that was put to the test (`replay.intervene`)."""

SHOWN = 10
"""Causes that are told."""

_TELLS = 0.3
"""What scores less isn't said to tell somebody to do something."""

_LEAST = 0.02
"""What scores less is no cause."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason to take a source for a cause.

    Attributes:
        kind: `window` (it was in the model's window), `value` (it has a value of the call), `directive` (it tells
            somebody to do this), `request` (the user's or operator's words that fit best), `via` (the text came from
            that event), `trust` (what its source is labelled, by which label, and what it made of the score).
        text: what the span says. span: where that is in the source's text.
        message: position in the window. event: for `window` whose window it was, for `via` where it came from.
        argument, value, part, how: of a value: which, what, which part of it, and how it was found.
        measured: of a directive: what it was judged by; of a label: the scores `without` and `with` it.
    """

    kind: Literal["window", "value", "directive", "request", "via", "trust"]
    link: Link
    text: str = ""
    span: Span | None = None
    message: int | None = None
    event: int | None = None
    argument: str | None = None
    value: str | None = None
    part: Span | None = None
    how: str | None = None
    measured: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Without what doesn't apply."""
        found = {key: item for key, item in asdict(self).items() if item is not None and item != ""}
        return found | {key: list(found[key]) for key in ("span", "part") if key in found}


@dataclass(frozen=True, slots=True)
class Cause:
    """A text that accounts for the call, and the event it came from (the answer's own, where it came from none).

    Attributes:
        role: whose text it is: `user`, `system`, `tool`, `agent`, or an event's kind. name: the tool's.
        link: `inferred` where some evidence is, otherwise `recorded`: it was there, and that is all that is known.
    """

    event: int
    role: str
    name: str
    link: Link
    score: float
    evidence: tuple[Evidence, ...]
    source: Source

    def to_json(self) -> dict[str, Any]:
        """As `replay why --json` has it."""
        return {
            "event": self.event,
            "link": self.link,
            "score": round(self.score, 4),
            "role": self.role,
            "name": self.name,
            "message": self.source.message,
            "evidence": [each.to_json() for each in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class Explained:
    """One call, and what accounts for it, best first. `made_up`: values that stand in nothing the model had read."""

    decision: Decision
    call: Call
    causes: tuple[Cause, ...]
    made_up: tuple[Value, ...]
    influences: tuple[Influence, ...]

    def without_label(self, cause: Cause) -> float:
        """What a cause's score would be if its source weren't labelled."""
        found = (one.unlabelled for one in self.influences if one.source is cause.source)
        return next((each for each in found if each is not None), cause.score)

    def to_json(self) -> dict[str, Any]:
        """One of `calls` of `replay why --json`."""
        return {
            "decision": self.decision.event,
            "link": self.decision.link,
            "name": self.decision.name,
            "causes": [cause.to_json() for cause in self.causes],
            "made_up": [{"argument": each.argument, "value": each.text} for each in self.made_up],
        }


@dataclass(frozen=True, slots=True)
class Why:
    """Why an event happened. `inside`: the tool that it happened in, which then is what is explained."""

    event: int
    inside: int | None
    calls: tuple[Explained, ...]

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Of all its calls, each event once, best first."""
        best: dict[tuple[int, int | None], Cause] = {}
        for cause in sorted((each for one in self.calls for each in one.causes), key=lambda each: -each.score):
            best.setdefault((cause.event, cause.source.message), cause)
        return tuple(best.values())

    def to_json(self) -> dict[str, Any]:
        """As `replay why --json` has it."""
        first = self.calls[0]
        return {
            "event": self.event,
            "inside": self.inside,
            "decision": first.decision.event,
            "causes": [cause.to_json() for cause in self.causes],
            "made_up": [each for one in self.calls for each in one.to_json()["made_up"]],
            "calls": [one.to_json() for one in self.calls],
            "confirmed": False,
        }


def why(events: Sequence[Event], number: int, trust: Trust = NOBODY) -> Why:
    """Why event `number` happened. `trust`: what is said of sources.

    Raises:
        IndexError: there is no such event. CassetteDamaged: an event before it can't be read.
    """
    index = Index(events, number, trust)
    inside = index.inside.get(number)
    trail = Trail(index, number if inside is None else inside)
    return Why(number, inside, tuple(explain(trail, decision) for decision in trail.decisions()))


def explain(trail: Trail, decision: Decision, most: int = SHOWN, *, via: bool = True) -> Explained:
    """What accounts for one call: its `most` best causes. `via`: with the events through which their spans came."""
    sources = trail.sources(decision)
    made = call(decision.name, decision.arguments)
    found = reached(made, sources) if decision.window is None else influences(made, sources, done=decision.again)
    ranked = sorted(found, key=lambda one: (-round(one.score, 6), _who(one), one.source.message or 0))
    causes = [_cause(trail, decision, made, one, via=via) for one in ranked[:most] if one.score >= _LEAST]
    read = {n: source.text for n, source in enumerate(sources) if _shares(made, source)}
    invented = (
        made_up([each for each in made.values if len(each.text) > 2], read) if decision.name and decision.window else []
    )
    return Explained(decision, made, tuple(causes), tuple(invented), tuple(found))


def _who(one: Influence) -> bool:
    """Of texts that account for it alike, the user's comes first."""
    return not one.source.principal


def _shares(made: Call, source: Source) -> bool:
    """Whether it can have a value of the call at all; numbers are written in many ways."""
    there = view(source.text)
    numbers = any(each.text[:1].isdigit() for each in made.values)
    return numbers or bool(made.telling & there.all_tokens) or any(v.text.lower() in there.lower for v in made.values)


def _cause(trail: Trail, decision: Decision, made: Call, one: Influence, *, via: bool) -> Cause:
    source = one.source
    evidence = (*_evidence(decision, made, one), *(_way(trail, one) if via else ()))
    event = source.event
    if event is None:
        event = trail.event.id if decision.event is None else decision.event
    inferred = any(each.link == "inferred" for each in evidence)
    return Cause(event, source.role, source.name, "inferred" if inferred else "recorded", one.score, evidence, source)


def _evidence(decision: Decision, made: Call, one: Influence) -> Iterator[Evidence]:
    source, text = one.source, one.source.text
    if decision.window is not None:
        yield Evidence("window", "recorded", message=source.message, event=decision.event)
    if source.label:
        scores = None if one.unlabelled is None else {"without": round(one.unlabelled, 3), "with": round(one.score, 3)}
        yield Evidence("trust", "recorded", source.label, how=source.trust, measured=scores)
    if one.span is not None:
        said = text[one.span.start : one.span.end]
        if source.principal:
            yield Evidence("request", "inferred", said, one.span)
        elif one.features is not None and one.features.shape and one.features.action and one.score >= _TELLS:
            measured = {name: round(value, 3) for name, value in one.features._asdict().items()}
            yield Evidence("directive", "inferred", said, one.span, measured=measured)
    for value in made.values if _shares(made, source) else ():
        found = locate(value, text)
        if found is not None:
            yield _of_value(found, text)


def _way(trail: Trail, one: Influence) -> Iterator[Evidence]:
    """The events through which the span came."""
    if one.span is not None and not one.source.principal:
        said = one.source.text[one.span.start : one.span.end]
        for event in trail.carried(said, one.source.event)[:5]:
            yield Evidence("via", "recorded", event=event.id, how=f"{event.kind} {event.name}")


def _of_value(found: Found, text: str) -> Evidence:
    value = found.value
    return Evidence(
        "value", "inferred", text[found.span.start : found.span.end], found.span,
        argument=value.argument, value=value.text, part=found.part, how=found.how,
    )  # fmt: skip
