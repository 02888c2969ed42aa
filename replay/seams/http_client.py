"""http.client and what is built on it: urllib, urllib3, requests, botocore.

A connection in a lane gets a `Wire` instead of a socket. Everything above (http.client's state machine and parser, urllib3's
pools, retries, redirects) is the real thing, when recording and at replay; only what the socket said is recorded.

- *Connecting* is put off until the first bytes are sent and is part of that, because whether a kept-alive connection is
  there depends on what tools did outside of lanes; the recording must not.
- *Sending* happens at once. Whether it worked is a draw of the lane; where it didn't, the http event has the error, raised
  where the client expects connection errors.
- *Reading* makes the http event: its head is recorded parsed, its body in pieces, and both are written again for the
  client's parser (`_wire`), so that it can't see a difference. The head is parsed rather than kept as bytes, so that events
  look alike from every client and redaction finds the headers.
"""

from __future__ import annotations

import io
import select
import ssl
import sys
import weakref
from collections.abc import Callable
from http.client import IncompleteRead, RemoteDisconnected
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, nobody, running
from replay.seams import _wire
from replay.seams._http import Head, call_of
from replay.seams._seam import patch

_RECEIVE = 1 << 16
_HEAD_LIMIT = 1 << 20


def install(module: ModuleType) -> None:
    """Patch the connections of `module`, http.client or urllib3.connection."""
    for name in ("HTTPConnection", "HTTPSConnection"):
        kind = getattr(module, name, None)  # without OpenSSL there is no HTTPSConnection
        if hasattr(kind, "connect"):
            patch(kind, "connect", _wrap_connect)
            patch(kind, "send", _wrap_send)
        if hasattr(kind, "is_connected"):
            patch(kind, "is_connected", _wrap_is_connected)


def _wrap_connect(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def connect(self: Any) -> None:
        if running.lane is None:
            original(self)
        else:
            self.sock = Wire(self)

    return connect


def _wrap_send(original: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def send(self: Any, data: Any) -> None:
        if running.lane is not None and not isinstance(self.sock, Wire):
            if self.sock is not None:
                self.sock = Wire(self, self.sock)  # connected before recording, or by a tool
            elif self.auto_open:
                self.sock = Wire(self)
        original(self, data)

    return send


def _wrap_is_connected(original: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def is_connected(self: Any) -> bool:
        wire = self.sock
        if isinstance(wire, Wire) and (running.lane is not None or wire.real is None):
            wire.check = True
            return True  # a connection that was dropped is opened again when something is sent
        return original(self)

    return is_connected


class Wire:
    """What a connection in a lane has for a socket.

    Args:
        connection: whose socket it is.
        real: the socket, if there is one already.

    Attributes:
        real: the socket; None until something is sent, and at replay.
        check: make sure the connection still stands before the next request goes out.
    """

    def __init__(self, connection: Any, real: Any = None) -> None:
        self.real = real
        self.check = False
        self._connection = weakref.ref(connection)
        self._timeout: Any = real  # a value that is no timeout, until one is set
        self._sent = bytearray()
        self._told = False
        self._base = _base_url(connection)
        self._error: Exception | None = None
        _mark(connection, sent=False)

    # -- what clients ask of a socket ----------------------------------------------------------------------------

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send, and remember it as part of the request."""
        lane = running.lane
        if lane is None:
            self._reach().sendall(data)
            return
        piece = bytes(memoryview(data))  # TypeError for an iterable, as from a socket
        self._sent += piece
        self._told = False
        if not lane.door.draw(lane, "http.sent", lambda: self._try_to_send(piece)):
            self._not_sent(lane)
        connection = self._connection()
        if connection is not None:
            _mark(connection, sent=True)

    def makefile(self, mode: str = "r", buffering: int | None = None, **options: Any) -> Any:
        """The response as a file."""
        if running.lane is None or mode != "rb":
            return self._reach().makefile(mode, buffering, **options)
        return io.BufferedReader(_Source(self))

    def settimeout(self, value: float | None) -> None:
        self._timeout = value
        if self.real is not None:
            self.real.settimeout(value)

    def gettimeout(self) -> float | None:
        return None if self._timeout is None or not isinstance(self._timeout, (int, float)) else self._timeout

    def setsockopt(self, *args: Any) -> None:
        if self.real is not None:
            self.real.setsockopt(*args)

    def shutdown(self, how: int) -> None:
        if self.real is not None:
            with nobody():
                self.real.shutdown(how)

    def close(self) -> None:
        """Close the connection; a request whose answer nobody waited for is told now."""
        lane = running.lane
        if lane is not None and self._sent and not self._told:
            call = self.call(lane)
            call.streams = False
            lane.door.cross(lane, call, _unheard)
            self.told()
        if self.real is not None:
            with nobody():
                self.real.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        lane = running.lane
        if lane is not None:
            lane.door.blind("connection", f"socket.{name} of an HTTP connection")
        return getattr(self._reach(), name)

    # -- for the source ------------------------------------------------------------------------------------------

    def request(self) -> _wire.Request:
        """What was sent and not answered yet."""
        return _wire.parse_request(bytes(self._sent))

    def call(self, lane: Lane, request: _wire.Request | None = None) -> Call[Any]:
        """The Call of the request."""
        asked = request or self.request()
        absolute = asked.target.startswith(("http://", "https://"))  # to a proxy
        url = asked.target if absolute else self._base + asked.target
        return call_of(lane, asked.method, url, asked.headers, asked.body, asked.version)

    def told(self) -> None:
        """The request is an event now."""
        self._sent.clear()

    # -- the real connection -------------------------------------------------------------------------------------

    def _try_to_send(self, data: bytes) -> bool:
        try:
            with nobody():
                self._reach().sendall(data)
        except Exception as error:
            self._error = error
            return False
        return True

    def _not_sent(self, lane: Lane) -> None:
        error = self._error

        def fail() -> None:
            assert error is not None
            raise error

        self._told = True  # but kept: a server may answer before it has read everything
        try:
            lane.door.cross(lane, self.call(lane), fail)
        except Exception as failure:
            if hasattr(failure, "conn"):
                failure.conn = self._connection()  # urllib3's errors know their connection; it isn't stored
            raise

    def _reach(self) -> Any:
        """The real socket, connected by the client's own code."""
        if self.real is not None and self.check and _dropped(self.real):
            self.real.close()
            self.real = None
        self.check = False
        if self.real is None:
            connection = self._connection()
            if connection is None:
                raise OSError("the connection is gone")
            try:
                connection.connect()
                self.real = connection.sock
            finally:
                connection.sock = self
                _mark(connection, sent=False)
            if isinstance(self._timeout, (int, float)):
                self.real.settimeout(self._timeout)
        return self.real


class _Source(io.RawIOBase):
    """What a response is read from: below the client's buffer and parser, above the connection."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._file: Any = None
        self._got = bytearray()
        self._out = bytearray()
        self._ended = False
        self._over = False
        self._call: Call[Any] | None = None
        self._request = wire.request()
        self._body: _wire.Body | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._out and not self._over:
            if self._body is None:
                self._begin()
            else:
                self._go_on(self._body)
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._out))
        view[:size] = self._out[:size]
        del self._out[:size]
        return size

    def close(self) -> None:
        if self._file is not None:
            with nobody():
                self._file.close()
        super().close()

    def _begin(self) -> None:
        lane = running.lane
        if lane is None:
            head = self._receive_head()
        else:
            self._call = self._wire.call(lane, self._request)
            self._call.dump = self._dump
            waits = self._request.waits
            if not waits:
                self._wire.told()
            try:
                head = lane.door.cross(lane, self._call, self._receive_head)
            finally:
                self._call.dump = None  # a cycle would keep the response until garbage is collected
            if waits and head["status"] != 100:
                self._wire.told()
        self._body = _wire.Body(head, self._request.method)
        self._over = self._body.left == 0
        self._out += _wire.render_head(head)

    def _dump(self, head: Head) -> Head:
        assert self._call is not None
        self._call.streams = _wire.Body(head, self._request.method).left != 0
        return head

    def _go_on(self, body: _wire.Body) -> None:
        try:
            piece = self._pull()
        except StopIteration:
            self._over = True
            self._out += body.end
        except IncompleteRead as short:
            self._over = True
            self._out += _wire.broken(short.partial)
        else:
            self._out += body.frame(piece)
            body.given(piece)
            if body.left == 0:
                self._over = True
                self._end()

    def _end(self) -> None:
        """A client stops reading once it has what was announced; the event ends there all the same."""
        try:
            self._pull()
        except StopIteration:
            pass

    def _pull(self) -> bytes:
        lane = running.lane
        if lane is None or self._call is None:
            return self._receive_piece()
        return lane.door.pull(lane, self._call, self._receive_piece)  # type: ignore[no-any-return]

    # -- performed only when recording ---------------------------------------------------------------------------

    def _receive_head(self) -> Head:
        while True:
            size = _wire.end_of_head(self._got)
            if not size and not self._ended and len(self._got) < _HEAD_LIMIT:
                self._receive()
                continue
            if not self._got:
                raise RemoteDisconnected("Remote end closed connection without response")
            size = size or len(self._got)
            head = _wire.parse_head(bytes(self._got[:size]))
            del self._got[:size]
            if head["status"] != 100 or self._request.waits:
                return head

    def _receive_piece(self) -> bytes:
        assert self._body is not None
        while True:
            piece = self._body.take(self._got, ended=self._ended)
            if piece is not None:
                return piece
            self._receive()

    def _receive(self) -> None:
        if self._file is None:
            self._file = self._wire.real.makefile("rb", buffering=0)
        data = self._file.read(_RECEIVE)
        if data is None:
            raise BlockingIOError("the socket's timeout is 0")
        self._got += data
        self._ended = not data


def _unheard() -> None:
    """Nobody waited for the answer."""


def _base_url(connection: Any) -> str:
    tunnel = getattr(connection, "_tunnel_host", None)
    host, port = (tunnel, connection._tunnel_port) if tunnel else (connection.host, connection.port)
    scheme = "https" if connection.default_port == 443 else "http"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, connection.default_port) else f"{scheme}://{host}:{port}"


def _mark(connection: Any, *, sent: bool) -> None:
    """What urllib3 notes about a connection it made, told by its settings: no connection is made where it asks."""
    if not hasattr(connection, "_has_connected_to_proxy"):
        return
    verified = False
    if hasattr(connection, "cert_reqs"):
        resolve = getattr(sys.modules.get("urllib3.util.ssl_"), "resolve_cert_reqs", None)
        required = connection.cert_reqs if resolve is None else resolve(connection.cert_reqs)
        verified = required == ssl.CERT_REQUIRED or bool(connection.assert_fingerprint)
    forwarding = getattr(connection, "proxy_is_forwarding", False)
    connection.is_verified = verified and not forwarding
    connection.proxy_is_verified = verified if connection.proxy else None
    connection._has_connected_to_proxy = sent and bool(connection.proxy)


def _dropped(real: Any) -> bool:
    """Whether the other side has closed a connection that should be silent."""
    poll = select.poll()
    poll.register(real.fileno(), select.POLLIN)
    return bool(poll.poll(0))
