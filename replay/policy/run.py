"""What is observed of a run, in the terms in which runs are compared. Pure.

Names (agents, tools, transitions from tool to tool, hosts, memory keys, effects, arguments and their shapes) are kept
with the first event that has them; numbers with the event that has them. Of every call of a tool `pull` says how much
of it data accounts for, rather than what the user said: `forensics.influence`.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from replay.forensics.deciders import called
from replay.forensics.influence import action, influences, view
from replay.forensics.influence import call as taken_apart
from replay.forensics.text import leaves
from replay.forensics.trail import Index, Trail
from replay.forensics.triage import INJECTION, INJECTION_OF_READS
from replay.forensics.trust import Trust, host_of
from replay.model.event import Event
from replay.semantics.links import Answers
from replay.semantics.memory import accesses

NAMES: Final = ("agents", "tools", "effects", "hosts", "memory", "arguments", "shapes", "transitions")
"""Kinds of names, from the one that says most of a run that has a new one."""

START: Final = "(start)"

TOLD: Final = 0.5
"""From here on the user's words name what was done: half of its name's words, or one and what kind of action it is."""


@dataclass(frozen=True, slots=True)
class Pull:
    """How much of a call data accounts for: 0 to 1; the source's event and name, and the span that does.

    Of a call that only reads it counts as much less as `triage` asks more of one.
    `told`: how much a span of the user's words names what is done: 0 to 1.
    """

    event: int
    tool: str
    score: float
    source: int | None = None
    name: str = ""
    text: str = ""
    told: float = 0.0


@dataclass(slots=True)
class Run:
    """One run.

    Attributes:
        request: what the user said first: runs of one request are alike, and no evidence of each other.
        names: kind -> name -> first event. counts: tool -> (how often it was called, the last event).
        numbers: `tool.argument` -> (number, event) of each. tokens: of all calls, and the event of the last one.
        pulls: of each call of a tool.
    """

    id: str = ""
    request: str = ""
    names: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in NAMES})
    counts: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    numbers: dict[str, list[tuple[float, int]]] = field(default_factory=dict[str, list[tuple[float, int]]])
    tokens: tuple[int, int] | None = None
    pulls: list[Pull] = field(default_factory=list[Pull])

    @property
    def used(self) -> dict[str, tuple[int, int]]:
        """`tokens`, by the name that they have beside other numbers."""
        return {} if self.tokens is None else {"tokens of all calls": self.tokens}

    def asked(self, event: int) -> bool:
        """Whether the user's words name the call that an event is."""
        return any(each.event == event and each.told >= TOLD for each in self.pulls)

    @property
    def pull(self) -> Pull | None:
        """The strongest."""
        return max(self.pulls, key=lambda each: each.score, default=None)


def observe(events: Sequence[Event], trust: Trust, id_: str = "") -> Run:
    """All of a run."""
    run, answers = Run(id_), Answers()
    index = Index(events, len(events) - 1, trust)
    before: dict[str, str] = {}
    count: Counter[str] = Counter()
    for event in events:
        agent = event.meta.get("agent")
        if agent is not None:
            run.names["agents"].setdefault(str(agent), event.id)
        made = called(event)
        if made is not None and event.id not in index.inside:
            name, arguments = made
            count[name] += 1
            run.counts[name] = count[name], event.id
            _tool(run, event, name, arguments, before.get(str(agent), START))
            before[str(agent)] = name
            run.pulls += _pulls(Trail(index, event.id), event)
        elif event.kind in ("http", "grpc", "llm"):
            _request(run, event, answers, index)
        elif event.kind == "memory":
            for access in accesses((event,)):
                run.names["memory"].setdefault(f"{access.effect} {access.store} {_key(access.key)}", event.id)
        if event.effect == "write" and event.kind in ("file", "process", "connection"):
            run.names["effects"].setdefault(f"{event.kind} {event.name}", event.id)
    return run


def _tool(run: Run, event: Event, name: str, arguments: Any, before: str) -> None:
    run.names["tools"].setdefault(name, event.id)
    run.names["transitions"].setdefault(f"{before} > {name}", event.id)
    if event.effect == "write":
        run.names["effects"].setdefault(f"tool {name}", event.id)
    given = arguments if isinstance(arguments, Mapping) else {"value": arguments}
    for path, value in leaves(given):
        where = f"{name}." + re.sub(r"\[\d+\]", "[]", path)
        run.names["arguments"].setdefault(where, event.id)
        number = _number(value)
        if number is None:
            run.names["shapes"].setdefault(f"{where} {shape(value)}", event.id)
        else:
            run.numbers.setdefault(where, []).append((number, event.id))


def _pulls(trail: Trail, event: Event) -> list[Pull]:
    found: list[Pull] = []
    for decision in trail.decisions():
        if decision.window is None:
            continue
        sources = trail.sources(decision)
        made = taken_apart(decision.name, decision.arguments)
        every = influences(made, sources)
        data = [each for each in every if not each.source.principal and each.source.role != "assistant"]
        ranked = [each for each in data if each.source.trust != "trusted"]
        best = max(ranked, key=lambda each: each.score, default=None)
        said = [view(each.text).stems for each in sources if each.role == "user" and each.principal]
        told = max((action(made, stems) for spans in said for stems in spans), default=0.0)
        if best is None:
            found.append(Pull(event.id, decision.name, 0.0, told=told))
        else:
            text = "" if best.span is None else best.source.text[best.span.start : best.span.end]
            much = best.score if event.effect == "write" else best.score * INJECTION / INJECTION_OF_READS
            found.append(Pull(event.id, decision.name, much, best.source.event, best.source.name, text, told))
    return found


def _request(run: Run, event: Event, answers: Answers, index: Index) -> None:
    call = answers.read(event)
    if call is None:
        if event.kind == "http" and isinstance(event.request, Mapping):
            host = host_of(str(event.request.get("url", "")))
            run.names["hosts"].setdefault(host, event.id)
            if event.effect == "write":
                run.names["effects"].setdefault(f"http {event.name} {host}", event.id)
        return
    used = sum(filter(None, (call.usage.input, call.usage.output)))
    if used:
        run.tokens = (run.tokens[0] if run.tokens else 0) + used, event.id
    if not run.request:
        window = Trail(index, event.id).decisions()[0].window
        said = [message.text for message in window.messages if message.role == "user"] if window is not None else []
        run.request = said[0][:2000] if said else ""


def _key(key: Any) -> str:
    """Keys that differ in their numbers only are one."""
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
    return re.sub(r"\d+", "9", text)[:80]


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if len(text) < 16 and found == found and abs(found) != float("inf") else None


def shape(text: str) -> str:
    """What a text looks like: `text` where it is prose.

    Example:
        >>> shape("A-1043"), shape("bo.ek@example.org"), shape("2024-05-01"), shape("hello dear world")
        ('A-9', 'address', '9-9-9', 'text')
    """
    bare = text.strip()
    if re.fullmatch(r"[\w.+-]+@[\w-]+\.[\w.-]+", bare):
        return "address"
    if re.match(r"(?:https?://|www\.)", bare):
        return "url"
    if len(bare.split()) > 2 or len(bare) > 40:
        return "text"
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", re.sub(r"[^\W\d_]+", _case, re.sub(r"\d+", "9", bare))))


def _case(match: re.Match[str]) -> str:
    return "A" if match.group().isupper() else "a"
