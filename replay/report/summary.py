"""The beginning of a report: what kind of failure, in two sentences; the facts; and what can't be known from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from replay.model.event import Event
from replay.model.visible import plural
from replay.queries import facts
from replay.report.incident import Incident
from replay.report.markup import Child, Html, h, quote, said
from replay.report.parts import at, badge, section

VERDICTS: Final = {
    "prompt_injection": (
        "Prompt injection",
        "A text that the agent read as data told it what to do. It did so, and its user had not asked for it.",
    ),
    "tool_capability": ("Excessive tool capability", "A tool did more than it says that it does."),
    "reasoning_drift": (
        "Reasoning drift",
        "The agent did what nobody had told it to do, with values nobody had given it, or did the same thing again.",
    ),
    "policy_scope": ("Policy scope too wide", "All of it was asked for and allowed."),
    "undecided": ("Undecided", "Some things speak for a failure, none of them strongly enough."),
    "none": (
        "No finding",
        (
            "Nothing in the recording speaks for any of the four kinds of failure that are looked for. "
            "Whether the outcome was good is another question."
        ),
    ),
}

_CAME: Final = {
    "tool": "the result of the tool",
    "memory": "the memory",
    "mcp": "the result of the tool",
    "file": "a file,",
}


def heading(found: Incident) -> Child:
    """In one line, what it is about."""
    if found.wanted.title is not None:
        return found.wanted.title
    point = found.point
    if point is None or point.event not in range(len(found.contents.events)):
        return (
            "A run of an agent" if found.at is None else ["A run of an agent: ", said(_name(found.event(found.at)), 60)]
        )
    name = said(_name(found.event(point.event)), 60)
    match found.triage.verdict:
        case "prompt_injection":
            return ["The agent called ", name, ", as a text that it had read told it to"]
        case "tool_capability":
            return ["The tool ", name, " did more than it says"]
        case "reasoning_drift":
            return ["The agent called ", name, " on its own account"]
        case _:
            return ["What led to ", name, " is undecided"]


def _name(event: Event) -> str:
    return event.name or event.kind


def summary(found: Incident) -> Html:
    """Verdict, what it rests on, facts, and what is missing."""
    verdict, means = VERDICTS[found.triage.verdict]
    return section(
        "summary",
        "Summary",
        h(
            "div",
            h("p", badge(verdict, found.triage.verdict), cls="verdict"),
            h("p", means),
            _point(found),
            cls="finding",
        ),
        h("dl", [h("div", h("dt", name), h("dd", value)) for name, value in _facts(found)], cls="facts"),
        _missing(found),
    )


def _point(found: Incident) -> Html | None:
    """The evidence that weighs most, and what is known of it."""
    point = found.point
    if point is None:
        return None
    event = found.event(point.event)
    effect = found.effect_of.get(point.event)
    came: Child = None
    if point.cause is not None:
        source = found.event(point.cause)
        came = [
            " What told it to came from ",
            _CAME.get(source.kind, "the"),
            " ",
            said(_name(source), 60),
            " (",
            at(source.id),
            ").",
        ]
    done: Child = None
    if effect is not None:
        undone = {True: " It is declared to be reversible.", False: " It is declared to be irreversible.", None: ""}
        changed = " It changed something outside of the agent."
        guessed = " That it changes something outside of the agent is guessed from its name."
        done = [guessed if effect.guessed else changed, undone[effect.reversible]]
    said_ = None if not point.text else quote(point.text, limit=400)
    what = ["The agent called ", said(_name(event), 60), " (", at(event.id), ").", came, done]
    return h("div", h("p", what), said_, cls="point")


def _facts(found: Incident) -> Iterator[tuple[str, Child]]:
    read = found.contents
    count = facts.tally(read.events)
    outer = [each for each in found.effects.all if each.inside is None]
    final = sum(each.reversible is False for each in outer)
    yield "How sure", _certainty(found)
    yield "Program", said(_program(read.header), 200)
    yield "Imported" if found.imported else "Recorded", h("time", facts.local(str(read.header.get("created", ""))))
    if facts.outcome(read) != "ended":
        yield "Ended with", said(facts.outcome(read), 80)
    asked = f"{plural(len(read.events), 'event')}, {plural(count.llm, 'call')} of a model"
    yield "Size", asked + (f", {count.tokens:,} tokens" if count.tokens is not None else "")
    irreversible = f", {final} of them irreversible" if final else ""
    yield "Effects", h("a", f"{plural(len(outer), 'write')} to the world{irreversible}", href="#effects")
    names = list(dict.fromkeys(each.owner for each in found.triage.owners))
    yield "Owners", [[", " if n else "", said(name, 60)] for n, name in enumerate(names[:8])] if names else "none known"
    yield "Recording", _state(found)


def _program(header: Mapping[str, Any]) -> str:
    """The command line, without where the interpreter lies."""
    words = facts.program(header).split(" ")
    return " ".join([re.sub(r".*/bin/(python[\d.]*)$", r"\1", words[0]), *words[1:]])


def _certainty(found: Incident) -> Child:
    """Whether the verdict rests on what the texts say, or on an execution without them."""
    if found.triage.verdict == "none":
        return "nothing was found; that is no proof"
    links = {cause.link for cause in (() if found.why is None else found.why.causes)}
    if "confirmed" in links:
        return "confirmed: executed again with the text masked, and it no longer happened"
    if "refuted" in links:
        return "doubtful: executed again with a text masked, and it happened all the same"
    return "inferred from what was recorded; replay why --intervene puts it to the test"


def _state(found: Incident) -> Child:
    checked = found.integrity
    if found.contents.damage is not None or checked is None or not checked.intact:
        return [badge("damaged", "bad"), " ", h("a", "see what is missing", href="#unseen")]
    signed = any(each.genuine for each in checked.signatures)
    whole = "complete" if checked.status == "sealed" else "not sealed"
    return f"{whole}, unaltered since it was written" + (", signed" if signed else ", not signed")


def _missing(found: Incident) -> Html:
    """What the recording didn't see: said before anything is concluded from it."""
    said_: list[Child] = []
    if facts.unfinished(found.contents):
        said_.append("The recording isn't whole.")
    if found.contents.gaps:
        said_.append(f"{plural(len(found.contents.gaps), 'crossing')} could not be stored.")
    if found.contents.blind_spots:
        said_.append(f"It has {plural(len(found.contents.blind_spots), 'blind spot')}: what no recorder saw.")
    if not said_:
        return h("p", "Nothing is known to be missing from the recording.", cls="note good")
    words = [[each, " "] for each in said_]
    return h(
        "p",
        h("strong", "Mind what is missing. "),
        words,
        h("a", "What this recording did not see", href="#unseen"),
        cls="note warn",
    )
