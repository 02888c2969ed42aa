"""An event as a comparison sees it: what was asked and what was answered, in parts that have names. Pure.

A digest of each finds out fast what is the same. What isn't is looked at in parts, by what it means: an answer of a
model is what it said and which tools it called, not the id and the second of its response; ids of tool calls count by
their place; headers and the framing of a stream count as much as they do for a replay (`matching.normalise`).
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final

from replay.matching import normalise
from replay.matching.compare import Request
from replay.matching.explain import parsed
from replay.model.event import Event
from replay.semantics import LLMCall, Part, readings

Parts = Mapping[str, Any]
"""Name of a part -> its value: texts, numbers, None."""

CHANCE: Final = frozenset({"clock", "entropy"})
"""Kinds of draws. Two runs never draw the same; that is no finding, until something differs by it."""

_CHANCE_PARTS: Final = frozenset(
    ("file", name, f"[0][{place}]") for name in ("stat", "lstat", "fstat") for place in (1, 2)
)
"""Parts of answers that are names given by chance: the numbers of a file and of its device."""

_ANSWER_HEADERS: Final = frozenset({"content-type", "location", "retry-after"})


class Step:
    """One event of a run.

    Attributes:
        event: it. call: the call of a model that it is, or None. ids: of tool calls, in the whole run -> their numbers.
    """

    __slots__ = ("__dict__", "call", "event", "ids")

    def __init__(self, event: Event, call: LLMCall | None, ids: Mapping[str, str]) -> None:
        self.event = event
        self.call = call
        self.ids = ids

    @property
    def seam(self) -> str:
        """Where it crossed: `model`, or the event's kind."""
        return "model" if self.call is not None else self.event.kind

    @cached_property
    def place(self) -> tuple[str, str]:
        """What steps of two runs have in common that are each other's: not what was asked, but of whom."""
        http = self._http
        return (self.event.kind, self.event.name) if http is None else ("http", f"{http.method} {_split(http.url)[1]}")

    @cached_property
    def address(self) -> str:
        """The host that was asked; empty where none was. It is no part of what was asked."""
        return "" if self._http is None else _split(self._http.url)[0]

    @cached_property
    def _http(self) -> normalise.Http | None:
        request: Any = self.event.request
        return normalise.http(request) if self.event.kind == "http" and isinstance(request, dict) else None

    @cached_property
    def ask(self) -> bytes:
        """Digest of the request."""
        http = self._http
        request = self.event.request if http is None else (_split(http.url)[1:], http.headers)
        return _digest(self.place, request, self.event.body)

    @cached_property
    def answer(self) -> bytes:
        """Digest of the answer, pieces of a stream joined."""
        event, response = self.event, self.event.response
        if event.kind == "http" and isinstance(response, dict):
            response = response.get("status")
        error = event.error and (event.error.type, event.error.message)
        return _digest(event.status == "open", response, event.content, error, _joined(event))

    @cached_property
    def asked(self) -> Parts:
        """The request in parts."""
        if self.call is not None and not self.call.warnings:
            return dict(_of_call(self.call, self.ids))
        whole = parsed(Request.of(self.event))
        return dict(_leaves("", whole if self._http is None else whole | {"url": "".join(_split(self._http.url)[1:])}))

    @property
    def window(self) -> list[str]:
        """What the model was given to read, message by message; empty where it is no call of one."""
        if self.call is None:
            return []
        system = [f"system: {text_of(self.call.system, self.ids)}"] if self.call.system else []
        return system + [f"{message.role}: {text_of(message.parts, self.ids)}" for message in self.call.messages]

    @cached_property
    def answered(self) -> Parts:
        """The answer in parts."""
        call, event = self.call, self.event
        if call is not None and not call.warnings and (call.output or call.error):
            return dict(_of_answer(call, self.ids))
        found: dict[str, Any] = {"status": event.status} if event.status in ("open", "failed") else {}
        if event.error is not None:
            found |= {"error": event.error.type, "message": event.error.message}
        if event.kind == "http" and isinstance(event.response, dict):
            head: Mapping[str, Any] = event.response
            found["http status"] = head.get("status")
            headers = normalise.http({"headers": head.get("headers")}).headers
            found |= {f"header {name}": str(values) for name, values in headers if name in _ANSWER_HEADERS}
            return found | dict(_leaves("body", _content(_joined(event))))
        found |= {k: v for k, v in _leaves("", event.response) if (event.kind, event.name, k) not in _CHANCE_PARTS}
        if event.content is not None:
            found |= dict(_leaves("content", _content(event.content)))
        return found | dict(_leaves("pieces", [piece.value for piece in event.pieces if piece.status == "piece"]))


def steps(events: Iterable[Event]) -> list[Step]:
    """All of a run but its draws, in order."""
    ids: dict[str, str] = {}
    found: list[Step] = []
    for event, call in readings(events):
        if event.kind in CHANCE:
            continue
        for asked in call.tool_calls if call is not None else ():
            ids.setdefault(asked.id, f"call {len(ids)}")
        found.append(Step(event, call, ids))
    return found


def _of_call(call: LLMCall, ids: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    yield "model", call.request_model
    for name, value in call.params.items():
        yield f"parameter {name}", _flat(value)
    for tool in call.tools:
        yield f"tool {tool.name}", _flat([tool.description, tool.parameters])
    if call.system:
        yield "prompt", text_of(call.system, ids)
    for number, message in enumerate(call.messages):
        name = "prompt" if message.role in ("system", "developer") else "message"
        yield f"{name} {number}".removesuffix(" 0"), f"{message.role}: {text_of(message.parts, ids)}"


def _of_answer(call: LLMCall, ids: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    if call.error is not None:
        yield "error", f"{call.error.type}: {call.error.message}"
    for number, message in enumerate(call.output):
        where = "" if not number else f"choice {number} "
        for place, part in enumerate(message.parts):
            yield f"{where}{part.type} {place}", text_of((part,), ids)
        yield f"{where}finish reason", message.finish_reason


def text_of(parts: Sequence[Part], ids: Mapping[str, str]) -> str:
    """Parts as one text; ids of tool calls as their numbers in the run."""
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


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), item)
    elif isinstance(value, (list, tuple)) and value:
        for number, item in enumerate(value):
            yield from _leaves(f"{path}[{number}]", item)
    else:
        yield path or "value", value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


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


def _split(url: str) -> tuple[str, str, str]:
    """(scheme and host, path, query with its question mark)."""
    scheme, mark, rest = url.partition("://")
    host, slash, rest = rest.partition("/")
    path, query, asked = rest.partition("?")
    return scheme + mark + host, slash + path, query + asked


def _digest(*values: Any) -> bytes:
    return blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=16).digest()
