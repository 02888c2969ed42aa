"""The window that a model got: message by message, each with where it came from, and what changed in it. Pure.

    found = context(cassette.events, 38)
    for row in found.rows: print(row.role, row.text, row.origin.kind, row.origin.event)

What it costs doesn't grow with the run: of the events the first `FIRST` and the last `LAST` before the call are looked
at. What isn't found there is `unknown` where there were others, and `code` where these are all: no recorded input has
it.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from replay.diff.window import Shift, shifts
from replay.forensics.influence import Source
from replay.forensics.text import text_of
from replay.forensics.trail import Decision, Index, Trail
from replay.model.errors import UsageError
from replay.model.event import Event
from replay.semantics import LLMCall, Message, Part, read
from replay.semantics.links import Answers

FIRST: Final = 100
LAST: Final = 900
"""Events that are looked at: at the beginning, where requests come in, and before the call."""

_MEDIA: Final = ("uri", "blob", "file", "image")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message, or a part of it, came from.

    Attributes:
        kind: `user`, `system` (an input of the run that is such), `tool`, `memory`, `http` and other kinds of events,
            `answer` (what a model said before), `agent` (what another one said), `code`, `unknown`.
        event: which. name: of the tool, the memory, the agent. part: the text that came so, of a part of a message.
    """

    kind: str
    event: int | None = None
    name: str = ""
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One message: what it says (calls and results of tools in words, images as placeholders), and its origins."""

    number: int
    role: str
    text: str
    origin: Origin
    parts: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """A call's window.

    Attributes:
        previous: that agent's call before, None where there is none among the events looked at.
        changes: the window, from that call to this one. other: what else differs: model, tools, parameters.
        whole: whether all events before the call were looked at.
    """

    event: int
    agent: str | None
    call: LLMCall
    system: str
    rows: list[Row]
    whole: bool
    previous: int | None = None
    changes: list[Shift] = field(default_factory=list[Shift])
    other: dict[str, tuple[Any, Any]] = field(default_factory=dict[str, tuple[Any, Any]])

    def to_json(self, *, diff: bool) -> dict[str, Any]:
        """As `replay context --json` has it."""
        call = self.call
        found: dict[str, Any] = {
            "event": self.event,
            "agent": self.agent,
            "model": call.request_model,
            "provider": call.provider,
            "tokens": asdict(replace(call.usage, raw=None)),
            "system": self.system,
            "tools": [{"name": tool.name, "description": tool.description} for tool in call.tools],
            "messages": [
                {
                    "number": row.number,
                    "role": row.role,
                    "text": row.text,
                    "characters": len(row.text),
                    "from": _origin(row.origin),
                    "parts": [_origin(each) for each in row.parts],
                }
                for row in self.rows
            ],
            "warnings": list(call.warnings),
            "whole": self.whole,
            "previous": self.previous,
        }
        if diff:
            found["changes"] = [asdict(each) for each in self.changes]
            found["other"] = {name: {"before": a, "after": b} for name, (a, b) in self.other.items()}
        return found


def _origin(origin: Origin) -> dict[str, Any]:
    return {key: value for key, value in asdict(origin).items() if key in ("kind", "event") or value}


def context(events: Sequence[Event], number: int, words: Sequence[str] = ()) -> Context:
    """The window of the call that event `number` is. `words`: of the command line, which are the user's.

    Raises:
        UsageError: there is no such event, or it is no call of a model.
    """
    if not 0 <= number < len(events):
        raise UsageError(f"no event {number}; the last is {len(events) - 1}" if events else "it has no events")
    event = events[number]
    call = read(event)
    answers = Answers()
    near = _near(events, number)
    models = [each for each in near if each.kind in ("http", "grpc", "llm") and answers.read(each) is not None]
    if call is None:
        before = f"; the last one before it is {models[-1].id}" if models else ""
        raise UsageError(f"event {number} ({event.kind} {event.name}) is no call of a model{before}")
    whole = len(near) == number
    agent = event.meta.get("agent")
    found = Context(number, None if agent is None else str(agent), call, _text(call.system), [], whole)
    rows = _rows([*near, event], call, models, answers, unknown="code" if whole else "unknown")
    found.rows.extend(_typed(row, words) for row in rows)
    last = _previous(event, call, models)
    if last is None:
        return found
    former, its = last
    changes = shifts(_window(its), _window(call))
    return replace(found, previous=former.id, changes=changes, other=dict(_other(its, call)))


def _near(events: Sequence[Event], number: int) -> list[Event]:
    first = min(FIRST, number)
    return [*(events[n] for n in range(first)), *(events[n] for n in range(max(number - LAST, first), number))]


def _rows(near: list[Event], call: LLMCall, models: list[Event], answers: Answers, unknown: str) -> list[Row]:
    """The trail numbers events from 0, so those that are looked at are numbered anew for it."""
    renumbered = [replace(event, id=place) for place, event in enumerate(near)]
    last = len(near) - 1
    trail = Trail(Index(renumbered, last), last)
    came: dict[int, list[Source]] = {}
    for source in trail.sources(Decision(last, "", {}, "recorded", call)):
        if source.message is not None:
            came.setdefault(source.message, []).append(source)
    said: dict[Any, int] = {}
    for event in models:
        answer = answers.read(event)
        if answer is not None and answer.output:
            said.setdefault(_said(answer.output[0]), event.id)
    rows: list[Row] = []
    for place, message in enumerate(call.messages):
        origins = [_of(source, near, unknown) for source in came.get(place, ())]
        if message.role in ("assistant", "model"):
            answered = said.get(_said(message))
            author = next((each.name for each in came.get(place, ()) if each.role == "agent"), "")
            kind = unknown if answered is None else "agent" if author else "answer"
            origins = [Origin(kind, answered, author)]
        *parts, own = origins or [Origin(unknown)]
        rows.append(Row(place, message.role, _text(message.parts), own, tuple(parts)))
    return rows


def _typed(row: Row, words: Sequence[str]) -> Row:
    """A message that is a word of the command line is the user's."""
    if row.origin.event is None and row.role == "user" and row.text.strip() in words:
        return replace(row, origin=Origin("user", None, "command line"))
    return row


def _of(source: Source, near: list[Event], unknown: str) -> Origin:
    """Words of the user or operator that no event had came from the program, or from before what was looked at."""
    if source.event is None:
        return Origin(source.role if source.role == "tool" else unknown, None, source.name)
    event = near[source.event]
    kind = event.kind if source.role in ("user", "system", "developer") and event.kind != "entry" else source.role
    part = None if source.role in ("user", "system", "developer", "tool") else source.text
    return Origin(kind, event.id, source.name or event.name, part)


def _previous(event: Event, call: LLMCall, models: list[Event]) -> tuple[Event, LLMCall] | None:
    """That agent's last call: by its name; without one by the lane, else by how its window begins."""
    agent = event.meta.get("agent")
    others = [each for each in reversed(models) if each.meta.get("agent") == agent]
    if agent is None:
        others = [each for each in others if each.lane == event.lane] or others
    for each in others[:20]:
        its = read(each)
        if its is not None and (agent is not None or each.lane == event.lane or _window(its)[:1] == _window(call)[:1]):
            return each, its
    return None


def _window(call: LLMCall) -> list[str]:
    system = [f"system: {_text(call.system)}"] if call.system else []
    return system + [f"{message.role}: {_text(message.parts)}" for message in call.messages]


def _other(a: LLMCall, b: LLMCall) -> list[tuple[str, tuple[Any, Any]]]:
    pairs: list[tuple[str, tuple[Any, Any]]] = [("model", (a.request_model, b.request_model))]
    tools = [{tool.name: (tool.description, tool.parameters) for tool in call.tools} for call in (a, b)]
    for name in sorted({*tools[0], *tools[1]}):
        one, other = tools[0].get(name), tools[1].get(name)
        if one != other:
            words = [None if each is None else each[0] or "(no description)" for each in (one, other)]
            pairs.append((f"tool {name}", (words[0], words[1] if words[0] != words[1] else "other parameters")))
    names: Mapping[str, None] = dict.fromkeys([*a.params, *b.params])
    pairs += [(f"parameter {name}", (a.params.get(name), b.params.get(name))) for name in names]
    return [(name, (one, other)) for name, (one, other) in pairs if one != other]


def _said(message: Message) -> Any:
    """What tells whether two messages are one: what it says and asks for; spaces at its ends are often cut."""
    return message.text.strip(), tuple(
        (p.name, p.id, text_of(p.content)) for p in message.parts if p.type == "tool_call"
    )


def _text(parts: Sequence[Part]) -> str:
    return "\n".join(filter(None, map(_part, parts)))


def _part(part: Part) -> str:
    if part.type in _MEDIA or (
        part.content is None and part.raw is not None and part.type not in ("text", "reasoning")
    ):
        return f"<{part.type}, {len(text_of(part.raw))} characters>"
    if part.type == "tool_call":
        return f"[calls {part.name}({text_of(part.content)})]"
    if part.type == "tool_call_response":
        return _result(part.content)
    if part.type == "reasoning":
        return f"[thinks] {text_of(part.content)}"
    return "" if part.content is None else text_of(part.content)


def _result(content: Any) -> str:
    """A result's text; of a list of parts their texts, images as placeholders."""
    if not isinstance(content, list):
        return "" if content is None else text_of(content)
    found: list[str] = []
    for each in content:
        text = each.get("text") if isinstance(each, Mapping) else each
        found.append(text if isinstance(text, str) else f"<{_kind(each)}, {len(text_of(each))} characters>")
    return "\n".join(found)


def _kind(part: Any) -> str:
    return str(part.get("type", "part")) if isinstance(part, Mapping) else "part"
