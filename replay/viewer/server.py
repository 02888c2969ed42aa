"""The viewer's server: `guard` says who may ask, `replay.queries` answers, `static/` is what the browser runs."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from replay.boundary.originals import urandom
from replay.model.errors import CassetteDamaged, PortTaken, ReplayError, UsageError
from replay.queries.bounds import dumps
from replay.queries.library import Library
from replay.queries.table import QUERIES, ask, problem
from replay.viewer.guard import HEADERS, Refusal, behind, refused

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_ROOM: Final = 4_000_000
"""Bytes of an answer: a page of twenty thousand events to draw has that much."""

_PATIENCE: Final = 60  # seconds that a connection may be silent


class Viewer:
    """Serves one recording, or two to compare, on loopback, to whoever has the `url`.

    Args:
        paths: of the recordings, as strings or paths; the good one first.
        port: 0 for a free one.

    Raises:
        PortTaken: another program has the port, or it isn't ours to use. CassetteMissing and others: as `load`.
    """

    def __init__(self, paths: Sequence[Path | str], *, port: int = 0) -> None:
        self.library = Library([str(path) for path in paths])
        self.names = [self.library.at(place).name for place in self.library.places()]
        self.token = base64.urlsafe_b64encode(urandom(24)).decode()
        self.static = _static()
        try:
            self._server = _Server(("127.0.0.1", port), self)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise PortTaken(f"port {port}: {why}", hint="`--port 0` takes a free one") from None
        self.port: int = self._server.server_address[1]
        self._ahead = threading.Thread(target=self._read_ahead, daemon=True)

    @property
    def url(self) -> str:
        """Where it is. Whoever has it can read the recording, until `stop`."""
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def serve(self) -> None:
        """Answers until `stop` is called from another thread, or Ctrl-C."""
        self._ahead.start()
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """Ends `serve`. Not from its own thread."""
        self._server.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.server_close()

    def _read_ahead(self) -> None:
        """While the browser starts, the recording is read."""
        for name in self.names:
            try:
                ask(self.library, "timeline", {"cassette": name, "limit": 1})
            except ReplayError:
                return  # who asks will be told

    def answer(self, path: str, query: str) -> tuple[int, str, bytes]:
        """Status, type and content of what stands behind the token."""
        if not path.startswith("api/"):
            return self.static.get(path or "index.html", (404, TYPES[".html"], b"nothing here"))
        try:
            status, found = 200, self._told(path.removeprefix("api/"), query)
        except CassetteDamaged as error:
            status, found = 409, problem(error)
        except ReplayError as error:
            status, found = 400, problem(error)
        except Exception as error:  # a bug of ours: the page says so, and goes on
            message = f"{type(error).__name__}: {error}"[:500]
            status, found = 500, {"error": {"slug": "internal", "message": message, "hint": "a bug of ours"}}
        return status, "application/json; charset=utf-8", dumps(found).encode("utf-8", "replace")

    def _told(self, name: str, query: str) -> dict[str, Any]:
        if name == "runs":
            return {"runs": self.names}
        if name in QUERIES and QUERIES[name].executes:
            raise UsageError(f"{name} isn't answered here", hint="the viewer executes nothing")
        return ask(self.library, name, dict(parse_qsl(query, keep_blank_values=True)), room=_ROOM)


def _static() -> dict[str, tuple[int, str, bytes]]:
    """Every file that is shipped, by its name: what isn't in this table can't be asked for."""
    found: dict[str, tuple[int, str, bytes]] = {}
    for each in files("replay.viewer").joinpath("static").iterdir():
        suffix = Path(each.name).suffix
        if suffix in TYPES:
            found[each.name] = (200, TYPES[suffix], each.read_bytes())
    return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False  # another program's port stays its own
    block_on_close = False

    def __init__(self, address: tuple[str, int], viewer: Viewer) -> None:
        super().__init__(address, _Handler)
        self.viewer = viewer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server_version = "replay"
    sys_version = ""

    def __getattr__(self, name: str) -> Any:
        """`do_GET` and any other method: `guard` says which are answered."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        viewer = server.viewer
        headers = {name.lower(): value for name, value in self.headers.items()}
        refusal = refused(self.command, headers, viewer.port)
        asked = urlsplit(self.path)
        inside = behind(asked.path, viewer.token)
        if refusal is None and inside is None:
            refusal = Refusal(403, "the address of the viewer begins with a token: the one that `replay view` printed")
        if refusal is not None:
            self.close_connection = True  # what it sent behind its headers wasn't read
            self._send(refusal.status, "text/plain; charset=utf-8", refusal.why.encode())
            return
        self._send(*viewer.answer(inside or "", asked.query))

    def _send(self, status: int, type_: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Nothing: addresses have the token in them."""
