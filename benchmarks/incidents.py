"""A recording of ten thousand events, for what has to stay fast in long runs."""

from __future__ import annotations

import json
from typing import Any

from replay.cassette.writer import Writer

EVENTS = 10_000
_KEPT = 60
"""Messages that the agent keeps in its window, as agents that run for so long do."""

_POST: dict[str, Any] = {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "headers": []}
_JSON = [["content-type", "application/json"]]


def write(path: str, events: int = EVENTS, kept: int = _KEPT) -> int:
    """An agent that reads its notes, asks its model and ships, again and again; the id of its last model call."""
    writer = Writer.create(path, {"argv": ["agent.py"]})
    writer.lane(0, "m")
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Keep the orders moving. " * 20}]
    at = last = 0
    while writer.events < events - 4:
        at += 1000
        step = writer.events
        key: dict[str, Any] = {"args": [f"note {step % 50}"], "kwargs": {}}
        note = f"what is known of order A-{step}: " + "delivered and paid, " * 8
        writer.event(0, "memory", "notes.getitem", "read", at, None, key, None, None, None, 5, 0, note)
        asked = {"name": "ship", "arguments": json.dumps({"order": f"A-{step}", "amount": step})}
        call = {"id": f"call_{step}", "type": "function", "function": asked}
        said = {"role": "assistant", "content": "I'll ship it.", "tool_calls": [call]}
        body = json.dumps({"model": "gpt-4o", "messages": [messages[0], *messages[1:][-kept:]]}).encode()
        answer = json.dumps({"choices": [{"message": said}], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})
        back = {"status": 200, "headers": _JSON, "body": answer.encode()}
        last = writer.event(0, "http", "POST", "write", at, None, _POST, body, "chain", None, 900, 0, back)
        order = {"order": f"A-{step}", "amount": step}
        shipped = {"ok": True, "note": note}
        writer.event(0, "tool", "ship", "write", at, None, order, None, None, {"owner": "shipping"}, 90, 0, shipped)
        put: dict[str, Any] = {"args": [f"note {step % 50}", f"shipped {step}"], "kwargs": {}}
        writer.event(0, "memory", "notes.setitem", "write", at, None, put, None, None, None, 5, 0, None)
        result = {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(shipped)}
        messages += [said, result]
    writer.end({"exit_code": 0})
    writer.seal()
    writer.close()
    return last
