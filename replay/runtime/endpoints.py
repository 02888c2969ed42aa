"""What a transport tells about its two ends: noted when it opens, told from the note ever after."""

from __future__ import annotations

import socket
from typing import Any


def describe(transport: Any) -> dict[str, Any]:
    """Storable facts about a transport or a socket.

    {"peername"?, "sockname"?, "socket"?: [family, type, proto, fileno], "ssl"?: {…}, "pid"?, "pipes"?, "can_eof"?}
    """
    found: dict[str, Any] = {}
    if hasattr(transport, "get_pid"):
        found["pid"] = transport.get_pid()
        found["pipes"] = [fd for fd in range(3) if transport.get_pipe_transport(fd) is not None]
        return found
    sock = transport if hasattr(transport, "getsockname") else transport.get_extra_info("socket")
    if sock is not None:
        found["socket"] = [int(sock.family), int(sock.type), sock.proto, sock.fileno()]
        for name in ("sockname", "peername"):
            value = _asked(sock, f"get{name}")
            if value is not None:
                found[name] = value
    try:
        found["can_eof"] = transport.can_write_eof()
    except (AttributeError, NotImplementedError):
        pass  # a socket, or a transport for datagrams
    if hasattr(transport, "get_extra_info") and transport.get_extra_info("ssl_object") is not None:
        found["ssl"] = _describe_ssl(transport.get_extra_info("ssl_object"))
    return found


def _asked(sock: Any, method: str) -> Any:
    try:
        return getattr(sock, method)()
    except OSError:
        return None


def _describe_ssl(secured: Any) -> dict[str, Any]:
    found = {name: getattr(secured, name)() for name in ("version", "cipher", "compression", "selected_alpn_protocol")}
    try:
        found["peercert"] = secured.getpeercert()
        found["peercert_der"] = secured.getpeercert(True)
    except ValueError:
        found["peercert"] = found["peercert_der"] = None
    return found


class Endpoint:
    """What `get_extra_info("socket")` gives: the socket as it was noted. Options that are set go to the real one."""

    def __init__(self, info: dict[str, Any], real: Any) -> None:
        self._info = info
        self._real = real
        family, kind, self.proto, self._fileno = info["socket"]
        self.family = socket.AddressFamily(family)
        self.type = socket.SocketKind(kind)

    def fileno(self) -> int:
        """The descriptor; at replay the recorded one, where nothing is open."""
        return int(self._fileno)

    def getsockname(self) -> Any:
        """Its own address."""
        return self._info.get("sockname", "")

    def getpeername(self) -> Any:
        """The other's."""
        if "peername" not in self._info:
            raise OSError(107, "Transport endpoint is not connected")
        return self._info["peername"]

    def setsockopt(self, *args: Any) -> None:
        """Ask the real one, where there is one."""
        if self._real is not None:
            self._real.setsockopt(*args)

    def gettimeout(self) -> float:
        """It doesn't block."""
        return 0.0

    def setblocking(self, flag: bool) -> None:
        """It never does."""

    def __repr__(self) -> str:
        return f"<asyncio.TransportSocket {self.family.name} {self._info.get('sockname')!r}>"


class Secured:
    """What `get_extra_info("ssl_object")` gives."""

    def __init__(self, info: dict[str, Any], context: Any) -> None:
        self._info = info
        self.context = context

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The other's certificate."""
        return self._info["peercert_der" if binary_form else "peercert"]

    def __getattr__(self, name: str) -> Any:
        if name in ("version", "cipher", "compression", "selected_alpn_protocol"):
            return lambda: self._info[name]
        raise AttributeError(name)
