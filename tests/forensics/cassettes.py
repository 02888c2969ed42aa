"""Small cassettes for questions about incidents, written by the real writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from replay.cassette.writer import Writer

_POST: dict[str, Any] = {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "headers": []}
_JSON = [["content-type", "application/json"]]


class Desk:
    """Writes an agent's events one after another; each method gives the event's id.

    Example:
        desk = Desk(path)
        asked = desk.llm([user("hi")], ("call_1", "refund", {"order": 7}))
        desk.tool("refund", {"order": 7})
    """

    def __init__(self, path: Path, **header: Any) -> None:
        self._writer = Writer.create(path, {"argv": ["agent.py"], **header})
        self._at = 0
        self._lanes: list[str] = []

    def event(
        self, kind: str, name: str, effect: str, request: Any, response: Any = None, *,
        lane: str = "m", body: bytes | None = None, **meta: Any,
    ) -> int:  # fmt: skip
        if lane not in self._lanes:
            self._writer.lane(len(self._lanes), lane)
            self._lanes.append(lane)
        self._at += 1000
        number = self._lanes.index(lane)
        return self._writer.event(
            number, kind, name, effect, self._at, None, request, body, None, meta or None, 10, 0, response
        )

    def llm(
        self,
        messages: list[dict[str, Any]],
        *calls: tuple[str, str, dict[str, Any]],
        text: str | None = None,
        lane: str = "m",
        **meta: Any,
    ) -> int:
        body = json.dumps({"model": "gpt-4o", "messages": messages}).encode()
        answer = {
            "choices": [{"index": 0, "message": said(text, *calls), "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 80, "completion_tokens": 20},
        }
        back = {"status": 200, "headers": _JSON, "body": json.dumps(answer).encode()}
        return self.event("http", "POST", "write", _POST, back, lane=lane, body=body, **meta)

    def tool(
        self,
        name: str,
        arguments: Any,
        response: Any = None,
        *,
        effect: str = "write",
        lane: str = "m",
        **meta: Any,
    ) -> int:
        return self.event("tool", name, effect, arguments, response, lane=lane, **meta)

    def http(self, method: str, url: str, body: bytes | None = None, *, lane: str = "m", **headers: str) -> int:
        effect = "read" if method == "GET" else "write"
        request = {"method": method, "url": url, "headers": [list(pair) for pair in headers.items()]}
        return self.event("http", method, effect, request, {"status": 200, "headers": []}, lane=lane, body=body)

    def memory(self, op: str, *args: Any, response: Any = None, store: str = "notes") -> int:
        effect = "read" if op in ("getitem", "get", "iter", "items") else "write"
        return self.event("memory", f"{store}.{op}", effect, {"args": list(args), "kwargs": {}}, response)

    def close(self) -> None:
        self._writer.end({"exit_code": 0})
        self._writer.seal()
        self._writer.close()


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str | None, *calls: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    asked = [
        {"id": call, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for call, name, arguments in calls
    ]
    return {"role": "assistant", "content": text, **({"tool_calls": asked} if asked else {})}


def result(call: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call, "content": text}
