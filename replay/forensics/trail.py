"""The trail of decisions: which answer of a model asked for an event, and what the model had before it then. Pure.

A message of the window comes from somewhere: a tool's result from the event of that tool, a user's or operator's words
from an `entry`; and a part of such words may come from a memory, a database, a server, a tool: that part is data, and
is a source of its own. (A whole message that came so is how the words came.)
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from replay.forensics.influence import Source
from replay.forensics.text import leaves, text_of
from replay.forensics.trust import Trust
from replay.forensics.values import stands
from replay.model.event import Event
from replay.semantics import LLMCall, Message, ToolCall, read
from replay.semantics.inside import Tools
from replay.semantics.loose import arr, loads, obj

CARRIERS: Final = frozenset({"tool", "mcp", "memory", "http", "grpc", "db", "entry", "file", "process"})
"""Kinds of events whose outcomes may come up in a window."""

_DATA: Final = frozenset({"tool", "mcp", "memory", "http", "grpc", "db"})
_ENOUGH: Final = 20
"""Characters of an outcome that are no coincidence."""

_RUN: Final = re.compile(r"[\w ,;:()@/.-]{8,80}")


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer of a model that asked for a call.

    Attributes:
        event: of the answer; None where no answer asked for it, hence code did.
        name, arguments: of the call; of an answer that calls nothing: empty, and its text.
        link: `recorded`: by its id, or the answer asks for just this; `inferred`: by its name alone.
        window: what the model was given; None without an answer.
    """

    event: int | None
    name: str
    arguments: Any
    link: str
    window: LLMCall | None

    @property
    def again(self) -> bool:
        """Whether the same call was made since the user spoke last: what the user asked for has been done."""
        name = last_name(self.name)
        for message in reversed(() if self.window is None else self.window.messages):
            if message.role == "user" and message.text:
                return False
            called = (part for part in message.parts if part.type == "tool_call" and part.name)
            alike = (part for part in called if last_name(part.name or "") == name)
            if any(_same(loads(part.content or ""), self.arguments) for part in alike):
                return True
        return False


NOBODY: Final = Trust()
"""Without any label."""

Key = tuple[str, ...]
"""What a result is looked for by: `id` and the call's; `asked`, a name and the arguments; `named` and the name."""


class Index:
    """The events of a cassette, each looked at once: what may come up in a window, and which tool each is inside of.

    Args:
        events: all of them. until: the last one that matters. trust: what is said of sources.
    """

    def __init__(self, events: Sequence[Event], until: int, trust: Trust = NOBODY) -> None:
        self.events = events
        self.trust = trust
        self.held: dict[int, list[Event]] = {}
        self.carriers: list[Event] = []
        self.came: dict[int, Event] = {}
        self.calls: list[Event] = []
        self.inside: dict[int, int] = {}
        self.answers: dict[Key, list[Event]] = {}
        self._texts: dict[int, str] = {}
        self._within: dict[str, tuple[int, list[Event]]] = {}
        self._requests: list[int] = []
        tools = Tools()
        for number in range(until + 1):
            event = events[number]
            holder = tools.holding(event)
            if holder is not None:
                self.inside[number] = holder
                if event.kind in _DATA and len(self.held.setdefault(holder, [])) < _EARLIER:
                    self.held[holder].append(event)
            if event.kind in ("llm", "http", "grpc"):
                self._requests.append(number)
            if event.kind in CARRIERS and not (event.body and event.kind in ("http", "grpc")):
                self.carriers.append(event)
                self.came[number] = event
                if event.kind in ("tool", "mcp"):
                    self.calls += [event] if holder is None else []
                    for key in _keys(event):
                        self.answers.setdefault(key, []).append(event)

    def text(self, event: Event) -> str:
        """What came of an event, as text; of a write to a memory what was written."""
        if event.id not in self._texts:
            outcome = event.request if event.kind == "memory" and event.effect == "write" else event.response
            if event.kind == "entry" and event.response is None:
                outcome = event.request
            body = obj(outcome).get("body")
            pieces = [piece.value for piece in event.pieces if piece.status == "piece"]
            found = text_of(body if isinstance(body, bytes) else outcome)
            more = [text_of(value) for value in (*pieces, event.content) if value is not None]
            self._texts[event.id] = "\n".join([found, *more])
        return self._texts[event.id]

    def last_answer(self, until: int) -> tuple[int, LLMCall] | None:
        """The last call of a model before event `until`, and its event."""
        before = bisect_left(self._requests, until)
        for number in reversed(self._requests[max(before - _TRIES, 0) : before]):
            answer = read(self.events[number])
            if answer is not None:
                return number, answer
        return None

    def within(self, text: str, until: int) -> list[Event]:
        """The carriers before event `until` whose outcome such a text has, or which have all of it.

        Each text is compared with each carrier once: the same system's and user's words come up in all windows.
        """
        looked, found = self._within.get(text, (0, []))
        for event in self.carriers[looked:]:
            if event.id >= until:
                break
            looked += 1
            if self._came(event, text):
                found.append(event)
        self._within[text] = looked, found
        return found[: bisect_left(found, until, key=lambda event: event.id)]

    def _came(self, event: Event, text: str) -> bool:
        """Whether a user's or operator's text, or a part of it, came by that event."""
        if event.kind == "file":  # a prompt, a ticket: how the words came, where it is all of them
            return len(text) >= 2 and event.content is not None and text_of(event.content).strip() == text.strip()
        came = self.text(event)
        if event.kind == "entry":
            return len(came) >= 2 and (came == text or (len(text) >= _ENOUGH and text in came))
        if event.kind not in _DATA or event.effect == "write":
            return False
        return any(_telling(event, each) and each in text for each in (came, _unquoted(came)))


class Trail:
    """What leads to one event.

    Args:
        index: of the events up to it, at least. until: the event that is asked about.

    Attributes:
        event: that one. inside: the tool that it happened in. carriers: what may have come up in its window.
    """

    def __init__(self, index: Index, until: int) -> None:
        self._index = index
        self._events = index.events
        self.event = index.events[until]
        self.inside = index.inside.get(until)
        self.carriers = index.carriers[: bisect_left(index.carriers, until, key=lambda event: event.id)]

    def text(self, event: Event) -> str:
        """What came of an event, as text."""
        return self._index.text(event)

    def decisions(self) -> list[Decision]:
        """The calls that the event is, or that its answer asks for."""
        event = self.event
        answer = read(event)
        if answer is not None:
            asked = [Decision(event.id, each.name, _given(each), "recorded", answer) for each in answer.tool_calls]
            return asked or [Decision(event.id, "", {"text": answer.text}, "recorded", answer)]
        return [self._asked_by(event)]

    def _asked_by(self, event: Event) -> Decision:
        name, arguments = asked(event)
        known = obj(event.meta.get("links")).get("decided_by")
        said = event.meta.get("call_id")
        by_name: Decision | None = None
        by_text: Decision | None = None
        before = [known] if isinstance(known, int) else range(event.id - 1, -1, -1)
        looked = 0
        for number in before:
            other = self._events[number]
            answer = read(other) if other.kind in ("llm", "http", "grpc") else None
            if answer is None:
                continue
            for each in answer.tool_calls:
                if last_name(name) != last_name(each.name):
                    continue
                if each.id == said or _same(_given(each), arguments):
                    return Decision(number, name, arguments, "recorded", answer)
                by_name = by_name or Decision(number, name, arguments, "inferred", answer)
            if by_text is None and not answer.tool_calls and _writes(answer.text, last_name(name), arguments):
                by_text = Decision(number, name, arguments, "inferred", answer)
            looked += 1
            if looked == _BACK:
                break
        return by_name or by_text or Decision(None, name, arguments, "recorded", None)

    def sources(self, decision: Decision) -> list[Source]:
        """What the model had before it, message by message; without a model, what came before the event."""
        found = list(self._before_code() if decision.window is None else self._window(decision.window, decision))
        return [self._labelled(source) for source in found]

    def _before_code(self) -> Iterator[Source]:
        """Inputs of the program, the window of the model's last call, and its answer."""
        told: set[int | None] = set()
        last = self._index.last_answer(self.event.id)
        if last is not None:
            number, answer = last
            for source in self._window(answer, Decision(number, "", {}, "recorded", answer)):
                told.add(source.event)
                yield source if source.event is not None else replace(source, event=number)
            yield Source("assistant", "\n".join(map(_said, answer.output[:1])), None, number)
        for event in self.carriers[-_EARLIER:]:
            if event.id not in told:
                yield Source(event.kind, self.text(event), None, event.id, event.name)

    def _labelled(self, source: Source) -> Source:
        if source.event is None:
            return self._index.trust.labelled(source)
        inside = self._index.held.get(source.event, ())
        return self._index.trust.labelled(source, self._index.came.get(source.event), inside)

    def _window(self, window: LLMCall, decision: Decision) -> Iterator[Source]:
        me = None if decision.event is None else self._events[decision.event].meta.get("agent")
        results = self._results(window)
        system = "\n".join(str(part.content) for part in window.system if isinstance(part.content, str))
        if system:
            yield from self._principal("system", system, None)
        for place, message in enumerate(window.messages):
            for number, part in enumerate(message.parts):
                if (place, number) in results:
                    name, given, event = results[place, number]
                    yield Source("tool", _parts_text(part.content), place, event, name, given)
            text = message.text
            if message.role in ("assistant", "model"):
                author = obj(message.raw).get("name")
                role = "agent" if author is not None and author != me else "assistant"
                yield Source(role, _said(message), place, None, str(author or ""))
            elif text:
                role = "user" if message.role not in ("system", "developer") else "system"
                yield from self._principal(role, text, place)

    def _principal(self, role: str, text: str, place: int | None) -> Iterator[Source]:
        """Words of the user or operator, and apart from them what was put into them."""
        left, whole = text, None
        for event in reversed(self._index.within(text, self.event.id)):
            came = self.text(event)
            parts = (each for each in (came, _unquoted(came)) if len(each) >= _ENOUGH or role == "system")
            found = next((each for each in parts if _telling(event, each) and each in left), None)
            part = event.kind in _DATA and found is not None and len(found) < 0.95 * len(text.strip())
            if found is not None and part:
                left = left.replace(found, "\n\n")
                yield Source(event.kind, found, place, event.id, event.name)
            elif whole is None and (found is not None or event.kind not in _DATA):
                whole = event.id
        yield Source(role, left, place, whole)

    def _results(self, window: LLMCall) -> dict[tuple[int, int], tuple[str, Any, int | None]]:
        """(message, part) of each tool's result -> name and arguments of the call, and the event whose outcome it is.

        Told by the call's id, by what was asked, or by what it says; the last results belong to the last events.
        """
        calls = {part.id: part for message in window.messages for part in message.parts if part.type == "tool_call"}
        found: dict[tuple[int, int], tuple[str, Any, int | None]] = {}
        used: set[int] = set()
        for place in range(len(window.messages) - 1, -1, -1):
            for number, part in reversed(list(enumerate(window.messages[place].parts))):
                if part.type != "tool_call_response":
                    continue
                call = calls.get(part.id)
                given = None if call is None else loads(call.content) if isinstance(call.content, str) else call.content
                name = part.name or (call.name if call is not None else None) or ""
                known = self._before(("id", part.id)) if part.id else []
                came = next((each.id for each in reversed(known) if each.id not in used), None)
                if came is None and call is not None:
                    known = self._before(("asked", last_name(name), _key(given)))
                    came = next((each.id for each in reversed(known) if each.id not in used), None)
                if came is None:
                    text = _parts_text(part.content)
                    near = [each for each in self._before(("named", last_name(name)))[-_BACK:] if each.id not in used]
                    like = [e for e in near if (call is not None and _same(asked(e)[1], given)) or self.holds(e, text)]
                    came = like[-1].id if like else None
                if came is not None:
                    used.add(came)
                found[place, number] = name, given, came
        return found

    def _before(self, key: Key) -> list[Event]:
        known = self._index.answers.get(key, [])
        return known[: bisect_left(known, self.event.id, key=lambda event: event.id)]

    def holds(self, event: Event, span: str) -> bool:
        """Whether a span stands in what came of an event, however it was quoted or wrapped."""
        return self._holds(event, _runs(span))

    def _holds(self, event: Event, runs: Sequence[str]) -> bool:
        there = self.text(event)
        return bool(runs) and all(run in there for run in runs)

    def carried(self, span: str, besides: int | None) -> list[Event]:
        """The events through which a span came, the first one first."""
        runs = _runs(span)
        return [event for event in self.carriers if event.id != besides and self._holds(event, runs)]


_BACK: Final = 400
"""Answers that are looked through for the one that asked for an event."""

_EARLIER: Final = 2000

_TRIES: Final = 20
"""Requests that are looked at for the model's last call."""

_PHRASE: Final = 8
"""Characters of a memory's value of several words that are no coincidence in what the operator says."""


def _runs(span: str) -> list[str]:
    """The longest parts of a span that stay as they are when it is quoted or wrapped."""
    return [run.strip() for run in sorted(_RUN.findall(span), key=len, reverse=True)[:3]]


def asked(event: Event) -> tuple[str, Any]:
    """Name and arguments of the call that an event is."""
    if event.kind == "mcp":
        parameters = obj(obj(event.request).get("params"))
        if "name" in parameters:
            return str(parameters["name"]), parameters.get("arguments")
    request: Any = event.request
    if obj(request).keys() == {"args", "kwargs"}:
        request = {**obj(request["kwargs"]), **{str(n): each for n, each in enumerate(arr(request["args"]))}}
    if event.body:
        body = loads(event.body)
        return event.name, {"request": request, "body": event.body if body is None else body}
    return event.name, request


def _given(call: ToolCall) -> Any:
    return call.parsed if call.parsed is not None else call.arguments


def _keys(event: Event) -> Iterator[Key]:
    name, given = asked(event)
    if event.meta.get("call_id"):
        yield "id", str(event.meta["call_id"])
    yield "asked", last_name(name), _key(given)
    yield "named", last_name(name)


@lru_cache(maxsize=1024)
def last_name(name: str) -> str:
    """A server's or a class's name may stand before it."""
    return re.split(r"[./:]|__", name)[-1] or name


def _key(arguments: Any) -> str:
    try:
        return json.dumps(arguments, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError):
        return repr(arguments)


def _same(one: Any, other: Any) -> bool:
    """The same arguments; those that have a default may be missing."""
    a, b = obj(one), obj(other)
    if isinstance(one, dict) and isinstance(other, dict):
        both = a.keys() & b.keys()
        return bool(both or not (a or b)) and all(_same(a[key], b[key]) for key in both)
    return bool(one == other or text_of(one) == text_of(other))


def _writes(text: str, name: str, arguments: Any) -> bool:
    """Whether an answer's text names a tool and has all that it is given: calls may be written as text."""
    given = [value for _, value in leaves(arguments) if len(value) > 2]
    return bool(name and given) and stands(name, text) and all(value in text for value in given)


def _said(message: Message) -> str:
    called = [text_of(part.content) for part in message.parts if part.type == "tool_call"]
    return "\n".join([message.text, *called])


def _parts_text(content: Any) -> str:
    if isinstance(content, list):
        found = [str(obj(part).get("text") or obj(part).get("content") or "") for part in content]  # pyright: ignore[reportUnknownVariableType]
        return "\n".join(filter(None, found)) or text_of(content)  # pyright: ignore[reportUnknownArgumentType]
    return text_of(content)


def _telling(event: Event, text: str) -> bool:
    """Whether it is no coincidence that a text stands somewhere; of a memory a phrase will do."""
    return len(text) >= _ENOUGH or (event.kind == "memory" and len(text) >= _PHRASE and " " in text.strip())


def _unquoted(text: str) -> str:
    """What a JSON text that is a string says."""
    return text[1:-1] if text[:1] == '"' == text[-1:] else text
