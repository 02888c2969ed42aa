"""Which methods of an event loop are tapped (`runtime.tap`), and the server that programs get."""

from __future__ import annotations

import asyncio
import functools
import subprocess
from collections.abc import Callable
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, running
from replay.runtime import watching
from replay.runtime.endpoints import Endpoint
from replay.runtime.lines import KIND, ChildLine, Line, OutputLine
from replay.runtime.tap import Exchange, connect, serve
from replay.seams._process import described, program_of

_SHUT = {"can_eof": True}
_STREAMS = ("stdin", "stdout", "stderr")


def install(loop_class: Any) -> None:
    """Tap the methods of a loop class that open things."""
    for name, wrap in (_WRAPPERS | watching.WRAPPERS).items():
        original = getattr(loop_class, name, None)
        if original is not None:
            setattr(loop_class, name, functools.wraps(original)(wrap(original)))


# -- connections -----------------------------------------------------------------------------------------------------


def _connection(original: Any) -> Any:
    async def create_connection(
        self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, host, port, **more)
        request = {"host": host, "port": port, **_said(more)}
        name = "socket" if more.get("sock") is not None else _address(host, port)
        return await _open(
            self, lane, name, request, protocol_factory, lambda ear: original(self, ear, host, port, **more), more
        )

    return create_connection


def _accepted(original: Any) -> Any:
    async def connect_accepted_socket(self: Any, protocol_factory: Any, sock: Any, **more: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, sock, **more)
        return await _open(
            self, lane, "accepted socket", _said(more), protocol_factory,
            lambda ear: original(self, ear, sock, **more), {**more, "sock": sock},
        )  # fmt: skip

    return connect_accepted_socket


def _unix_connection(original: Any) -> Any:
    async def create_unix_connection(self: Any, protocol_factory: Any, path: Any = None, **more: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, path, **more)
        where = None if path is None else str(path)
        request = {"path": where, **_said(more)}
        return await _open(
            self, lane, where or "unix socket", request, protocol_factory,
            lambda ear: original(self, ear, path, **more), more,
        )  # fmt: skip

    return create_unix_connection


async def _open(
    loop: Any, lane: Lane, name: str, request: Any, factory: Any, real: Callable[[Any], Any], more: dict[str, Any]
) -> Any:
    call: Call[Any] = Call(KIND, name, "write", request)

    def line(exchange: Exchange, number: int, info: Any) -> Line:
        made = Line(exchange, number, info)
        made.context, made.given = more.get("ssl"), more.get("sock")
        return made

    return await connect(loop, lane, call, factory, real, line=line)


def _datagram(original: Any) -> Any:
    async def create_datagram_endpoint(
        self: Any, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **more: Any
    ) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, local_addr, remote_addr, **more)
        request = {"local": local_addr, "remote": remote_addr}
        name = f"udp {_address(*(remote_addr or local_addr or (None, None)))}"
        return await _open(
            self, lane, name, request, protocol_factory,
            lambda ear: original(self, ear, local_addr, remote_addr, **more), more,
        )  # fmt: skip

    return create_datagram_endpoint


def _start_tls(original: Any) -> Any:
    async def start_tls(self: Any, transport: Any, protocol: Any, sslcontext: Any, **more: Any) -> Any:
        lane = running.lane
        if lane is None or not isinstance(transport, Line):
            return await original(self, transport, protocol, sslcontext, **more)
        transport.set_protocol(protocol)
        return await transport.secure(
            lane, sslcontext, lambda real, ear: original(self, real, ear, sslcontext, **more), more
        )

    return start_tls


def _read_pipe(original: Any) -> Any:
    return _pipe(original, "read")


def _write_pipe(original: Any) -> Any:
    return _pipe(original, "write")


def _pipe(original: Any, way: str) -> Any:
    async def connect_pipe(self: Any, protocol_factory: Any, pipe: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, pipe)
        fd = _descriptor(pipe)
        name = _STREAMS[fd] if 0 <= fd < 3 else "pipe"
        call: Call[Any] = Call(KIND, name, "write", {"way": way})

        def line(exchange: Exchange, number: int, _: Any) -> Line:
            if way == "write" and fd in (1, 2):
                return OutputLine(exchange, number, _SHUT, name)
            return Line(exchange, number, _SHUT)

        return await connect(self, lane, call, protocol_factory, lambda ear: original(self, ear, pipe), line=line)

    return connect_pipe


def _descriptor(pipe: Any) -> int:
    try:
        return int(pipe.fileno())
    except (AttributeError, OSError, ValueError):
        return -1


def _said(more: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if more.get("ssl"):
        found["ssl"] = True
    for name in ("server_hostname", "local_addr"):
        if more.get(name) is not None:
            found[name] = more[name]
    return found


def _address(host: Any, port: Any) -> str:
    where = host.decode() if isinstance(host, bytes) else host
    if isinstance(where, (list, tuple)):
        where = ",".join(map(str, where))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f"{where or '*'}:{port}"


# -- servers ---------------------------------------------------------------------------------------------------------


class TapServer(asyncio.Server):
    """A server as the program has it."""

    def __init__(self, exchange: Exchange, sockets: list[Any], serving: bool) -> None:
        self._exchange = exchange
        self._known = sockets
        self._on = serving
        self._closed = False
        self._forever: Any = None

    def __repr__(self) -> str:
        return f"<Server sockets={self.sockets!r}>"

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets it listens on."""
        if self._closed:
            return ()
        real = self._exchange.reals.get(0)
        reals = [None] * len(self._known) if real is None else list(real.sockets) or [None] * len(self._known)
        return tuple(Endpoint(info, sock) for info, sock in zip(self._known, reals, strict=False))

    def _really(self, name: str) -> Any:
        return getattr(self._exchange.reals[0], name)()

    def get_loop(self) -> Any:
        return self._exchange.loop

    def is_serving(self) -> bool:
        return self._on

    def close(self) -> None:
        if self._closed:
            return
        self._closed, self._on = True, False
        real: Any = self._exchange.reals.get(0)
        lane = running.lane
        if lane is None:
            if real is not None:
                real.close()
        else:
            call: Call[None] = Call(KIND, f"{self._exchange.name} close", "write")
            lane.door.cross(lane, call, functools.partial(self._really, "close"))
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
            self._forever = None

    async def start_serving(self) -> None:
        lane = running.lane
        if not self._on and not self._closed and lane is not None:
            self._on = True
            call: Call[None] = Call(KIND, f"{self._exchange.name} start_serving", "write")
            await lane.door.across(lane, call, functools.partial(self._really, "start_serving"))

    async def serve_forever(self) -> None:
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        if self._closed:
            raise RuntimeError(f"server {self!r} is closed")
        await self.start_serving()
        self._forever = self._exchange.loop.create_future()
        try:
            await self._forever
        except asyncio.CancelledError:
            try:
                self.close()
                await self.wait_closed()
            finally:
                raise
        finally:
            self._forever = None

    async def wait_closed(self) -> None:
        lane = running.lane
        if lane is None:
            return
        call: Call[None] = Call(KIND, f"{self._exchange.name} wait_closed", "read")
        await lane.door.across(lane, call, functools.partial(self._really, "wait_closed"))


def _server(original: Any) -> Any:
    async def create_server(self: Any, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, host, port, **more)
        request = {"host": host, "port": port, **_said(more)}
        name = f"server {_address(host, port)}" if more.get("sock") is None else "server on a socket"
        call: Call[Any] = Call(KIND, name, "write", request)
        exchange, known = await serve(
            self, lane, call, protocol_factory, lambda ear: original(self, ear, host, port, **more), more.get("ssl")
        )
        return TapServer(exchange, known, more.get("start_serving", True))

    return create_server


def _unix_server(original: Any) -> Any:
    async def create_unix_server(self: Any, protocol_factory: Any, path: Any = None, **more: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, path, **more)
        where = None if path is None else str(path)
        call: Call[Any] = Call(KIND, f"server {where}", "write", {"path": where, **_said(more)})
        exchange, known = await serve(
            self, lane, call, protocol_factory, lambda ear: original(self, ear, path, **more), more.get("ssl")
        )
        return TapServer(exchange, known, more.get("start_serving", True))

    return create_unix_server


# -- processes -------------------------------------------------------------------------------------------------------


def _subprocess_exec(original: Any) -> Any:
    async def subprocess_exec(
        self: Any, protocol_factory: Any, program: Any, *args: Any,
        stdin: Any = subprocess.PIPE, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE, **more: Any,
    ) -> Any:  # fmt: skip
        streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, program, *args, **streams, **more)
        return await _start(
            self, lane, (program, *args), streams, more, protocol_factory,
            lambda ear: original(self, ear, program, *args, **streams, **more),
        )  # fmt: skip

    return subprocess_exec


def _subprocess_shell(original: Any) -> Any:
    async def subprocess_shell(
        self: Any, protocol_factory: Any, cmd: Any, *,
        stdin: Any = subprocess.PIPE, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE, **more: Any,
    ) -> Any:  # fmt: skip
        streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        lane = running.lane
        if lane is None:
            return await original(self, protocol_factory, cmd, **streams, **more)
        return await _start(
            self, lane, cmd, streams, more, protocol_factory,
            lambda ear: original(self, ear, cmd, **streams, **more),
        )  # fmt: skip

    return subprocess_shell


_TARGETS = {subprocess.PIPE: "pipe", subprocess.DEVNULL: "null", subprocess.STDOUT: "stdout", None: "inherited"}


async def _start(
    loop: Any,
    lane: Lane,
    args: Any,
    streams: dict[str, Any],
    more: dict[str, Any],
    factory: Any,
    real: Callable[[Any], Any],
) -> Any:
    name = program_of(args)
    kinds = {
        label: _TARGETS.get(to if to is None or isinstance(to, int) else 0, "own") for label, to in streams.items()
    }
    for label in ("stdout", "stderr"):
        if kinds[label] in ("inherited", "own"):
            lane.door.blind("process output", f"{name} writes to its {kinds[label]} {label}")
    request = {**described(args, more.get("cwd"), more.get("env")), **kinds}
    call: Call[Any] = Call("process", name, "write", request)
    return await connect(loop, lane, call, factory, real, line=ChildLine)


_WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "create_connection": _connection,
    "connect_accepted_socket": _accepted,
    "create_unix_connection": _unix_connection,
    "create_datagram_endpoint": _datagram,
    "start_tls": _start_tls,
    "connect_read_pipe": _read_pipe,
    "connect_write_pipe": _write_pipe,
    "create_server": _server,
    "create_unix_server": _unix_server,
    "subprocess_exec": _subprocess_exec,
    "subprocess_shell": _subprocess_shell,
}
