"""A model server with fixed behaviour, in a process of its own: what is measured is the client's side.

GET  /…                  an order
POST /…/chat/completions {"stream": false}   one answer of about 1 KB with a tool call, after `--delay` ms
POST /…/chat/completions {"stream": true}    50 chunks, one every 5 ms
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from benchmarks.texts import Texts

CHUNKS = 50
GAP = 0.005


def answer(text: str, step: int) -> bytes:
    """A chat completion with one tool call."""
    call = {"name": "search", "arguments": json.dumps({"query": text[:40]})}
    message = {
        "role": "assistant",
        "content": text,
        "tool_calls": [{"id": f"call_{step:06d}", "type": "function", "function": call}],
    }
    return json.dumps(
        {
            "id": f"chatcmpl-{step:06d}",
            "object": "chat.completion",
            "created": 1760000000 + step,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 250, "total_tokens": 260},
        }
    ).encode()


def chunk(number: int) -> bytes:
    """One server-sent event of a streamed completion."""
    delta = {"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}
    data = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [delta]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self._one():
                pass

    def _one(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        size = 0
        while (header := self.rfile.readline()) not in (b"\r\n", b""):
            if header.lower().startswith(b"content-length:"):
                size = int(header.split(b":")[1])
        body = self.rfile.read(size)
        server: Any = self.server
        if b'"stream":true' in body or b'"stream": true' in body:
            self._stream()
        else:
            step = body.count(b'"role":"assistant"')
            if line.startswith(b"POST"):
                time.sleep(server.delay)
            found = answer(server.texts[step % len(server.texts)], step)
            self._head(b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(found))
            self.wfile.write(found)
            self.wfile.flush()
        return True

    def _stream(self) -> None:
        self._head(b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n")
        for number in range(CHUNKS):
            data = chunk(number)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()
            time.sleep(GAP)
        self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        self.wfile.flush()

    def _head(self, more: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + more + b"\r\n")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def served(delay: float = 0.0) -> Generator[str]:
    """The address of a server that answers after `delay` seconds; it ends with the block."""
    command = [sys.executable, "-m", "benchmarks.model", f"--delay={delay}"]
    root = str(Path(__file__).parents[1])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait()


def main() -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args()
    texts = Texts()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        vars(server).update(delay=given.delay, texts=[texts.prose(1000) for _ in range(200)])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
