"""From an event to the call it is, and from a call to the tool results it carries."""

from __future__ import annotations

from typing import Any

from replay.model.event import Event
from replay.semantics import dialect, wire
from replay.semantics.call import LLMCall
from replay.semantics.dialects import DIALECTS


def read(event: Event) -> LLMCall | None:
    """The LLM call that an http event is; None for anything else, an unknown dialect included.

    Never raises: what can't be read is named in the call's `warnings`.

    Example:
        >>> read(Event(0, "http", "POST", "read", "m", 0, 9, None, {"url": "https://example.org/"}, b"{}", "done"))
    """
    where = wire.address(event)
    if where is None or not event.body:
        return None
    request = wire.request_of(event)
    found = next((d for d in DIALECTS if request and d.speaks(where[1], request)), None)
    return None if found is None else dialect.read(found, wire.read(event, *where, request))


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
