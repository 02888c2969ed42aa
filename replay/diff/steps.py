"""An event as a comparison sees it: what was asked and what was answered, in parts that have names. Pure.

Its digests (`replay.cassette.digests`) say what is the same; the event itself is read when something differs. Then it
is looked at by what it means: an answer of a model is what it said and which tools it called, not the id and the second
of its response; ids of tool calls count by their place; headers and the framing of a stream count as much as they do
for a replay (`matching.normalise`).
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from replay.cassette.cassette import Cassette
from replay.cassette.digests import ANSWER_HEADERS, CHANCE, STATS, Place, split
from replay.matching import normalise
from replay.matching.compare import Request
from replay.matching.explain import parsed
from replay.model import encodings
from replay.model.event import Event
from replay.semantics import LLMCall, Part, read, readings

_MODELS: Final = frozenset({"http", "grpc"})
"""Kinds of events of which one may be a call of a model."""

NEVER: Final = 2**62


class Run:
    """The steps of one recording: all of it but its draws, in order."""

    def __init__(self, cassette: Cassette) -> None:
        self.cassette = cassette
        digests = cassette.reader.digests
        self.digests = digests
        lanes = cassette.reader.lanes
        names = {number: lanes.get(number, f"?{number}") for number in set(digests.lane)}
        chance = [place.kind in CHANCE for place in digests.places]
        sessions = {"connection", "websocket"}
        self.sessions = any(each.kind in sessions or each.address[:2] == "ws" for each in digests.places)
        columns = (digests.lane, digests.place, digests.at, digests.came, digests.ask, digests.answer, digests.exact)
        self.steps = [
            Step(self, number, names[lane], digests.places[place], at, came, ask, answer, exact)
            for number, (lane, place, at, came, ask, answer, exact) in enumerate(zip(*columns, strict=True))
            if not chance[place]
        ]

    def event(self, number: int) -> Event:
        """Raises CassetteDamaged."""
        return self.cassette.reader.event(number)

    def call(self, event: Event) -> LLMCall | None:
        """The call of a model that it is. Where calls consist of many messages, all are read."""
        if self.sessions:
            return self._calls.get(event.id)
        return read(event) if event.kind in _MODELS else None

    @cached_property
    def _calls(self) -> dict[int, LLMCall]:
        return {event.id: call for event, call in readings(self.cassette.events) if call is not None}


class Step:
    """One event of a run.

    Attributes:
        id: of the event. lane: its path. at, came: when it was asked, and answered (NEVER: it wasn't).
        place: of whom it was asked, and how. ask, answer: digests. exact: a checksum of both.
    """

    __slots__ = ("__dict__", "answer", "ask", "at", "came", "exact", "id", "lane", "place", "run")

    def __init__(
        self, run: Run, number: int, lane: str, place: Place, at: int, came: int, ask: bytes, answer: bytes, exact: int
    ) -> None:
        self.run = run
        self.id = number
        self.lane = lane
        self.place = place
        self.at = at
        self.came = came if came >= 0 else NEVER
        self.ask = ask
        self.answer = answer
        self.exact = exact

    @property
    def kind(self) -> str:
        """Of the event."""
        return self.place.kind

    @property
    def where(self) -> tuple[str, str]:
        """Its place without the host, which is no part of what was asked."""
        return self.place[:2]

    @cached_property
    def event(self) -> Event:
        """All of it. Raises CassetteDamaged."""
        return self.run.event(self.id)

    @cached_property
    def call(self) -> LLMCall | None:
        """The call of a model that it is."""
        return self.run.call(self.event)

    @property
    def seam(self) -> str:
        """Where it crossed: `model`, or the event's kind."""
        return "model" if self.call is not None else self.kind

    @property
    def may_be_call(self) -> bool:
        """Whether it can be a call of a model, before anything is read."""
        return self.kind in _MODELS or self.run.sessions

    @property
    def json(self) -> Any:
        """The body of the request as JSON; None where it is none, or none that can be read at once. Not kept."""
        body = self.run.cassette.reader.asked(self.id) if self.kind == "http" and not self.run.sessions else None
        found = None if body is None else normalise.json_of(body)
        return None if found is normalise.NOT_JSON else found

    @property
    def readable(self) -> bool:
        """Whether it is a call of a model of which all could be read."""
        return self.call is not None and not self.call.warnings

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Of a call of a model, what people choose: model, parameters, tools, prompt."""
        assert self.call is not None
        return dict(_settings(self.call, self._ids))

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The request, parsed."""
        whole = parsed(Request.of(self.event))
        return whole | {"url": "".join(split(whole["url"])[1:])} if "url" in whole else whole

    @cached_property
    def window(self) -> list[str]:
        """What the model was given to read, message by message; empty where it is no call of one."""
        if self.call is None:
            return []
        system = [f"system: {text_of(self.call.system, self._ids)}"] if self.call.system else []
        return system + [f"{message.role}: {text_of(message.parts, self._ids)}" for message in self.call.messages]

    @cached_property
    def answered(self) -> dict[str, Any]:
        """The answer in parts."""
        call, event = self.call, self.event
        if call is not None and not call.warnings and (call.output or call.error):
            return dict(_of_answer(call, self._ids))
        found: dict[str, Any] = {"status": event.status} if event.status in ("open", "failed") else {}
        if event.error is not None:
            found |= {"error": event.error.type, "message": event.error.message}
        if event.kind == "http" and isinstance(event.response, dict):
            head: Mapping[str, Any] = event.response
            found["http status"] = head.get("status")
            headers = normalise.http({"headers": head.get("headers")}).headers
            found |= {f"header {name}": str(values) for name, values in headers if name in ANSWER_HEADERS}
            encoding = ",".join(value for name, values in headers if name == "content-encoding" for value in values)
            return found | {"body": _content(encodings.decode(_joined(event), encoding)[0])}
        response = event.response
        if event.kind == "file" and event.name in STATS and isinstance(response, (list, tuple)):
            response = [response[0], *response[3:]]  # without the numbers of the file and of its device
        if isinstance(response, dict) and all(isinstance(key, str) for key in response):
            found |= response
        elif response is not None or event.error is None:
            found["value"] = response
        if event.content is not None:
            found["content"] = _content(event.content)
        pieces = [piece.value for piece in event.pieces if piece.status == "piece"]
        return found | ({"pieces": pieces} if pieces else {})

    @cached_property
    def _ids(self) -> dict[str, str]:
        """Of tool calls: by their place in the conversation."""
        ids: dict[str, str] = {}
        messages = () if self.call is None else (*self.call.messages, *self.call.output)
        for part in (part for message in messages for part in message.parts):
            if part.id and part.type.endswith("tool_call"):
                ids.setdefault(part.id, f"call {len(ids)}")
        return ids


def _settings(call: LLMCall, ids: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    yield "model", call.request_model
    for name, value in call.params.items():
        yield f"parameter {name}", _flat(value)
    for tool in call.tools:
        yield f"tool {tool.name}", _flat([tool.description, tool.parameters])
    said = [text_of(call.system, ids)] if call.system else []
    said += [text_of(each.parts, ids) for each in call.messages if each.role in PROMPTS]
    for number, text in enumerate(said):
        yield f"prompt {number}" if number else "prompt", text


PROMPTS: Final = frozenset({"system", "developer"})
"""Roles of messages that people write."""


def _of_answer(call: LLMCall, ids: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    if call.error is not None:
        yield "error", f"{call.error.type}: {call.error.message}"
    for number, message in enumerate(call.output):
        where = "" if not number else f"choice {number} "
        for place, part in enumerate(message.parts):
            yield f"{where}{part.type} {place}", text_of((part,), ids)
        yield f"{where}finish reason", message.finish_reason


def text_of(parts: Sequence[Part], ids: Mapping[str, str]) -> str:
    """Parts as one text; ids of tool calls as their numbers."""
    said: list[str] = []
    for part in parts:
        content = part.content if isinstance(part.content, str) else _flat(part.content)
        if part.type in ("text", "reasoning"):
            said.append(str(content))
        else:
            named = " ".join(filter(None, (part.type, part.name, ids.get(part.id or "", ""))))
            said.append(f"[{named}] {content}")
    return "\n".join(said)


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=repr, ensure_ascii=False)


def _joined(event: Event) -> bytes:
    """The bytes of an answer, whole or streamed; of other pieces their text."""
    head = event.response
    whole: Any = head.get("body") if isinstance(head, dict) else None
    parts = [whole] if isinstance(whole, bytes) else []
    parts += [
        piece.value if isinstance(piece.value, bytes) else repr(piece.value).encode("utf-8", "surrogatepass")
        for piece in event.pieces
        if piece.status in ("piece", "error")
    ]
    return b"".join(parts)


def _content(data: bytes) -> Any:
    found = normalise.json_of(data)
    return data.decode("utf-8", "backslashreplace") if found is normalise.NOT_JSON else found
