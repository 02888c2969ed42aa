"""A server for conformance: it answers by chance, and misbehaves where the path says so.

`/<scenario>/<what>/<key>`; the scenario only tells events apart.

| what | |
|---|---|
| `answer` | the key, a random token, the number of the connection, and the body it got; gzipped where accepted |
| `close` | closes the connection without an answer |
| `cut` | announces 100 bytes, sends 10, closes |
| `hang` | never answers; `seen` answers once `hang` was asked for |
| `gated` | a chunk, and the others only after `open` was asked for |
| `chunks` | chunks of the sizes in CHUNKS |
| `endless` | two chunks, and never an end |
| `moved` | a redirect to `answer`, with a cookie |
"""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast

CHUNKS = (1, 7, 500, 3)


class OddServer:
    """The server, on threads of this process; a context manager."""

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.events: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def event(self, key: str) -> threading.Event:
        """The event of that name."""
        with self.lock:
            return self.events[key]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        for event in list(self.events.values()):
            event.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: OddServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    number: int
    key: str

    @property
    def owner(self) -> OddServer:
        return cast(_Http, self.server).owner

    def setup(self) -> None:
        super().setup()
        with self.owner.lock:
            self.owner.connections += 1
            self.number = self.owner.connections

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Silent."""

    def do_GET(self) -> None:
        with self.owner.lock:
            self.owner.requests += 1
        _, scenario, what, key = self.path.partition("?")[0].split("/", 3)
        self.key = f"{scenario}/{key}"
        getattr(self, f"_{what}")(key)

    def do_POST(self) -> None:
        self.do_GET()

    def _answer(self, key: str) -> None:
        time.sleep(random.choice((0, 0, 0.001, 0.002, 0.005)))  # concurrent requests end in any order
        token = random.getrandbits(64)
        answer = {"key": key, "token": token, "connection": self.number, "body": self._body().decode()}
        body = json.dumps(answer).encode()
        self.send_response(200)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _close(self, _: str) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _cut(self, _: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"ten bytes!")
        self.close_connection = True

    def _hang(self, _: str) -> None:
        self.owner.event(f"seen {self.key}").set()
        self.owner.over.wait()

    def _seen(self, key: str) -> None:
        self.owner.event(f"seen {self.key}").wait()
        self._answer(key)

    def _open(self, key: str) -> None:
        self.owner.event(f"open {self.key}").set()
        self._answer(key)

    def _gated(self, _: str) -> None:
        self._head_of_chunks()
        self._chunk(b"first")
        self.owner.event(f"open {self.key}").wait()
        self._chunk(b"second")
        self._chunk(b"third")
        self._chunk(b"")

    def _chunks(self, _: str) -> None:
        self._head_of_chunks()
        for size in CHUNKS:
            self._chunk(bytes([random.randrange(97, 123)]) * size)
        self._chunk(b"")

    def _endless(self, _: str) -> None:
        self._head_of_chunks()
        self._chunk(b"first")
        self._chunk(b"second")
        self.owner.over.wait()

    def _moved(self, key: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"/{self.key.partition('/')[0]}/answer/{key}")
        self.send_header("X-Hops", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _head_of_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body
