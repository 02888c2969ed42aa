"""What an http.client connection has for a socket in a lane. Design: `seams.http_client`."""

from __future__ import annotations

import io
import select
import ssl
import sys
import weakref
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, nobody, running
from replay.seams import _wire
from replay.seams._http import call_of
from replay.seams._source import Source


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
        self.real: Any = real
        self.check = False
        self._connection = weakref.ref(connection)
        self._timeout: Any = real  # a value that is no timeout, until one is set
        self._sent = bytearray()
        self._unsent: list[bytes] = []  # of `_sent`: not at the other end yet
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
        if not self._sent:
            self._unsent.clear()  # of a request that was answered without
        self._sent += piece
        self._unsent.append(piece)
        self._told = False
        if not lane.door.draw(lane, "http.sent", self._try_to_send):
            self._not_sent(lane)
        connection = self._connection()
        if connection is not None:
            _mark(connection, sent=True)

    def makefile(self, mode: str = "r", buffering: int | None = None, **options: Any) -> Any:
        """The response as a file."""
        if running.lane is None or mode != "rb":
            return self._reach().makefile(mode, buffering, **options)
        return io.BufferedReader(Source(self))

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
            lane.door.cross(lane, call, self.deliver)
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

    def deliver(self) -> None:
        """Send what a door took for sent: behind a fork point nothing goes out before it is known what is asked for."""
        while self._unsent:
            with nobody():
                self._reach().sendall(self._unsent[0])
            del self._unsent[0]

    def _try_to_send(self) -> bool:
        try:
            self.deliver()
        except Exception as error:
            self._unsent.clear()
            self._error = error
            return False
        return True

    def _not_sent(self, lane: Lane) -> None:
        self._told = True  # but kept: a server may answer before it has read everything
        try:
            lane.door.cross(lane, self.call(lane), self._fail)
        except Exception as failure:
            if hasattr(failure, "conn"):
                setattr(failure, "conn", self._connection())  # noqa: B010 - urllib3's errors; it isn't stored
            raise

    def _fail(self) -> None:
        # Kept nowhere: an error knows its frames, they know the connection, and that cycle would be there only when
        # recording, so that the garbage collector ends other things than at replay.
        error, self._error = self._error, None
        try:
            assert error is not None
            raise error
        finally:
            error = None

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
