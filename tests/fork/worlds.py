"""A small world for forks: a model and a shop on one loopback server that counts requests, and agents that use it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from replay.launch import record_command

AGENT = """
import json, os, sys, time, uuid
import httpx
import replay

BASE = os.environ["BASE"]
http = httpx.Client(base_url=BASE)

def ask(messages):
    body = {"model": "gpt-x", "messages": messages}
    return http.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]

@replay.tool
def lookup(order):
    return http.get(f"/orders/{order}").json()

@replay.tool
def refund(order, amount):
    return http.post("/refunds", json={"order": order, "amount": amount}).json()

TOOLS = {"lookup": lookup, "refund": refund}
messages = [{"role": "system", "content": "You are a desk."}, {"role": "user", "content": "order A-1"}]
started = time.monotonic()
print("run", uuid.uuid4(), flush=True)
for step in range(8):
    message = ask(messages)
    messages.append(message)
    calls = message.get("tool_calls") or []
    if not calls:
        print("answer:", message["content"])
        break
    for call in calls:
        found = TOOLS[call["function"]["name"]](**json.loads(call["function"]["arguments"]))
        print(call["function"]["name"], found)
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(found)})
assert time.monotonic() >= started
"""


def model(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Looks the order up, refunds it unless it was shipped, and says what it did."""
    results = [json.loads(each["content"]) for each in messages if each["role"] == "tool"]
    if not results:
        return _calls("lookup", {"order": "A-1"})
    if len(results) == 1 and results[0].get("state") != "shipped":
        return _calls("refund", {"order": "A-1", "amount": results[0].get("total", 0)})
    system = next(each["content"] for each in messages if each["role"] == "system")
    return {"role": "assistant", "content": f"[{system}] done: {json.dumps(results[-1])}"}


def _calls(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    call = {"id": f"call-{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


@dataclass
class World:
    """What the server saw, as "METHOD /path"."""

    url: str = ""
    seen: list[str] = field(default_factory=list[str])

    def count(self, what: str) -> int:
        """How many requests of that kind came."""
        return sum(each.startswith(what) for each in self.seen)


@contextmanager
def world() -> Generator[World]:
    """The server, while the block runs."""
    found = World()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.seen.append(f"GET {self.path}")
            self._answer({"order": self.path.rpartition("/")[2], "state": "lost", "total": 7})

        def do_POST(self) -> None:
            found.seen.append(f"POST {self.path}")
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path == "/refunds":
                self._answer({"refunded": asked["amount"], "number": found.count("POST /refunds")})
                return
            if asked.get("stream"):
                self._stream(f"{asked['messages'][-1]['content']} ".encode() * 2)
                return
            message = model(asked["messages"])
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._answer({"id": "c-1", "object": "chat.completion", "model": "gpt-x", "choices": [choice]})

        def _stream(self, text: bytes) -> None:
            """Word by word, each in a chunk of its own."""
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            words = text.decode().split()
            for place, word in enumerate(words):
                delta = {"content": word if place == 0 else f" {word}"}
                data = f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def _answer(self, document: Any) -> None:
            data = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name for it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def recorded(directory: Path, source: str, url: str = "", name: str = "agent") -> str:
    """Record that program; the cassette."""
    import os

    program = directory / f"{name}.py"
    program.write_text(source)
    path = str(directory / f"{name}.cassette")
    variables = {**os.environ, "BASE": url}
    made = record_command([sys.executable, str(program)], path, variables=variables, output="discard")
    assert made.exit_code == 0
    return path
