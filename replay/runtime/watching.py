"""What a program does with its own sockets on an event loop: `loop.sock_*` are crossings, readiness is a push."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.runtime.lines import KIND
from replay.runtime.tap import Exchange

_Wrap = Callable[[Any], Any]


class _Watch:
    """A callback for a descriptor that is ready."""

    def __init__(self, loop: Any, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._loop = loop
        self._callback = callback
        self._args = args

    def receive(self, _what: str, _args: list[Any]) -> None:
        """It is ready."""
        try:
            self._callback(*self._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            message = f"Exception in callback {self._callback!r}"
            self._loop.call_exception_handler({"message": message, "exception": error})


def _adding(name: str) -> _Wrap:
    def wrap(original: Any) -> Any:
        def add(self: Any, fd: Any, callback: Any, *args: Any) -> None:
            lane = running.lane
            if lane is None:
                original(self, fd, callback, *args)
                return
            exchange = Exchange(self, name)
            exchange.lines[0] = _Watch(self, callback, args)
            call: Call[None] = Call(KIND, name, "read", streams=True)
            lane.door.cross(lane, call, lambda: original(self, fd, exchange.push, 0, "ready"))
            exchange.begin(lane, call)

        return add

    return wrap


def _removing(name: str) -> _Wrap:
    def wrap(original: Any) -> Any:
        def remove(self: Any, fd: Any) -> bool:
            lane = running.lane
            if lane is None:
                return bool(original(self, fd))
            call: Call[bool] = Call(KIND, name, "read")
            return lane.door.cross(lane, call, lambda: bool(original(self, fd)))

        return remove

    return wrap


def _receiving(name: str) -> _Wrap:
    """`sock_recv` and `sock_recvfrom`."""

    def wrap(original: Any) -> Any:
        async def receive(self: Any, sock: Any, size: int) -> Any:
            lane = running.lane
            if lane is None:
                return await original(self, sock, size)
            call: Call[Any] = Call(KIND, name, "read", {"size": size})
            return await lane.door.across(lane, call, lambda: original(self, sock, size))

        return receive

    return wrap


def _filling(original: Any) -> Any:
    async def sock_recv_into(self: Any, sock: Any, buffer: Any) -> int:
        lane = running.lane
        if lane is None:
            return int(await original(self, sock, buffer))
        room = memoryview(buffer).cast("B")

        def load(data: bytes) -> int:
            room[: len(data)] = data
            return len(data)

        call: Call[int] = Call(
            KIND, "sock_recv_into", "read", {"size": len(room)}, dump=lambda count: bytes(room[:count]), load=load
        )
        return await lane.door.across(lane, call, lambda: original(self, sock, buffer))

    return sock_recv_into


def _sending(name: str) -> _Wrap:
    """`sock_sendall` and `sock_sendto`."""

    def wrap(original: Any) -> Any:
        async def send(self: Any, sock: Any, data: Any, *address: Any) -> Any:
            lane = running.lane
            if lane is None:
                return await original(self, sock, data, *address)
            piece = bytes(data)
            call: Call[Any] = Call(KIND, name, "write", list(address), piece, chain=(lane.path, name))
            return await lane.door.across(lane, call, lambda: original(self, sock, piece, *address))

        return send

    return wrap


def _connecting(original: Any) -> Any:
    async def sock_connect(self: Any, sock: Any, address: Any) -> None:
        lane = running.lane
        if lane is None:
            await original(self, sock, address)
            return
        call: Call[None] = Call(KIND, f"sock_connect {address}", "write", {"address": address})
        await lane.door.across(lane, call, lambda: original(self, sock, address))

    return sock_connect


def _accepting(original: Any) -> Any:
    async def sock_accept(self: Any, sock: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, sock)

        def load(address: Any) -> Any:
            made = socket.socket(sock.family, sock.type, sock.proto)
            made.setblocking(False)
            return made, address

        call: Call[Any] = Call(KIND, "sock_accept", "read", dump=lambda found: found[1], load=load)
        return await lane.door.across(lane, call, lambda: original(self, sock))

    return sock_accept


WRAPPERS: dict[str, _Wrap] = {
    "add_reader": _adding("add_reader"),
    "add_writer": _adding("add_writer"),
    "remove_reader": _removing("remove_reader"),
    "remove_writer": _removing("remove_writer"),
    "sock_recv": _receiving("sock_recv"),
    "sock_recvfrom": _receiving("sock_recvfrom"),
    "sock_recv_into": _filling,
    "sock_sendall": _sending("sock_sendall"),
    "sock_sendto": _sending("sock_sendto"),
    "sock_connect": _connecting,
    "sock_accept": _accepting,
}
