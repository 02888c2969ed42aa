"""WSGI: one cassette per request.

Events, all of kind `server`:

    request             its outcome is the environment: method, url, headers, …
    input <method>      what was read of the request's body
    send start          status and headers, written
    send body           a piece of the response, written
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Unpack

from replay import session
from replay.boundary.door import Call
from replay.boundary.lanes import become, running
from replay.part import Part, prepared
from replay.servers.place import place_of

Environ = dict[str, Any]
Start = Callable[..., Any]
App = Callable[[Any, Any], Iterable[bytes]]

_HEADERS = ("CONTENT_TYPE", "CONTENT_LENGTH")
_URL = ("REQUEST_METHOD", "QUERY_STRING", "RAW_URI", "REQUEST_URI")


class wsgi:  # noqa: N801 - used like a function, as its sibling
    """A WSGI application whose every request is recorded into a cassette of its own, its response's pieces included.

    Args: as for `replay.asgi`.

    Example:
        app = replay.wsgi(app)
        flask_app.wsgi_app = replay.wsgi(flask_app.wsgi_app, where="main:flask_app")
    """

    def __init__(self, app: App, *, where: str | None = None, **options: Unpack[session.Options]) -> None:
        self.app = app
        self._where = where
        self._sessions = session.Sessions(**options)
        self._place: dict[str, Any] | None = None

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        part = prepared()
        if part is not None:
            return self.app(environ, start_response) if part.begun else self._again(part, environ, start_response)
        if not self._sessions.wanted():
            return self.app(environ, start_response)
        pieces = self._recorded(environ, start_response)
        # The application is called now, as it would be; the server reads the rest when it likes.
        return _Begun(next(pieces, None), pieces)

    def _again(self, part: Part, environ: Environ, start_response: Start) -> Iterable[bytes]:
        with part.play():
            return list(self._pieces(environ, start_response))

    def _recorded(self, environ: Environ, start_response: Start) -> Iterator[bytes]:
        name = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
        traceparent = environ.get("HTTP_TRACEPARENT")
        with self._sessions.begin(self._entry(), name=name, traceparent=traceparent):
            lane = running.lane
            pieces = self._pieces(environ, start_response)
            try:
                for piece in pieces:
                    become(None)  # what the server does in between is its own
                    yield piece
                    become(lane)
            finally:
                become(lane)
                pieces.close()

    def _pieces(self, environ: Environ, start_response: Start) -> Generator[bytes]:
        lane = running.lane
        if lane is None:  # recording couldn't begin
            yield from self.app(environ, start_response)
            return
        door = lane.door
        call: Call[Any] = Call("server", "request", "read")
        asked = _revived(door.cross(lane, call, lambda: _stored(environ)))
        seen = {
            **environ,
            **asked,
            "wsgi.input": io.BufferedReader(_Input(environ["wsgi.input"], environ.get("CONTENT_LENGTH"))),
        }
        seen.pop("wsgi.file_wrapper", None)  # it hands over a descriptor

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            request = {"status": status, "headers": [list(pair) for pair in headers], "error": exc_info is not None}
            now = running.lane or lane
            sent: Call[None] = Call("server", "send start", "write", request)
            door.cross(now, sent, lambda: write_to(start_response(status, headers, exc_info)))
            return written

        def written(piece: bytes) -> None:
            _send(door, lane, piece, writer[0])

        writer: list[Any] = [None]

        def write_to(write: Any) -> None:
            writer[0] = write

        answer = self.app(seen, start)
        try:
            for piece in answer:
                _send(door, lane, piece, None)
                yield piece
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    def _entry(self) -> dict[str, Any]:
        if self._place is None:
            self._place = place_of((self, getattr(self.app, "__self__", self)), self._where)
        return {"type": "wsgi", **self._place}


class _Begun:
    """An answer whose first piece is there already."""

    def __init__(self, first: bytes | None, rest: Iterator[bytes]) -> None:
        self._first = first
        self._rest: Any = rest

    def __iter__(self) -> Iterator[bytes]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
            yield from self._rest

    def close(self) -> None:
        self._rest.close()


def _send(door: Any, lane: Any, piece: bytes, write: Any) -> None:
    call: Call[None] = Call("server", "send body", "write", None, bytes(piece))
    door.cross(running.lane or lane, call, lambda: None if write is None else write(piece))


class _Input(io.RawIOBase):
    """The request's body, below a buffer: pieces as they came.

    The buffer asks for more than there is, and a server may wait for it (wsgiref does): the server is asked for what
    the request has, as far as it says.
    """

    def __init__(self, real: Any, length: Any) -> None:
        self._real = real
        self._left = int(length) if str(length).isdecimal() else sys.maxsize

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer)
        lane = running.lane
        if lane is None:
            piece = self._read(len(room))
        else:
            call: Call[bytes] = Call("server", "input", "read", len(room))
            piece = lane.door.cross(lane, call, lambda: self._read(len(room)))
        room[: len(piece)] = piece
        return len(piece)

    def _read(self, most: int) -> bytes:
        piece: bytes = self._real.read(min(most, self._left))
        self._left -= len(piece)
        return piece


def _stored(environ: Mapping[str, Any]) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    headers: list[list[str]] = []
    for key, value in environ.items():
        if key.startswith("HTTP_") or key in _HEADERS:
            headers.append([key.removeprefix("HTTP_").replace("_", "-").lower(), value])
        elif key not in _URL and isinstance(value, (str, int, bool, tuple)) and key != "wsgi.file_wrapper":
            rest[key] = value
    query = environ.get("QUERY_STRING", "")
    url = environ.get("PATH_INFO", "") + (f"?{query}" if query else "")
    return {"method": environ["REQUEST_METHOD"], "url": url, "headers": headers, "environ": rest}


def _revived(stored: Mapping[str, Any]) -> Environ:
    environ: Environ = dict(stored["environ"])
    for name, value in stored["headers"]:
        key = name.upper().replace("-", "_")
        environ[key if key in _HEADERS else f"HTTP_{key}"] = value
    query = stored["url"].partition("?")[2]
    return {**environ, "REQUEST_METHOD": stored["method"], "QUERY_STRING": query}


def call_again(part: Part, app: Any) -> None:
    """Call the application until the recorded part is over."""
    environ: Environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": ""}
    environ |= {"SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1"}
    environ |= {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }
    environ |= {"wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False}
    for _ in app(environ, _nowhere):
        pass


def _nowhere(*_: Any) -> Callable[[bytes], None]:
    """What is sent around the recorded part."""
    return lambda piece: None
