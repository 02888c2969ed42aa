"""Events as expectations see them: of which kind, by which name, and what stands at a path. Pure.

One event may be of several kinds: a request to a model is `http` and `llm`, and what the model asks for is `asked`.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from replay.expect.syntax import Step
from replay.expect.values import Absent, walk
from replay.model.event import Event
from replay.semantics import LLMCall, mcp, readings

Lookup = Callable[[str], Any]
"""What the first word of a path means; an `Absent` where it means nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One event of a kind that was asked for.

    Attributes:
        event: its id; `place` orders several of one event. names: what it may be called by.
        look: what the first word of a path means there.
        known: False where not even the name is known.
    """

    event: int
    names: tuple[str, ...]
    look: Lookup
    known: bool = True

    def at(self, path: tuple[Step, ...]) -> Any:
        """What stands there."""
        return walk(self.look(str(path[0])), path[1:])


_READ_AS: Final = frozenset({"llm", "asked", "effect"})
"""Kinds for which it has to be known what a request to a model is."""

_NEVER_EFFECTS: Final = frozenset({"output", "gap"})


def seen(events: Iterable[Event], kind: str) -> Iterator[Seen]:
    """All of a kind, in the order in which they began. `event` has all."""
    if kind == "tool":
        yield from _tools(events)
    elif kind in _READ_AS:
        for event, call in readings(events):
            yield from _read(event, call, kind)
    else:
        for event in events:
            if event.kind == kind or kind == "event":
                yield Seen(event.id, (event.name,), _looks(event))
            elif kind == "agent" and event.meta.get("agent") is not None:
                yield Seen(event.id, (str(event.meta["agent"]),), _looks(event))
            elif event.kind == "gap":
                yield from _lost(event, kind)


def _tools(events: Iterable[Event]) -> Iterator[Seen]:
    """Declared ones, those of frameworks, and those of MCP servers."""
    called: list[Event] = []
    talk: list[Event] = []
    for event in events:
        if event.kind == "mcp":
            talk.append(event)
        if event.kind == "gap" or event.kind == "tool" or _mcp_call(event) is not None:
            called.append(event)
    traffic = mcp.read(talk) if talk else None
    for event in called:
        params = _mcp_call(event)
        if event.kind == "gap":
            yield from _lost(event, "tool")
        elif params is None:
            yield Seen(event.id, (event.name,), _looks(event, arguments=event.request))
        else:
            assert traffic is not None
            answer = traffic.answers.get(event.id)
            said = Absent.UNKNOWN if answer is None else answer.value.get("result", answer.value.get("error"))
            failed = None if answer is None else answer.value.get("error")
            look = _looks(event, arguments=params.get("arguments") or {}, result=said, error=failed)
            yield Seen(event.id, (str(params.get("name")),), look)


def _mcp_call(event: Event) -> dict[str, Any] | None:
    request = event.request
    if event.kind != "mcp" or not isinstance(request, dict) or request.get("method") != "tools/call":
        return None
    params = request.get("params")
    return params if isinstance(params, dict) else {}


def _read(event: Event, call: LLMCall | None, kind: str) -> Iterator[Seen]:
    if kind == "effect":
        if event.effect == "write" and call is None and event.kind not in _NEVER_EFFECTS:
            yield Seen(event.id, (event.name, event.kind), _looks(event))
        elif event.kind == "gap" and event.effect == "write":
            yield Seen(event.id, (event.name,), _looks(event))
    elif event.kind == "gap" and kind == "llm":
        yield from _lost(event, kind)
    elif call is not None and kind == "llm":
        yield Seen(event.id, (call.request_model or "",), _looks(event, call=call))
    elif call is not None:
        for asked in call.tool_calls:
            arguments = asked.parsed if asked.parsed is not None else asked.arguments
            yield Seen(event.id, (asked.name,), _looks(event, arguments=arguments))
    elif event.kind == "llm" and kind == "llm":
        yield Seen(event.id, (event.name,), _looks(event))


def _lost(event: Event, kind: str) -> Iterator[Seen]:
    """What was seen and not stored. A kind that isn't known may be any."""
    request: Mapping[str, Any] = event.request if isinstance(event.request, Mapping) else {}
    lost = request.get("kind")
    if lost == kind or lost is None or (kind == "llm" and lost == "http"):
        yield Seen(event.id, (event.name,), _looks(event), known=lost == kind)


def _looks(
    event: Event,
    *,
    arguments: Any = Absent.MISSING,
    result: Any = Absent.MISSING,
    error: Any = Absent.MISSING,
    call: LLMCall | None = None,
) -> Lookup:
    """What words mean: those that all events have, then arguments, what a model's call has, fields of the request."""

    def look(word: str) -> Any:
        if event.kind == "gap" and word not in ("name", "agent", "lane", "kind", "id", "effect", "error"):
            return Absent.UNKNOWN
        if word == "result":
            return _result(event) if result is Absent.MISSING else result
        if word == "error":
            return _error(event) if error is Absent.MISSING else error
        if word in _ALWAYS:
            return _ALWAYS[word](event)
        if call is not None and word in _OF_CALLS:
            return _OF_CALLS[word](call)
        if call is not None and word in call.params:
            return call.params[word]
        if arguments is not Absent.MISSING:
            found = walk(arguments, (word,))
            return Absent.LEFT_OUT if found is Absent.MISSING and event.kind == "tool" else found
        if word == "body":
            return _json(event.body)
        if word == "status" and event.kind == "http":
            return walk(event.response, ("status",)) if event.status != "open" else Absent.UNKNOWN
        return walk(event.request, (word,))

    return look


_ALWAYS: Final[dict[str, Callable[[Event], Any]]] = {
    "id": lambda event: event.id,
    "kind": lambda event: event.kind,
    "name": lambda event: event.name,
    "lane": lambda event: event.lane,
    "effect": lambda event: event.effect,
    "agent": lambda event: event.meta.get("agent"),
    "owner": lambda event: event.meta.get("owner"),
    "took": lambda event: Absent.UNKNOWN if event.took is None else event.took / 1e6,
    "request": lambda event: event.request,
    "response": lambda event: Absent.UNKNOWN if event.status == "open" else event.response,
    "content": lambda event: _json(event.content),
}


def _tokens(call: LLMCall) -> Any:
    said = [count for count in (call.usage.input, call.usage.output) if count is not None]
    return sum(said) if said else Absent.UNKNOWN


_OF_CALLS: Final[dict[str, Callable[[LLMCall], Any]]] = {
    "model": lambda call: call.request_model,
    "provider": lambda call: call.provider,
    "text": lambda call: call.text,
    "reasoning": lambda call: call.reasoning,
    "system": lambda call: _text(call.system),
    "messages": lambda call: [{"role": message.role, "text": _text(message.parts)} for message in call.messages],
    "tools": lambda call: [tool.name for tool in call.tools],
    "asks": lambda call: [asked.name for asked in call.tool_calls],
    "tokens": _tokens,
    "finish_reason": lambda call: call.finish_reason,
}


def tokens(events: Iterable[Event]) -> Any:
    """Of all calls of models together; unknown where one doesn't say."""
    used = [_tokens(call) for _, call in readings(events) if call is not None]
    return sum(used) if all(isinstance(each, int) for each in used) else Absent.UNKNOWN


def took(events: Iterable[Event]) -> float:
    """Seconds from the beginning to the last thing that is known to have happened."""
    return max((event.at + (event.took or 0) for event in events), default=0) / 1e6


def _text(parts: Iterable[Any]) -> str:
    return "\n".join(part.content if isinstance(part.content, str) else repr(part.content) for part in parts)


def _error(event: Event) -> Any:
    if event.status == "open":
        return Absent.UNKNOWN
    if event.error is not None:
        if isinstance(event.error.value, Mapping) and "gap" in event.error.value:
            return Absent.UNKNOWN  # its outcome wasn't stored
        return f"{event.error.type.removeprefix('builtins.')}: {event.error.message}"
    broken = [piece.value for piece in event.pieces if piece.status == "error"]
    return str(broken[0]) if broken else None


def _result(event: Event) -> Any:
    """The answer: of a stream its pieces, joined where they are bytes; JSON where it is that."""
    if event.status == "open" or _error(event) is Absent.UNKNOWN:
        return Absent.UNKNOWN
    if event.error is not None:
        return Absent.MISSING
    pieces = [piece.value for piece in event.pieces if piece.status == "piece"]
    if event.kind == "http" or (pieces and all(isinstance(piece, bytes) for piece in pieces)):
        whole = walk(event.response, ()) if event.kind == "http" else None
        body = event.response.get("body") if isinstance(event.response, dict) else None
        joined = b"".join([body if isinstance(body, bytes) else b"", *(p for p in pieces if isinstance(p, bytes))])
        return _json(joined) if joined or whole is not None else Absent.MISSING
    return pieces if event.status == "streamed" else event.response


def _json(data: bytes | None) -> Any:
    """The JSON that it is, or its text."""
    if data is None:
        return Absent.MISSING
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "backslashreplace")
