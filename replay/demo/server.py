"""A model server that is nondeterministic on purpose: delays, wording, tool calls, ids, chunks and errors by chance.

It speaks OpenAI chat completions and responses, Anthropic messages (JSON and server-sent events), and a few plain
endpoints for tools. Run it as `python -m replay.demo.server --port-file F`, in a process of its own with
`spawn()` (so when this process records itself), or in this process:

    with RandomServer() as server:
        client = OpenAI(base_url=server.url + "/v1", api_key="none")

| endpoint | what it does |
|---|---|
| `POST /v1/chat/completions`, `POST /v1/responses`, `POST /v1/messages` | the model, whole or streamed |
| `GET /orders/<id>` | an order; 404 for ids that begin with `X` |
| `GET /old/orders/<id>` | a redirect to it |
| `GET /weather?city=` | a forecast; one in three takes 60 ms longer |
| `POST /refunds`, `POST /emails` | changes the world: it is written into the ledger |
| `GET /text` | plain text, streamed in chunks of any size |
| `POST /echo` | the JSON it got, with an id |
| `GET /ledger`, `GET /count` | what was changed; how many requests came (these two don't count) |

Bodies are gzipped by chance where the client accepts that, `/text` always is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from replay.demo.brain import Chance, think
from replay.demo.wire import Anthropic, Dialect, Json, OpenAIChat, OpenAIResponses

STEPS = (0, 1, 2, 5, 10, 20, 50, 100)
"""Delays in milliseconds. Only these occur, so that concurrent requests often complete in the same tick of a loop."""

_POLL = 0.1
_ORDER = re.compile(r"/orders/([\w-]+)")
_PRICES = {"A-1043": 129.00}
_ERRORS = ((429, "rate_limit_error"), (500, "api_error"), (503, "overloaded_error"))


class RandomServer:
    """The server in this process, on threads of its own; a context manager.

    Args:
        seed: makes the answers (not their timing) repeatable as long as requests come one after the other.
        delay: the least and the greatest delay of an answer in milliseconds, of which those in `STEPS` occur.
        errors: how often a model endpoint answers 429, 500 or 503 with `Retry-After` instead. A request that an SDK
            marks as its second retry is always answered.
        port: where to listen on the loopback interface; any free one by default.
    """

    def __init__(
        self, *, seed: int | None = None, delay: tuple[int, int] = (0, 10), errors: float = 0.0, port: int = 0
    ) -> None:
        self.delays = tuple(step for step in STEPS if delay[0] <= step <= delay[1]) or (delay[0],)
        self.errors = errors
        self.count = 0
        self.ledger: list[Json] = []
        self.dialects: dict[str, Dialect] = {
            "/v1/chat/completions": OpenAIChat(),
            "/v1/responses": OpenAIResponses(),
            "/v1/messages": Anthropic(),
        }
        self._dice = random.Random(int.from_bytes(os.urandom(16), "big") if seed is None else seed)
        self._lock = threading.Lock()
        self._http = _Http(self, port)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens, on the loopback interface."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def chance(self, *, counted: bool) -> Chance:
        """Randomness for the next request."""
        with self._lock:
            self.count += counted
            return Chance(random.Random(self._dice.getrandbits(128)))

    def entered(self, entry: Json) -> None:
        """Writes a change of the world into the ledger."""
        with self._lock:
            self.ledger.append(entry)

    def start(self) -> Self:
        """Begins to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops answering: the port is closed, open connections are cut."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: RandomServer, port: int) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is nothing to talk about."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "RandomServer"
    chance: Chance

    @property
    def owner(self) -> RandomServer:
        return cast(_Http, self.server).owner

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Silent: the program's output is what tests compare."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.chance = self.owner.chance(counted=path not in ("/count", "/ledger"))
        if path == "/count":
            self._json({"count": self.owner.count})
        elif path == "/ledger":
            self._json({"ledger": self.owner.ledger})
        elif path == "/weather":
            self._weather(parse_qs(urlsplit(self.path).query).get("city", ["Lisbon"])[0])
        elif path == "/text":
            self._text()
        elif path.startswith("/old/orders/"):
            self._reply(302, b"", "text/plain", {"Location": path.removeprefix("/old")})
        elif (order := _ORDER.fullmatch(path)) is not None:
            self._order(order[1])
        else:
            self._json({"error": f"nothing at {path}"}, 404)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        self.chance = self.owner.chance(counted=True)
        try:
            request = self._request()
        except ValueError as error:
            self._json({"error": f"not a JSON object: {error}"}, 400)
            return
        if path in self.owner.dialects:
            self._model(self.owner.dialects[path], request)
        elif path == "/refunds":
            self._change("refund", request, {"refund_id": self.chance.id("re_"), "status": "pending"})
        elif path == "/emails":
            self._change("email", request, {"message_id": self.chance.id("em_"), "status": "queued"})
        elif path == "/echo":
            self._pause()
            self._json({"id": self.chance.id("echo_"), "echo": request})
        else:
            self._json({"error": f"nothing at {path}"}, 404)

    # -- the model -----------------------------------------------------------------------------------------------

    def _model(self, dialect: Dialect, request: Json) -> None:
        self._pause()
        if self.chance.happens(self.owner.errors) and int(self.headers.get("x-stainless-retry-count") or 0) < 2:
            status, kind = self.chance.source.choice(_ERRORS)
            after = {"Retry-After": "0", "Retry-After-Ms": self.chance.pick(("10", "20", "50"))}
            self._json(dialect.error(kind, "try again, please"), status, after)
            return
        answer = think(dialect.read(request), self.chance)
        if request.get("stream"):
            body = b"".join(event.encode() for event in dialect.stream(request, answer, self.chance))
            self._stream(body, "text/event-stream; charset=utf-8", {"Cache-Control": "no-cache"})
        else:
            self._json(dialect.whole(request, answer, self.chance), headers={"x-request-id": self.chance.id("req_")})

    # -- plain endpoints -----------------------------------------------------------------------------------------

    def _order(self, order_id: str) -> None:
        self._pause()
        if order_id.startswith("X"):
            self._json({"error": "no such order", "order_id": order_id}, 404)
            return
        source = self.chance.source
        total = _PRICES.get(order_id, zlib.crc32(order_id.encode()) % 20000 / 100)
        parcel = {"courier": self.chance.pick(("Heron", "Swift", "Albatross")), "code": self.chance.id("T")}
        days = source.randint(1, 14)
        self._json({"order_id": order_id, "status": "delivered", "days_ago": days, "total": total, "parcel": parcel})

    def _weather(self, city: str) -> None:
        self._pause()
        if self.chance.happens(1 / 3):
            time.sleep(0.06)
        source = self.chance.source
        sky = self.chance.pick(("clear", "cloudy", "rain", "snow", "fog"))
        self._json({"city": city, "celsius": source.randint(-15, 38), "sky": sky, "humidity": source.random()})

    def _text(self) -> None:
        self._pause()
        lines = [
            f"{number:02d} {' '.join(self.chance.pieces(self.chance.id('ünïcode→'), 5))}"
            for number in range(self.chance.source.randint(10, 40))
        ]
        self._stream("\n".join(lines).encode(), "text/plain; charset=utf-8", zipped=self._accepts_gzip())

    def _change(self, what: str, request: Json, outcome: Json) -> None:
        self._pause()
        self.owner.entered({"what": what, **request, **outcome})
        self._json(outcome, 201)

    # -- how things go over the wire -----------------------------------------------------------------------------

    def _request(self) -> Json:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            body = b"".join(self._received_chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        value: object = json.loads(body or b"{}")
        if not isinstance(value, dict):
            raise ValueError(type(value).__name__)
        return cast("Json", value)

    def _received_chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _accepts_gzip(self) -> bool:
        return "gzip" in (self.headers.get("Accept-Encoding") or "")

    def _pause(self) -> None:
        milliseconds = self.chance.source.choice(self.owner.delays)
        if milliseconds:
            time.sleep(milliseconds / 1000)

    def _json(self, value: Json, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        zipped = self._accepts_gzip() and self.chance.happens(0.3)
        if self.chance.happens(0.25):
            self._stream(body, "application/json", headers, status=status, zipped=zipped)
            return
        extra = {**(headers or {}), "Content-Encoding": "gzip"} if zipped else headers
        self._reply(status, _gzip(body) if zipped else body, "application/json", extra)

    def _head(self, status: int, kind: str, headers: dict[str, str] | None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)

    def _reply(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._head(status, kind, headers)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(
        self, body: bytes, kind: str, headers: dict[str, str] | None = None, *, status: int = 200, zipped: bool = False
    ) -> None:
        """Sends `body` in chunks cut anywhere: inside a line, inside a character; now and then after a delay."""
        extra = {**(headers or {}), "Transfer-Encoding": "chunked"}
        if zipped:
            body = _gzip(body)
            extra["Content-Encoding"] = "gzip"
        self._head(status, kind, extra)
        self.end_headers()
        source, at = self.chance.source, 0
        while at < len(body):
            size = min(source.choice((1, 7, 40, 160, 600, 1500)), len(body) - at)
            self.wfile.write(b"%x\r\n%b\r\n" % (size, body[at : at + size]))
            at += size
            if self.chance.happens(0.3):
                self._pause()
        self.wfile.write(b"0\r\n\r\n")


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(body) + packer.flush()


# -- a process of its own -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def spawn(
    *, seed: int | None = None, delay: tuple[int, int] = (0, 10), errors: float = 0.0, lifetime: float = 3600
) -> Generator[str, None, None]:
    """Runs the server in a process of its own and gives its URL. It ends with the block, and with this process."""
    options = ["--until-eof", f"--errors={errors}", f"--lifetime={lifetime}", "--delay", str(delay[0]), str(delay[1])]
    command = [sys.executable, "-m", "replay.demo.server", *options, *([] if seed is None else [f"--seed={seed}"])]
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the server did not start (exit code {process.wait()})")
            yield url
        finally:
            process.stdin.close()
            process.wait()


def environment(url: str) -> dict[str, str]:
    """This process's environment for a program that talks to the server: its address, and no proxy in between."""
    direct = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1")))
    return {**os.environ, "AGENT_BASE_URL": url, "NO_PROXY": direct, "no_proxy": direct}


def _gone(parent: int) -> Callable[[], bool]:
    """Tells whether the process `parent` is gone; our own parent's end shows even while it is a zombie."""
    if os.getppid() == parent:
        return lambda: os.getppid() != parent

    def missing() -> bool:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    return missing


def _read_to_end(over: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    over.set()


def _wait(over: threading.Event, lifetime: float, parent: int) -> None:
    gone = _gone(parent) if parent else lambda: False
    deadline = time.monotonic() + lifetime
    while time.monotonic() < deadline and not gone():
        if over.wait(min(_POLL, lifetime)):
            return


def main(arguments: list[str] | None = None) -> int:
    """Serves until its lifetime is over, its parent is gone, or it gets SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser("replay.demo.server", description="A model server that answers by chance.")
    parser.add_argument("--port", type=int, default=0, help="where to listen; any free one by default")
    parser.add_argument("--port-file", type=Path, help="written, with the port, when it listens")
    parser.add_argument("--seed", type=int, help="makes the answers repeatable")
    parser.add_argument("--delay", type=int, nargs=2, default=(0, 10), metavar=("LO", "HI"), help="in milliseconds")
    parser.add_argument("--errors", type=float, default=0.0, metavar="RATE", help="how often the model fails, 0 to 1")
    parser.add_argument("--lifetime", type=float, default=600, metavar="SECONDS")
    parser.add_argument("--parent-pid", type=int, default=os.getppid(), help="ends when this is gone; 0: never")
    parser.add_argument("--until-eof", action="store_true", help="ends when its standard input does")
    given = parser.parse_args(arguments)
    over = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if given.until_eof:
        threading.Thread(target=_read_to_end, args=(over,), daemon=True).start()
    with RandomServer(seed=given.seed, delay=tuple(given.delay), errors=given.errors, port=given.port) as server:
        print(server.url, flush=True)
        if given.port_file is not None:
            partial = given.port_file.with_name(given.port_file.name + ".part")
            partial.write_text(f"{server.port}\n")
            partial.replace(given.port_file)
        _wait(over, given.lifetime, given.parent_pid)
    return 0


if __name__ == "__main__":
    sys.exit(main())
