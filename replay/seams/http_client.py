"""http.client and what is built on it: urllib, urllib3, requests, botocore, httplib2.

A connection in a lane gets a `Wire` instead of a socket. Everything above (http.client's state machine and parser,
urllib3's pools, retries, redirects) is the real thing, when recording and at replay; only what the socket said is
recorded.

- *Connecting* is put off until the first bytes are sent and is part of that, because whether a kept-alive connection is
  there depends on what tools did outside of lanes; the recording must not.
- *Pools* of urllib3 hand out connections outside of the lane, for the same reason.
- *Sending* happens at once. Whether it worked is a draw of the lane; where it didn't, the http event has the error,
  raised where the client expects connection errors.
  Behind the point of a live fork that draw says that it was sent, and it is sent with the event, if that may go out.
- *Reading* makes the http event: its head is recorded parsed, its body in pieces, and both are written again for the
  client's parser (`_wire`), so that it can't see a difference. The head is parsed rather than kept as bytes, so that
  events look alike from every client and redaction finds the headers.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from replay.boundary.lanes import running
from replay.boundary.traceparent import NAME, outgoing
from replay.seams._seam import aside, patch
from replay.seams._socket import Wire

_NAME = f"{NAME}:".encode()
_POOLS = {
    "urllib3.connectionpool": ("HTTPConnectionPool", ("_get_conn", "_put_conn")),
    "urllib3.poolmanager": ("PoolManager", ("connection_from_pool_key", "clear")),
}


def install(module: ModuleType) -> None:
    """Patch the connections of `module` (http.client, urllib3.connection, httplib2), or its pools."""
    if module.__name__ in _POOLS:
        pool, names = _POOLS[module.__name__]
        for name in names:
            patch(getattr(module, pool), name, aside)
        if hasattr(module, "_close_pool_connections"):
            patch(module, "_close_pool_connections", aside)  # run when a pool is garbage
        return
    for name in ("HTTPConnection", "HTTPSConnection", "HTTPConnectionWithTimeout", "HTTPSConnectionWithTimeout"):
        kind = getattr(module, name, None)  # without OpenSSL there is no HTTPSConnection
        if hasattr(kind, "connect"):
            patch(kind, "connect", _wrap_connect)
            patch(kind, "send", _wrap_send)
        if hasattr(kind, "endheaders"):
            patch(kind, "endheaders", _wrap_endheaders)
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


def _wrap_endheaders(original: Callable[..., None]) -> Callable[..., None]:
    def endheaders(self: Any, *args: Any, **kwargs: Any) -> None:
        lane = running.lane
        told = None if lane is None else outgoing(lane)
        if told is not None and not any(line.lower().startswith(_NAME) for line in self._buffer):
            self.putheader(NAME, told)
        original(self, *args, **kwargs)

    return endheaders


def _wrap_is_connected(original: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def is_connected(self: Any) -> bool:
        wire = self.sock
        if isinstance(wire, Wire) and (running.lane is not None or wire.real is None):
            wire.check = True
            return True  # a connection that was dropped is opened again when something is sent
        return original(self)

    return is_connected
