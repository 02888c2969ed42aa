"""From events to the calls they are, and from a call to the tool results it carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from replay.model.event import LEFT_OUT, Event
from replay.semantics import dialect, session, websocket, wire
from replay.semantics.call import LLMCall, ToolCall
from replay.semantics.dialects import DIALECTS, speaker
from replay.semantics.protobuf import Schema

_RPC: dict[str, tuple[Schema, Schema]] = {path: both for each in DIALECTS for path, both in each.rpc.items()}
_NO_RPC: tuple[None, None] = (None, None)
_NOT_READ = dialect.Asked(None)


def read(event: Event) -> LLMCall | None:
    """The LLM call that an http, gRPC or llm event is; None for anything else, an unknown dialect included.

    Never raises: what can't be read is named in the call's `warnings`. Calls that consist of many events (messages of a
    realtime session) are found by `readings`.

    Example:
        >>> read(Event(0, "http", "POST", "read", "m", 0, 9, None, {"url": "https://example.org/"}, b"{}", "done"))
    """
    where = wire.address(event)
    if where is None or not event.body:
        return None
    asked, answered = _RPC.get(where[1], _NO_RPC)
    request = wire.request_of(event, asked)
    found = speaker(where[1], request) if request else None
    call = None if found is None else dialect.read(found, wire.read(event, *where, request, answered))
    return call if call is None or event.kind != "llm" else replace(call, provider="unknown")


def readings(events: Iterable[Event]) -> Iterator[tuple[Event, LLMCall | None]]:
    """Each event with the call it is, in order; lazy, one event at a time.

    A turn of a realtime session is with the event that received its end. A turn that the recording cuts is with none of
    them.

    Example:
        >>> ping = Event(0, "http", "POST", "read", "m", 0, 9, None, {"url": "https://example.org/"}, b"{}", "done")
        >>> [call for _, call in readings([ping])]
        [None]
    """
    sessions = Sessions()
    for event in events:
        yield event, sessions.read(event)


class Sessions:
    """Reads events that come in order, and keeps what has to be known of realtime sessions between them."""

    def __init__(self) -> None:
        self._open: dict[Any, tuple[dialect.Dialect, session.Session]] = {}
        self._websockets = websocket.Reader()
        self._turns: list[LLMCall] = []

    def read(self, event: Event) -> LLMCall | None:
        """As `read`, and the turn that a message of a realtime session ends."""
        if event.kind == "connection":
            found = (wire.session_message(each) for each in self._websockets.read(event))
            self._turns += [turn for each in found if each and (turn := self._turn(each))]
            return self._turns.pop(0) if self._turns else None
        message = wire.message(event)
        return read(event) if message is None else self._turn(message)

    def _turn(self, message: wire.SessionMessage) -> LLMCall | None:
        known = self._open.get(message.connection) or self._begin(message)
        if known is None:
            return None
        speaker, state = known
        if message.sent:
            state.sent(message.data)
            return None
        turn = state.received(message.data)
        return None if turn is None else dialect.read(speaker, session.exchange(turn, message.host))

    def _begin(self, message: wire.SessionMessage) -> tuple[dialect.Dialect, session.Session] | None:
        for each in DIALECTS:
            if each.session is not None and each.session[0](message.data):
                self._open[message.connection] = each, each.session[1]()
                return self._open[message.connection]
        return None


def tool_results(call: LLMCall) -> list[tuple[str, Any]]:
    """The tool results in the request: (id of the tool call, content as the wire has it), in order.

    The ids are those of `ToolCall.id` in the calls that asked for them. A conversation sends its history again, so a
    result comes up in every later call of the conversation too.

    Example:
        >>> from replay.semantics import Message, Part
        >>> result = Message("tool", (Part("tool_call_response", "42 EUR", id="call_1"),))
        >>> tool_results(LLMCall("openai.chat", "chat", "openai", "gpt-4o", messages=(result,)))
        [('call_1', '42 EUR')]
    """
    seen: dict[str, int] = {}
    found: list[tuple[str, Any]] = []
    for part in (part for message in call.messages for part in message.parts):
        if part.type == "tool_call_response":
            name = part.name or ""
            nth = seen[name] = seen.get(name, 0) + 1
            found.append((part.id or f"{name}#{nth - 1}", part.content))
    return found


class Answers:
    """Reads what models answered, and nothing of their windows but a call's that is the first of its kind.

    Every call carries the whole conversation before it: to read ten thousand of them is to read it ten thousand times.
    Who speaks which dialect is told by the first call of a host and path.

    Args:
        whole: gives an event, by its id, with the body that was left out of the one that was read.
    """

    def __init__(self, whole: Callable[[int], Event] | None = None) -> None:
        self._whole = whole
        self._known: dict[tuple[str, str], dialect.Dialect] = {}

    def read(self, event: Event) -> LLMCall | None:
        """As `read`, without messages, tools and parameters; no messages of realtime sessions."""
        found = self._spoken(event)
        return None if found is None else dialect.read(*found, _NOT_READ)

    def asks(self, event: Event) -> tuple[ToolCall, ...] | None:
        """The tools that an answer asks for; None where it is no model's."""
        found = self._spoken(event)
        return None if found is None else dialect.asks(*found)

    def _spoken(self, event: Event) -> tuple[dialect.Dialect, wire.Exchange] | None:
        """The dialect, and the exchange without its request."""
        where = wire.address(event)
        if where is None or not event.body:
            return None
        asked, answered = _RPC.get(where[1], _NO_RPC)
        found = self._known.get(where)
        if found is None:
            first = self._whole(event.id) if self._whole is not None and event.body is LEFT_OUT else event
            request = wire.request_of(first, asked)
            found = speaker(where[1], request) if request else None
            if found is None:
                return None
            self._known[where] = found
        return found, wire.read(event, *where, {}, answered)
