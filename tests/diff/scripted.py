"""A model that answers by what it is asked, and by nothing else: the same conversation gets the same answer, any change
in it another wording. Its ids are new each time, as a provider's are."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

STEPS = 8
"""Turns with a tool before it has done."""


_DRAWN = re.compile(r"\(now: .*?\)")


def think(request: dict[str, Any], another: int | None) -> dict[str, Any]:
    """The message. `another`: the turn in which it says something else than it would."""
    messages = request["messages"]
    results = [message["content"] for message in messages if message["role"] == "tool"]
    said = [
        (
            message["role"],
            _DRAWN.sub("", message.get("content") or ""),
            [call["function"] for call in message.get("tool_calls") or ()],
        )
        for message in messages
    ]
    settings = {key: value for key, value in request.items() if key not in ("messages", "stream")}
    seen = hashlib.sha256(json.dumps([said, settings], sort_keys=True).encode()).hexdigest()
    turn = len(results)
    words = f"In turn {turn} I see {int(seen[:8], 16) % 9973} things" + (" differently" if turn == another else "")
    if turn == STEPS:
        return {"role": "assistant", "content": f"{words} and am done."}
    arguments = {"turn": turn, "after": results[-1][:12] if results else ""}
    function = {"name": f"look_{turn % 3}", "arguments": json.dumps(arguments)}
    call = {"id": f"call_{uuid.uuid4().hex[:20]}", "type": "function", "function": function}
    return {"role": "assistant", "content": words, "tool_calls": [call]}


class Scripted:
    """The server, on a thread of this process; a context manager."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Silent."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        another = self.headers.get("X-Request-Id")  # noise to a comparison: nobody sees what makes it answer otherwise
        message = think(request, int(another) if another else None)
        body = json.dumps(
            {
                "id": f"chatcmpl-{uuid.uuid4().hex}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": request["model"],
                "choices": [
                    {
                        "index": 0,
                        "message": message,
                        "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
                    }
                ],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Ratelimit-Remaining", uuid.uuid4().hex)
        self.end_headers()
        self.wfile.write(body)
