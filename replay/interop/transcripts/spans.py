"""Traces: spans with times, each a call of a model with its own messages or a call of a tool, as events.

    a model's span      `llm`    body: its messages as a chat completions request; response: what it said
    a tool's span       `tool`   request: the arguments; response: what it returned
    messages            `entry`  of a system or user, where a model sees one for the first time
    a tool's message    `tool`   where a model sees one that no tool's span stands for

`source.message` is the span's position in the original. Events have the times of the trace, and all are in one lane.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from replay.cassette.named import Named
from replay.interop.chat import Asked, Turn, canonical, guessed, turns_of
from replay.interop.writing import Blind
from replay.model.event import Event, Failure
from replay.semantics.loose import arr, loads, obj


@dataclass(frozen=True, slots=True)
class Span:
    """One call.

    Attributes:
        place: its position in the original. start, end: microseconds since 1970; None: not said.
        name: of the model or the tool. messages, said: of a model: what it was given and what it answered, as OpenAI
            or Anthropic have them. request, response, id: of a tool. error: instead of an answer.
        parameters, tools: of a model, as OpenAI has them.
        usage: `prompt_tokens`, `completion_tokens`.
    """

    place: int
    kind: Literal["llm", "tool"]
    name: str
    start: int | None = None
    end: int | None = None
    agent: str | None = None
    messages: Sequence[Mapping[str, Any]] = ()
    said: Sequence[Mapping[str, Any]] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tools: tuple[dict[str, Any], ...] | None = None
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    request: Any = None
    response: Any = None
    id: str | None = None
    error: str | None = None
    span: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One run.

    Attributes:
        format: as `replay.interop.transcripts` has it. name: of the run. trace: its id in hexadecimal, if it has one.
        left: spans of other kinds, by what they are: they become a blind spot.
    """

    format: str
    spans: tuple[Span, ...]
    name: str = ""
    part: int = 0
    trace: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    left: Mapping[str, int] = field(default_factory=dict[str, int])

    def with_part(self, part: int) -> Trace:
        return replace(self, part=part)


_UNKNOWN: Final = "(unknown model)"


def events(trace: Trace) -> Iterator[Event]:
    """What is written of it, in the order of the beginnings."""
    return _Telling(trace).events()


def blind(trace: Trace) -> Iterator[Blind]:
    """What a trace doesn't have."""
    yield "order", "which spans ran at the same time is told by their times only", 1
    yield "entropy", "random numbers and ids that the program drew aren't in a trace", 1
    yield "code", "the program isn't in a trace: no call sites, and nothing to execute again", 1
    yield "effects", "only what tools said they did is in a trace, not what they did", 1
    if any(span.start is None for span in trace.spans):
        yield "clock", "spans without times: they have their order, and no time of their own", 1
    for what, count in sorted(trace.left.items()):
        yield "span", f"left out: spans of the kind {what}", count
    empty = sum(span.kind == "llm" and not span.messages for span in trace.spans)
    if empty:
        yield "content", "calls of a model whose messages weren't recorded", empty
    for name in sorted({span.name for span in trace.spans if span.kind == "tool"}):
        yield "effect", f"{name}: guessed from its name that it {guessed(name)}s", 1


class _Telling:
    def __init__(self, trace: Trace) -> None:
        order = sorted(trace.spans, key=lambda span: (span.start or 0, span.place))
        self._spans = order if all(span.start is not None for span in order) else list(trace.spans)
        self._began = min((span.start for span in trace.spans if span.start is not None), default=0)
        self._seen: set[str] = set()
        self._asked: dict[str, tuple[Asked, int]] = {}
        self._ids = {span.id for span in self._spans if span.kind == "tool" and span.id}
        self._results = Counter(text(span.response) for span in self._spans if span.kind == "tool" and not span.id)
        self._next = 0

    def events(self) -> Iterator[Event]:
        for span in self._spans:
            if span.kind == "tool":
                yield self._tool(span)
                continue
            turns = list(turns_of(span.messages))
            yield from self._new(span, turns)
            yield self._llm(span, turns)

    def _new(self, span: Span, turns: Sequence[Turn]) -> Iterator[Event]:
        """What it is given for the first time."""
        for turn in turns:
            said = canonical(replace(turn, agent=None))
            if turn.role == "assistant":
                self._ask(turn, None)
                continue
            if said in self._seen:
                continue
            self._seen.add(said)
            at = self._at(span)
            source = {"message": span.place, "call": None}
            if turn.role != "tool":
                yield self._event("entry", turn.role, at, meta={"source": source}, response=turn.content)
                continue
            known, name = turn.answers
            if known in self._ids:
                continue
            if self._results[text(turn.content)] > 0:  # of a tool's span that doesn't say which call it was
                self._results[text(turn.content)] -= 1
                continue
            asked = self._asked.get(known or "")
            tool = name or (asked[0].name if asked else "(unknown tool)")
            links = {} if asked is None or asked[1] < 0 else {"links": {"decided_by": asked[1]}}
            arguments = asked[0].arguments if asked else None
            meta = {"source": source, "effect": "guessed", **links}
            yield self._event("tool", tool, at, meta=meta, request=arguments, response=turn.content)

    def _ask(self, turn: Turn, event: int | None) -> None:
        for call in turn.calls:
            if event is not None or call.id not in self._asked:
                self._asked[call.id] = call, -1 if event is None else event

    def _llm(self, span: Span, turns: Sequence[Turn]) -> Event:
        model = {"model": span.name} if span.name else {}
        offered = {} if span.tools is None else {"tools": list(span.tools)}
        messages = [json.loads(canonical(turn)) for turn in turns]
        asked = {**model, **offered, **span.parameters, "messages": messages}
        answers = list(turns_of([{"role": "assistant", **each} for each in span.said]))
        choices = [
            {"index": number, "message": json.loads(canonical(replace(turn, role="assistant")))}
            for number, turn in enumerate(answers)
        ]
        said = {**model, "choices": choices, **({"usage": dict(span.usage)} if span.usage else {})}
        meta = {"source": {"message": span.place, "call": None}, **({"agent": span.agent} if span.agent else {})}
        if span.span:
            meta["span"] = span.span
        event = self._event(
            "llm",
            span.name or _UNKNOWN,
            self._at(span),
            meta=meta,
            took=self._took(span),
            request={"dialect": "openai.chat"},
            body=json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass"),
            response={"body": json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")},
            error=span.error,
        )
        for turn in answers:
            self._ask(turn, event.id)
        return event

    def _tool(self, span: Span) -> Event:
        by_id = self._asked.get(span.id or "")
        fits = [event for call, event in self._asked.values() if call.name == span.name and event >= 0]
        decided = by_id[1] if by_id and by_id[1] >= 0 else fits[-1] if fits else None
        meta: dict[str, Any] = {"source": {"message": span.place, "call": None}, "effect": "guessed"}
        meta |= {"agent": span.agent} if span.agent else {}
        meta |= {"call_id": span.id} if span.id else {}
        meta |= {"span": span.span} if span.span else {}
        meta |= {} if decided is None else {"links": {"decided_by": decided}}
        at, took = self._at(span), self._took(span)
        return self._event(
            "tool", span.name, at, meta=meta, took=took, request=span.request, response=span.response, error=span.error
        )

    def _event(
        self,
        kind: str,
        name: str,
        at: int,
        *,
        meta: dict[str, Any],
        took: int = 0,
        request: Any = None,
        body: bytes | None = None,
        response: Any = None,
        error: str | None = None,
    ) -> Event:
        number = self._next
        self._next += 1
        failure = None if error is None else Failure("Error", error, Named("", "Error", "exception", {"text": error}))
        status: Literal["failed", "done"] = "done" if failure is None else "failed"
        effect = guessed(name) if kind == "tool" else "read"
        return Event(
            number, kind, name, effect, "m", at, took, None, request, body, status, response, failure, meta=meta
        )

    def _at(self, span: Span) -> int:
        return 0 if span.start is None else max(0, span.start - self._began)

    def _took(self, span: Span) -> int:
        return 0 if span.start is None or span.end is None else max(0, span.end - span.start)


def text(value: Any) -> str:
    """What a tool returned, as a model would be told it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(value: Any) -> Any:
    """The JSON in a text, where it is some."""
    found = loads(value) if isinstance(value, str) else None
    return value if found is None else found


def microseconds(value: Any) -> int | None:
    """Since 1970, of ISO 8601 (UTC where it doesn't say), or of a number: seconds, milliseconds, micro- or nanoseconds.

    Example:
        >>> microseconds("2026-01-01T00:00:00Z"), microseconds(1767225600000)
        (1767225600000000, 1767225600000000)
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return microseconds(int(value)) if value.isdecimal() and len(value) < 25 else None
        whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(whole.timestamp()) * 1_000_000 + whole.microsecond
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e20:
        return None
    for limit, factor in ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1)):
        if value < limit:
            return int(value * factor)
    return int(value) // 1000


def messages_of(value: Any) -> list[dict[str, Any]]:
    """Messages, however they are wrapped: a list, `{"messages": …}`, a text, or one message."""
    found = read(value)
    if isinstance(found, dict):
        inner = obj(found)
        if "messages" in inner:
            return messages_of(inner["messages"])
        return [inner] if "role" in inner or "content" in inner else [{"role": "user", "content": text(inner)}]
    if isinstance(found, list):
        flat = arr(found)
        if any(isinstance(each, list) for each in flat):  # LangChain's batches of one
            return [message for each in flat for message in messages_of(each)]
        return [obj(each) if isinstance(each, dict) else {"role": "user", "content": text(each)} for each in flat]
    return [] if found in (None, "") else [{"role": "user", "content": text(found)}]
