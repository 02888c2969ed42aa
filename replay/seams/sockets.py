"""Sockets, name look-ups and waiting for sockets: what pure Python clients and servers are made of.

A socket object is a real one in both modes; what it does with the world is a crossing, so that at replay it never gets
to be connected. What asyncio does with its sockets is asyncio's (`runtime.tap`), and what a client's seam does inside a
crossing is that crossing's.

Waiting (`select`, `poll`, selectors) answers by position among what was asked about, since descriptors may differ.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Self

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, running
from replay.model.effect import Effect
from replay.seams._seam import patch

_KIND = "connection"
_SENDS = ("send", "sendall", "sendto", "sendmsg")
_ASKS = ("getsockname", "getpeername", "getsockopt", "listen", "shutdown")
_RECEIVES = ("recv", "recvfrom", "recvmsg")
_RECEIVES_INTO = ("recv_into", "recvfrom_into")
_LOOK_UPS = ("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
_TLS_ASKS = (
    *("getpeercert", "cipher", "version", "compression", "selected_alpn_protocol", "shared_ciphers", "pending"),
    *("do_handshake", "get_channel_binding"),
)
_SELECTORS = ("SelectSelector", "PollSelector", "EpollSelector", "DevpollSelector", "KqueueSelector")

_peers: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_opened: weakref.WeakKeyDictionary[Any, int | None] = weakref.WeakKeyDictionary()
"""The event that connected a socket."""


def install(module: ModuleType) -> None:
    """Patch `socket`, `ssl`, `select` or `selectors`."""
    _INSTALL[module.__name__](module)


def _lane() -> Lane | None:
    """The lane that asks, unless it is asyncio that does; called by wrappers."""
    lane = running.lane
    if lane is None:
        return None
    try:
        asking = originals.frame(2)
    except ValueError:  # it is what the thread runs, with nothing around it
        return lane
    if asking.f_code.co_name == "__repr__":  # finalisers ask so for their warning, whenever they run
        return None
    return None if str(asking.f_globals.get("__name__", "")).startswith("asyncio.") else lane


# -- sockets ---------------------------------------------------------------------------------------------------------


def _install_socket(module: Any) -> None:
    kind = module.socket
    for names, wrap in ((_SENDS, _sending), (_ASKS, _asking), (_RECEIVES, _asking), (_RECEIVES_INTO, _filling)):
        for name in names:
            if hasattr(kind, name):
                patch(kind, name, partial(wrap, name))
    for name in ("connect", "connect_ex", "bind"):
        patch(kind, name, partial(_addressing, name))
    patch(kind, "accept", _accepting)
    patch(kind, "sendfile", _sending_files)
    for name in _LOOK_UPS:
        patch(module, name, partial(_looking_up, name))
    patch(module, "getaddrinfo", partial(_resolving, module))


_Convert = Callable[[Any], Any]


def _call(
    sock: Any,
    what: str,
    effect: Effect,
    request: Any,
    body: bytes | None = None,
    chain: object = None,
    dump: _Convert | None = None,
    load: _Convert | None = None,
) -> Call[Any]:
    name = f"{_peers.get(sock, 'socket')} {what}"
    meta = {"connection": _opened[sock]} if sock in _opened else None
    return Call(_KIND, name, effect, request, body, chain, meta, dump, load)


def _addressing(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, address: Any, /) -> Any:
        lane = _lane()
        if lane is None:
            return original(self, address)
        where = _readable(address)
        call = Call[Any](_KIND, f"{name} {where}", "write", {"address": address, "type": int(self.type)})
        try:
            return lane.door.cross(lane, call, lambda: original(self, address))
        finally:
            _peers[self] = where
            _opened[self] = call.event

    return method


def _readable(address: Any) -> str:
    if isinstance(address, tuple):
        return ":".join(str(part) for part in address[:2])  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return address.decode("utf-8", "replace") if isinstance(address, bytes) else str(address)


def _sending(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, data: Any, *args: Any) -> Any:
        lane = _lane()
        if lane is None:
            return original(self, data, *args)
        request: dict[str, Any] | None
        if name == "sendmsg":
            data = [*data]
            piece = b"".join(data)
            request = {"to": args[2] if len(args) > 2 else None}
        else:
            piece = bytes(memoryview(data))
            request = {"args": list(args)} if args else None
        call = _call(self, name, "write", request, body=piece, chain=(lane.path, name))
        return lane.door.cross(lane, call, lambda: original(self, data, *args))

    return method


def _asking(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    effect: Effect = "write" if name in ("shutdown", "listen", "do_handshake") else "read"

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        lane = None if running.lane is None else _lane()  # a pool asks a hundred times per request
        if lane is None:
            return original(self, *args, **kwargs)
        request: Any = {"args": list(args), **kwargs} if args or kwargs else None
        call = _call(self, name, effect, request)
        return lane.door.cross(lane, call, lambda: original(self, *args, **kwargs))

    return method


def _filling(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """`recv_into` and `recvfrom_into`: what is stored is what the buffer got."""

    def method(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> Any:
        lane = _lane()
        if lane is None:
            return original(self, buffer, nbytes, flags)
        room = memoryview(buffer).cast("B")

        def dump(found: Any) -> Any:
            count = found if name == "recv_into" else found[0]
            return (bytes(room[:count]), None if name == "recv_into" else found[1])

        def load(value: Any) -> Any:
            data, address = value
            room[: len(data)] = data
            return len(data) if name == "recv_into" else (len(data), address)

        call = _call(self, name, "read", {"size": nbytes or len(room), "flags": int(flags)}, dump=dump, load=load)
        return lane.door.cross(lane, call, lambda: original(self, buffer, nbytes, flags))

    return method


def _accepting(original: Callable[..., Any]) -> Callable[..., Any]:
    def accept(self: Any) -> Any:
        lane = _lane()
        if lane is None:
            return original(self)

        def load(address: Any) -> Any:
            made = _plain(self)(self.family, self.type, self.proto)
            made.settimeout(None if self.gettimeout() is None else made.gettimeout())
            return made, address

        call = _call(self, "accept", "read", None, dump=lambda found: found[1], load=load)
        sock, address = lane.door.cross(lane, call, lambda: original(self))
        _peers[sock] = _readable(address)
        return sock, address

    return accept


def _plain(sock: Any) -> Any:
    """The class `socket.socket`, wherever it is imported."""
    return next(kind for kind in type(sock).__mro__ if kind.__module__ == "socket")


def _sending_files(original: Callable[..., Any]) -> Callable[..., Any]:
    def sendfile(self: Any, file: Any, offset: int = 0, count: int | None = None) -> Any:
        """The kernel would send it past us."""
        if _lane() is None:
            return original(self, file, offset, count)
        return self._sendfile_use_send(file, offset, count)

    return sendfile


# -- names -----------------------------------------------------------------------------------------------------------


def _looking_up(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(*args: Any) -> Any:
        lane = _lane()
        if lane is None:
            return original(*args)
        call: Call[Any] = Call(_KIND, name, "read", list(args))
        return lane.door.cross(lane, call, lambda: original(*args))

    return look_up


def _resolving(module: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(
        host: Any,
        port: Any,
        family: int = 0,
        type: int = 0,  # noqa: A002
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        lane = _lane()
        if lane is None:
            return original(host, port, family, type, proto, flags)
        asked = [int(value) for value in (family, type, proto, flags)]
        call: Call[Any] = Call(_KIND, "getaddrinfo", "read", [host, port, *asked], dump=_dump_infos, load=load)
        return lane.door.cross(lane, call, lambda: original(host, port, family, type, proto, flags))

    def load(value: Any) -> Any:
        known = getattr(module, "_intenum_converter")  # noqa: B009
        return [
            (known(family, module.AddressFamily), known(kind, module.SocketKind), *rest)
            for family, kind, *rest in value
        ]

    return getaddrinfo


def _dump_infos(found: Any) -> Any:
    return [(int(family), int(kind), *rest) for family, kind, *rest in found]


# -- TLS -------------------------------------------------------------------------------------------------------------


def _install_ssl(module: Any) -> None:
    kind = module.SSLSocket
    for name in _TLS_ASKS:
        patch(kind, name, partial(_asking, name))
    for name in ("send", "write"):
        patch(kind, name, partial(_sending, name))
    patch(kind, "read", _reading)
    patch(kind, "unwrap", _unwrapping)


def _unwrapping(original: Callable[..., Any]) -> Callable[..., Any]:
    def unwrap(self: Any) -> Any:
        lane = _lane()
        if lane is None:
            return original(self)

        def load(_: None) -> Any:
            self._sslobj = None
            return self

        return lane.door.cross(
            lane, _call(self, "unwrap", "write", None, dump=lambda _: None, load=load), lambda: original(self)
        )

    return unwrap


def _reading(original: Callable[..., Any]) -> Callable[..., Any]:
    def read(self: Any, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002
        lane = _lane()
        if lane is None:
            return original(self, len, buffer)
        if buffer is None:
            call = _call(self, "read", "read", {"size": len})
            return lane.door.cross(lane, call, lambda: original(self, len))
        room = memoryview(buffer).cast("B")

        def load(data: bytes) -> int:
            room[: data.__len__()] = data
            return data.__len__()

        call = _call(self, "read", "read", {"size": len}, dump=lambda count: bytes(room[:count]), load=load)
        return lane.door.cross(lane, call, lambda: original(self, len, buffer))

    return read


# -- waiting ---------------------------------------------------------------------------------------------------------


def _install_selectors(module: Any) -> None:
    for name in _SELECTORS:
        kind = getattr(module, name, None)
        if kind is not None:
            patch(kind, "select", _selecting)


def _selecting(original: Callable[..., Any]) -> Callable[..., Any]:
    def select(self: Any, timeout: float | None = None) -> Any:
        lane = _lane()
        if lane is None:
            return original(self, timeout)
        keys: list[Any] = [*(self.get_map() or {}).values()]

        def dump(ready: Any) -> Any:
            places = {key.fd: place for place, key in enumerate(keys)}
            return [(places[key.fd], events) for key, events in ready if key.fd in places]

        call: Call[Any] = Call(
            _KIND, "select", "read", {"keys": len(keys), "timeout": timeout}, dump=dump,
            load=lambda value: [(keys[place], events) for place, events in value],
        )  # fmt: skip
        return lane.door.cross(lane, call, lambda: original(self, timeout))

    return select


def _install_select(module: Any) -> None:
    patch(module, "select", _select)
    for name in ("poll", "epoll"):
        if hasattr(module, name):
            patch(module, name, partial(_polling, name))


class _Function:
    """A function that, like one in C, doesn't become a method in a class that holds it (`selectors` has such)."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)


def _select(original: Callable[..., Any]) -> Callable[..., Any]:
    def select(rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None) -> Any:
        lane = running.lane
        if lane is None:
            return original(rlist, wlist, xlist, timeout)
        asked = [list(rlist), list(wlist), list(xlist)]

        def dump(found: Any) -> Any:
            return [
                [place for place, each in enumerate(given) if any(each is one for one in ready)]
                for given, ready in zip(asked, found, strict=True)
            ]

        def load(value: Any) -> Any:
            return tuple([given[place] for place in places] for given, places in zip(asked, value, strict=True))

        request = {"asked": [len(each) for each in asked], "timeout": timeout}
        call: Call[Any] = Call(_KIND, "select", "read", request, dump=dump, load=load)
        return lane.door.cross(lane, call, lambda: original(*asked, timeout))

    return _Function(select)


def _polling(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        real = original(*args, **kwargs)
        return real if running.lane is None else _Poll(real, name)

    return _Function(make)


class _Poll:
    """`select.poll()` and `select.epoll()` of a lane."""

    def __init__(self, real: Any, name: str) -> None:
        self._real = real
        self._name = name
        self._fds: list[int] = []

    def register(self, fd: Any, *args: Any) -> Any:
        number = fd if isinstance(fd, int) else fd.fileno()
        if number not in self._fds:
            self._fds.append(number)
        return self._real.register(fd, *args)

    def unregister(self, fd: Any) -> Any:
        number = fd if isinstance(fd, int) else fd.fileno()
        found = self._real.unregister(fd)
        self._fds.remove(number)
        return found

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        lane = _lane()
        if lane is None:
            return self._real.poll(*args, **kwargs)
        fds = list(self._fds)
        request = {"fds": len(fds), "args": list(args), **kwargs}
        call: Call[Any] = Call(
            _KIND, self._name, "read", request,
            dump=lambda found: [(fds.index(fd), events) for fd, events in found],
            load=lambda value: [(fds[place], events) for place, events in value],
        )  # fmt: skip
        return lane.door.cross(lane, call, lambda: self._real.poll(*args, **kwargs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


_INSTALL: dict[str, Callable[[Any], None]] = {
    "socket": _install_socket,
    "ssl": _install_ssl,
    "select": _install_select,
    "selectors": _install_selectors,
}
