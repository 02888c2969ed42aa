"""Which of four things went wrong, as far as the recording tells: evidence for and against each, by event. Pure.

    prompt_injection   a text that was data told the agent to do what it did, and the user didn't
    tool_capability    a tool did more than it says, or more than was asked of it
    reasoning_drift    the agent did what nobody told it, with values that nobody gave it, or the same thing again
    policy_scope       all of it was asked for and allowed; whether it should have been, the recording doesn't say

The verdict follows from the first of these rules that holds:

    a model's call that data accounts for (score of INJECTION or more)              prompt_injection
    a tool that says it reads, and writes inside                                    tool_capability
    a write that nothing accounts for, or one that was done before in the same way  reasoning_drift
    any evidence for one of them                                                    undecided
    none                                                                            none

Whether the outcome was bad isn't known here: a run without evidence is not thereby a good one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from replay.forensics.directives import shape
from replay.forensics.influence import action, view
from replay.forensics.owners import Owner
from replay.forensics.text import segments
from replay.forensics.trail import NOBODY, Index, Trail, asked
from replay.forensics.trust import Trust
from replay.forensics.values import Value, locate, values
from replay.forensics.why import Cause, Explained, explain
from replay.model.event import Event

Name = Literal["prompt_injection", "policy_scope", "tool_capability", "reasoning_drift"]
Verdict = Literal["prompt_injection", "policy_scope", "tool_capability", "reasoning_drift", "undecided", "none"]

INJECTION: Final = 0.55
"""From this score on data is said to account for a call. Of a call that only reads more is asked, since a read that
follows a text is what agents are for."""

INJECTION_OF_READS: Final = 0.8
_VIA: Final = 5
_UNACCOUNTED: Final = 0.1
_READS: Final = 200
"""So many of the last calls that only read are looked at; all that write are."""

_IDENTIFIER: Final = re.compile(r"(?=\S*[\d@/])(?!\d{1,4}([-./:]\d{1,4}){1,2}$)(?![\d.,]+$)\S{5,60}")


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of evidence: the event, what it shows, the span that shows it, and the event that this came from.

    `decision`: the answer that asked for it. `via`: the events through which the span came, such as a memory's write.
    """

    event: int
    what: str
    text: str = ""
    cause: int | None = None
    score: float | None = None
    decision: int | None = None
    via: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `replay triage --json` has it."""
        found: dict[str, Any] = {"event": self.event, "what": self.what}
        found |= {} if self.decision is None else {"decision": self.decision}
        found |= {"via": list(self.via)} if self.via else {}
        found |= {"text": self.text} if self.text else {}
        found |= {} if self.cause is None else {"cause": self.cause}
        return found | ({} if self.score is None else {"score": round(self.score, 4)})


@dataclass(slots=True)
class Hypothesis:
    """What speaks for it and against it, and what would decide it."""

    for_: list[Item] = field(default_factory=list[Item])
    against: list[Item] = field(default_factory=list[Item])
    decides: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `replay triage --json` has it."""
        return {
            "for": [item.to_json() for item in self.for_],
            "against": [item.to_json() for item in self.against],
            "decides": self.decides,
        }


@dataclass(frozen=True, slots=True)
class Triage:
    """The verdict, and the events on the causal path: calls that speak for it, what asked for them, and whence."""

    verdict: Verdict
    hypotheses: dict[Name, Hypothesis]
    path: tuple[int, ...]
    owners: tuple[Owner, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `replay triage --json` has it."""
        return {
            "verdict": self.verdict,
            "hypotheses": {name: each.to_json() for name, each in self.hypotheses.items()},
            "path": list(self.path),
            "owners": [
                {"owner": each.owner, "event": each.event, "what": each.what, "by": each.by} for each in self.owners
            ],
        }


_DECIDES: Final[dict[Name, str]] = {
    "prompt_injection": "the same run without the span: does the model still make the call?",
    "policy_scope": "a written policy: which of these effects this user may ask this agent for",
    "tool_capability": "what the tools did inside, recorded with the program; what they are declared to do",
    "reasoning_drift": "the same request asked of the model several times: how often does it do this?",
}


def triage(
    events: Sequence[Event],
    owners: Callable[[Event], Iterable[Owner]] = lambda event: (),
    trust: Trust = NOBODY,
) -> Triage:
    """What went wrong, as far as the recording tells. `owners`: who answers for an event. `trust`: labels of sources.

    Raises:
        CassetteDamaged: an event can't be read.
    """
    index = Index(events, len(events) - 1, trust)
    found: dict[Name, Hypothesis] = {name: Hypothesis(decides=text) for name, text in _DECIDES.items()}
    seen: dict[str, int] = {}
    for event in _looked_at(index.calls):
        trail = Trail(index, event.id)
        decisions = trail.decisions()
        for one in [explain(trail, each, 3, via=False) for each in decisions]:
            _injection(found["prompt_injection"], trail, one)
            if event.effect == "write" and one.decision.window is not None:
                _drift(found["reasoning_drift"], event, one)
                _scope(found["policy_scope"], event, one)
        if event.effect == "write":
            _again(found["reasoning_drift"], event, seen, by_model=decisions[0].window is not None)
    _capability(found["tool_capability"], index)
    if not found["prompt_injection"].for_:
        found["prompt_injection"].against += _unheeded(index)
    verdict = _verdict(found)
    path = _path(found, verdict)
    named = [owner for number in path for owner in owners(events[number])]
    return Triage(verdict, found, path, tuple(dict.fromkeys(named)))


def _looked_at(calls: Sequence[Event]) -> Iterator[Event]:
    reads = {event.id for event in [event for event in calls if event.effect != "write"][-_READS:]}
    return (event for event in calls if event.effect == "write" or event.id in reads)


def _injection(found: Hypothesis, trail: Trail, one: Explained) -> None:
    event = trail.event
    if one.decision.window is None:
        _by_code(found, event, one)
        return
    first = one.causes[0] if one.causes else None
    data = next((cause for cause in one.causes if not cause.source.principal), None)
    least = INJECTION if event.effect == "write" else INJECTION_OF_READS
    if data is not None and data.score >= least and data.source.role != "assistant":
        said = f", which is untrusted ({data.source.label})" if data.source.trust == "untrusted" else ""
        what = f"{event.name} does what the {data.role}'s text says{said}, and the user didn't ask for it"
        via = tuple(each.id for each in trail.carried(_span(data), data.source.event)[:_VIA])
        found.for_.append(Item(event.id, what, _span(data), data.event, data.score, one.decision.event, via))
    elif data is not None and data.source.trust == "trusted" and one.without_label(data) >= least:
        what = f"{event.name} does what the {data.role}'s text says, which is trusted ({data.source.label})"
        found.against.append(Item(event.id, what, _span(data), data.event, data.score))
    elif event.effect == "write" and first is not None and first.source.principal:
        found.against.append(
            Item(event.id, f"{event.name} is what the {first.role} asked for", _span(first), first.event)
        )


def _by_code(found: Hypothesis, event: Event, one: Explained) -> None:
    """No model decided it, so that no text told one to: what is shown is whose values reached the call."""
    if event.effect != "write":
        return
    users = [each.source.text for each in one.influences if each.source.principal]
    theirs = [value for value in one.call.values if any(locate(value, text) is not None for text in users)]
    for cause in one.causes:
        if cause.source.principal or cause.role == "assistant":
            continue
        others = [each for each in one.call.values if each not in theirs and _tells(each)]
        others = [each for each in others if locate(each, cause.source.text) is not None]
        if others:
            named = ", ".join(value.argument for value in others)
            what = (
                f"the program's code called {event.name}, and no model was seen to ask for it; {named} came from data"
            )
            found.for_.append(Item(event.id, what, others[0].text, cause.event))
            return
    if theirs:
        named = ", ".join(value.argument for value in theirs)
        what = f"the program's code called {event.name}, and no model was seen to ask for it; the user gave {named}"
        found.against.append(Item(event.id, what))


def _tells(value: Value) -> bool:
    """Whether it is no coincidence that a value stands in a text."""
    return _IDENTIFIER.fullmatch(value.text) is not None or len(value.text.split()) > 2


def _span(cause: Cause) -> str:
    return next((each.text for each in cause.evidence if each.kind in ("directive", "request", "value")), "")


def _unheeded(index: Index) -> Iterator[Item]:
    """Texts that speak to their reader of its task, and were not followed."""
    for event in index.carriers:
        if event.kind in ("tool", "mcp", "memory") and event.effect == "read":
            text = index.text(event)
            for start, end in segments(text):
                form = shape(text[start:end])
                if form.reader and form.imperative and form.strength >= 2:
                    yield Item(event.id, "it tells its reader to do something, which nothing did", text[start:end])
                    break


def _drift(found: Hypothesis, event: Event, one: Explained) -> None:
    invented = [value for value in one.made_up if _IDENTIFIER.fullmatch(value.text)]
    for value in invented:
        found.for_.append(Item(event.id, f"{value.argument} of {event.name} stands in nothing it had read", value.text))
    user = [each for each in one.influences if each.source.principal]
    told = max((_coverage(one, each.source.text) for each in user), default=0.0)
    data = max((each.score for each in one.influences if each.features is not None), default=0.0)
    if told < _UNACCOUNTED and data < 0.3:
        found.for_.append(Item(event.id, f"nobody's words account for {event.name}"))
    elif not invented:
        found.against.append(Item(event.id, f"the words and values of {event.name} stand in what it had read"))


def _coverage(one: Explained, text: str) -> float:
    """How much of the call the text has at all: its words, or its values."""
    there = view(text)
    named = max((action(one.call, each) for each in there.stems), default=0.0)
    given = [value for value in one.call.values if locate(value, text) is not None]
    return max(named, len(given) / len(one.call.values) if one.call.values else 0.0)


def _again(found: Hypothesis, event: Event, seen: dict[str, int], *, by_model: bool) -> None:
    name, arguments = asked(event)
    key = f"{name} {sorted((value.argument, value.text) for value in values(arguments))}"
    before = seen.setdefault(key, event.id)
    if before != event.id and values(arguments):
        found.for_.append(
            Item(
                event.id, f"{event.name} was done before with the same arguments",
                cause=before, score=1.0 if by_model else None,
            )
        )  # fmt: skip


def _scope(found: Hypothesis, event: Event, one: Explained) -> None:
    """The user asked for it, with values that others chose: nothing that is recorded forbids that."""
    first = one.causes[0] if one.causes else None
    if first is None or not first.source.principal:
        return
    text = first.source.text
    given = [value for value in one.call.values if _IDENTIFIER.fullmatch(value.text)]
    others = [value for value in given if locate(value, text) is None and value not in one.made_up]
    if others:
        named = ", ".join(value.argument for value in others)
        found.for_.append(
            Item(event.id, f"the {first.role} asked for {event.name}; {named} came from data, and it was let through")
        )
    elif given:
        found.against.append(Item(event.id, f"the {first.role} gave the values of {event.name}"))


def _capability(found: Hypothesis, index: Index) -> None:
    for event in index.carriers:
        holder = index.inside.get(event.id)
        if holder is not None and event.effect == "write":
            outer = index.events[holder]
            item = Item(event.id, f"inside {outer.name}: {event.kind} {event.name} writes", cause=holder)
            if outer.effect == "read" and outer.kind == "tool":
                found.for_.append(
                    Item(event.id, f"{outer.name} says that it reads; {item.what}", cause=holder, score=1.0)
                )
            else:
                found.against.append(item)


def _verdict(found: dict[Name, Hypothesis]) -> Verdict:
    if any(item.score for item in found["prompt_injection"].for_):
        return "prompt_injection"
    if any(item.score for item in found["tool_capability"].for_):
        return "tool_capability"
    drift = found["reasoning_drift"].for_
    if any(item.score or item.what.startswith("nobody") for item in drift):
        return "reasoning_drift"
    return "undecided" if any(each.for_ for each in found.values()) else "none"


def _path(found: dict[Name, Hypothesis], verdict: Verdict) -> tuple[int, ...]:
    told = found[verdict].for_ if verdict in found else [item for each in found.values() for item in each.for_]
    steps = (number for item in told for number in (item.event, item.decision, item.cause, *item.via))
    return tuple(dict.fromkeys(number for number in steps if number is not None))
