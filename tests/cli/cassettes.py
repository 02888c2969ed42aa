"""Small cassettes for the command line's tests, written by the real writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from replay.cassette.writer import Writer

HEADER = {"argv": ["python", "agent.py", "a ticket"], "cwd": "/srv/shop", "python": "3.11.7", "tags": {"env": "prod"}}
REQUEST = {
    "method": "POST",
    "url": "https://api.openai.com/v1/chat/completions",
    "headers": [["content-type", "application/json"]],
}
TYPE = [["content-type", "application/json"]]


def ask(*messages: dict[str, Any]) -> bytes:
    return json.dumps({"model": "gpt-4o", "messages": messages}).encode()


def answer(text: str | None, *calls: tuple[str, str, dict[str, Any]]) -> bytes:
    asked = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id_, name, arguments in calls
    ]
    message = {"role": "assistant", "content": text, **({"tool_calls": asked} if asked else {})}
    finish = "tool_calls" if asked else "stop"
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "model": "gpt-4o-2024",
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": 80, "completion_tokens": 20},
        }
    ).encode()


def write(
    path: Path,
    *,
    end: Literal["sealed", "closed", "killed"] = "sealed",
    text: str = "I'll refund it.",
    **header: Any,
) -> Path:
    """A support agent: reads the clock, asks a model, refunds, fails once, reads memory, loses one call.

    `end`: sealed; closed without sealing; killed in the middle of the last call.
    """
    writer = Writer.create(path, {**HEADER, **header})
    writer.lane(0, "m")
    writer.lane(1, "m/t1")
    writer.site(0, "agent.py", 12, "main")
    user = {"role": "user", "content": "My lamp is broken."}
    now = ["time.time", "time.time"]
    for at in (100, 200):
        writer.event(0, "clock", "time.time", "draw", at, 0, now, None, None, None, 0, 0, [1.5, 2.5])
    first = writer.call(0, "http", "POST", "read", 1_000, 0, REQUEST, ask(user), "chain", {"agent": "support"})
    reply = answer(text, ("call_1", "refund", {"order": "A-1043", "amount": 129}))
    writer.ret(first, 251_000, 0, {"status": 200, "headers": TYPE, "body": reply}, False)
    order = {"args": ["A-1043"], "kwargs": {"amount": 129}}
    writer.event(1, "tool", "refund", "write", 260_000, 0, order, None, None, {"owner": "pay"}, 900, 0, {"ok": True})
    writer.event(1, "tool", "refund", "write", 270_000, 0, order, None, None, None, 900, 1, ValueError("twice\x1b[2J"))
    key: dict[str, Any] = {"args": ["policy"], "kwargs": {}}
    writer.event(0, "memory", "notes.get", "read", 280_000, 0, key, None, None, None, 5, 0, "x")
    get: dict[str, Any] = {"method": "GET", "url": "http://x/s", "headers": []}
    stream = writer.call(0, "http", "GET", "read", 290_000, 0, get, None, None, None)
    writer.ret(stream, 291_000, 2, {"status": 200, "headers": []}, False)
    for number in range(3):
        writer.chunk(stream, 0, 292_000 + number, 0, b"piece %d" % number, False)
    writer.chunk(stream, 0, 299_000, 3, None, False)
    gap = {"kind": "tool", "reason": "result is a socket.socket, which a cassette can't store"}
    writer.event(0, "gap", "open_port", "read", 300_000, 0, gap, None, None, None, 0, 0, None)
    last = writer.call(0, "tool", "send_mail", "write", 310_000, 0, {"args": ["alex"], "kwargs": {}}, None, None, None)
    if end != "killed":
        writer.ret(last, 320_000, 0, None, False)
        writer.blind("process", "git rev-parse HEAD", 0, 2)
        writer.end({"exit_code": 0, "exception": None, "took": 4_200_000, "gaps": 1})
    writer.flush()
    if end == "sealed":
        writer.seal()
    writer.close()
    return path
