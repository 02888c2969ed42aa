"""What happened, step by step, in plain words: what the agent asked, was told and did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from replay.model.event import Event
from replay.model.inside import depth
from replay.model.visible import plural
from replay.queries.words.brief import arguments, asked, brief
from replay.queries.words.describe import DRAWN, LOOKS, describe
from replay.report.incident import Incident
from replay.report.markup import Child, Html, h, said
from replay.report.parts import at, badge, seconds, section

MOST: Final = 160
"""Steps that are told; of a longer run those that matter."""

_VALUE: Final = 300
_QUIET: Final = frozenset({"order", "clock", "entropy", "env"})


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the events that it is, and what it says."""

    events: list[Event]
    words: Child
    more: tuple[Child, ...] = ()
    look: str = "plain"


def path(found: Incident) -> Html:
    """The section."""
    steps = list(_steps(found))
    kept = _kept(steps, found)
    left = len(steps) - sum(isinstance(each, Step) for each in kept)
    lead = "From the first thing the agent was given to its end. Steps that changed something in the world are marked."
    if left:
        lead += f" Of {len(steps):,} steps the {len(steps) - left:,} that matter are told; the table of events has all."
    return section("path", "What happened", h("ol", [_shown(each, found) for each in kept], cls="steps"), lead=lead)


def _kept(steps: list[Step], found: Incident) -> list[Step | int]:
    """The steps, or how many are left out there."""
    if len(steps) <= MOST:
        return list(steps)
    named = set(found.mentioned)
    near = found.at or 0
    place = next((n for n, step in enumerate(steps) if step.events[-1].id >= near), len(steps))

    def rank(n: int) -> tuple[int, int]:
        mine = any(event.id in named for event in steps[n].events)
        return (0 if mine else 1 if n < 8 or n >= len(steps) - 4 else 2), abs(n - place)

    chosen = set(sorted(range(len(steps)), key=rank)[:MOST])
    kept: list[Step | int] = []
    for n, step in enumerate(steps):
        if n in chosen:
            kept.append(step)
        elif kept and isinstance(kept[-1], int):
            kept[-1] += 1
        else:
            kept.append(1)
    return kept


def _steps(found: Incident) -> Iterator[Step]:
    """Quiet reads in a row are one step."""
    quiet: list[Event] = []
    for event in found.contents.events:
        if _is_quiet(event):
            quiet.append(event)
            continue
        if quiet:
            yield _folded(quiet)
            quiet = []
        yield _step(event, found)
    if quiet:
        yield _folded(quiet)


def _is_quiet(event: Event) -> bool:
    return event.kind in _QUIET or (event.kind == "file" and event.name in LOOKS) or event.kind in DRAWN


def _folded(events: list[Event]) -> Step:
    words = {
        "env": "environment variables",
        "clock": "the clock",
        "entropy": "random numbers",
        "order": "the order of tasks",
    }
    read = list(dict.fromkeys(words.get(event.kind, "what files there are") for event in events))
    return Step(events, f"Read {', '.join(read)}.", look="soft")


def _step(event: Event, found: Incident) -> Step:
    call = found.calls.get(event.id)
    if call is not None:
        more: list[Child] = []
        if call.reasoning:
            more.append(["It thought: ", said(call.reasoning.strip(), _VALUE)])
        if call.text:
            more.append(["It said: ", said(call.text.strip(), _VALUE)])
        more += [["It asked for ", said(asked(each), _VALUE)] for each in call.tool_calls[:12]]
        words: Child = [
            "Asked the model ",
            said(call.request_model or call.dialect, 60),
            f", giving it {plural(len(call.messages), 'message')}.",
        ]
        return Step([event], words, (*more, *_ending(event)), "model")
    what, rest = _words(event)
    return Step([event], what, (*rest, *_ending(event)), "effect" if event.id in found.effect_of else "plain")


def _words(event: Event) -> tuple[Child, tuple[Child, ...]]:
    name = said(event.name, 80)
    given = arguments(event.request)
    back = (
        () if event.status != "done" or event.response is None else (["It got ", said(brief(event.response), _VALUE)],)
    )
    with_ = [" with ", said(given, _VALUE)] if given else ""
    match event.kind:
        case "tool":
            return ["Called the tool ", name, with_, "."], back
        case "memory" if event.effect == "write":
            return ["Changed its memory: ", name, with_, "."], ()
        case "memory":
            return ["Read its memory: ", name, with_, "."], back
        case "entry":
            return ["Was given ", name, with_, "."], back
        case "mcp" | "agent":
            what = "Sent a message to a tool server: " if event.kind == "mcp" else "Handed over to an agent: "
            return [what, name, with_, "."], back
        case "output":
            return [
                "Printed ",
                said(event.request if isinstance(event.request, str) else brief(event.request), _VALUE),
            ], ()
        case "gap":
            return ["Something happened that could not be stored: ", name, "."], ()
        case _:
            headline, *rest = describe(event)
            first = {"http": "Asked a server: ", "file": "Used a file: ", "process": "Ran a program: "}.get(
                event.kind, ""
            )
            return [first, said(headline.text, _VALUE)], tuple(
                said(line.text, _VALUE) for line in rest if line.tone != "bad"
            )


def _ending(event: Event) -> tuple[Child, ...]:
    if event.error is not None:
        return ([badge("failed", "bad"), " ", said(f"{event.error.type}: {event.error.message}", _VALUE)],)
    return ([badge("no outcome", "bad"), " The recording ends inside this call."],) if event.status == "open" else ()


def _shown(step: Step | int, found: Incident) -> Html:
    if isinstance(step, int):
        return h("li", f"{plural(step, 'step')} left out here", cls="step soft")
    first, last = step.events[0], step.events[-1]
    effect = found.effect_of.get(first.id)
    number = at(first.id, "") if first is last else [at(first.id, ""), "–", h("span", last.id)]
    marks: list[Child] = []
    if first.id == found.at:
        marks.append(badge("in question", "point"))
    if found.point is not None and first.id == found.point.cause:
        marks.append(badge("the text in question", "point"))
    if effect is not None and (effect.inside is None or effect.inside not in found.effect_of):
        marks.append(badge("effect", "effect"))
        marks.append({True: "reversible", False: "irreversible", None: None}[effect.reversible])
        marks.append(_decider(effect.decided_by.event))
    agent = first.meta.get("agent")
    who = [said(agent, 40), ": "] if agent else None
    return h(
        "li",
        h(
            "div",
            h("span", number, cls="number"),
            h("span", seconds(first.at), cls="time") if found.timed else None,
            cls="when",
        ),
        h(
            "div",
            h("p", who, step.words),
            [h("p", each, cls="more") for each in step.more],
            h("p", [[" · " if n else "", each] for n, each in enumerate(filter(None, marks))], cls="marks")
            if marks
            else None,
        ),
        cls=f"step {step.look} inside-{min(depth(first.lane), 3)}" + (" point" if first.id == found.at else ""),
    )


def _decider(event: int | None) -> Child:
    return "decided by the program's code" if event is None else ["decided by the model, ", at(event)]
