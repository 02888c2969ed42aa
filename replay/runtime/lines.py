"""The transports that programs get from the tap (`runtime.tap`): what they ask is answered from what was noted, what
they do is a crossing."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import protocols
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, nobody, running
from replay.model.effect import Effect
from replay.runtime.endpoints import Endpoint, Secured, describe

if TYPE_CHECKING:
    from replay.runtime.tap import Exchange

KIND = "connection"
_ENDS = ("close", "abort")


def _is_dropped() -> bool:
    """Whether a finaliser asks: that runs when the last reference goes, whenever that is."""
    frame: Any = originals.frame(2)
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


class Acting:
    """What the program does to something real, as crossings of the lane that does it."""

    def __init__(self, exchange: Exchange, number: int, kind: str) -> None:
        self._exchange = exchange
        self._number = number
        self._kind = kind

    def _real(self) -> Any:
        return self._exchange.reals.get(self._number)

    def _act(self, what: str, perform: Callable[[Any], Any], request: Any = None, body: bytes | None = None) -> Any:
        """Do it to the real thing: returns what that returned. Flow control that it causes at once follows it."""
        lane, exchange = running.lane, self._exchange
        if lane is None or (what.endswith(_ENDS) and _is_dropped()):
            real, running.lane = self._real(), None
            try:  # in a context of its own: a finaliser's may be being changed
                return None if real is None else contextvars.Context().run(perform, real)
            finally:
                running.lane = lane
        if self._number:
            asked: dict[str, Any] = request or {}
            request = {**asked, "connection": self._number}
        effect: Effect = "read" if what.startswith("get") else "write"
        chain = (exchange.name, what) if body is not None else None
        meta = {"connection": exchange.event}
        call: Call[Any] = Call(self._kind, f"{exchange.name} {what}", effect, request, body, chain=chain, meta=meta)

        def watched() -> tuple[Any, list[str]]:
            caused: list[str] = []
            exchange.during = caused
            try:
                real = self._real()  # gone once the connection is lost
                return None if real is None else perform(real), caused
            finally:
                exchange.during = None

        found, caused = lane.door.cross(lane, call, watched)
        for what_else in caused:
            self._flow(what_else)
        return found

    def _flow(self, what: str) -> None:
        raise NotImplementedError


class Line(Acting, asyncio.Transport):
    """One connection, as the program has it. Its state is what the program did and what was delivered, nothing else.

    Args:
        exchange: what opened it. number: which of its connections.
        info: see `runtime.endpoints`.
        kind: of its events.

    Attributes:
        context: of its TLS. given: the program's own socket that it was made of; it belongs to the transport.
    """

    def __init__(self, exchange: Exchange, number: int, info: dict[str, Any], kind: str = KIND) -> None:
        Acting.__init__(self, exchange, number, kind)
        asyncio.Transport.__init__(self)
        self._info = info
        self._protocol: Any = None
        self._closing = False
        self._eof = False
        self._reading = True
        self.context: Any = None
        self.given: Any = None

    # -- what is delivered -------------------------------------------------------------------------------------------

    def receive(self, what: str, args: list[Any]) -> Any:
        """Call the protocol's method; what it raises closes the connection, as in asyncio."""
        try:
            return self._receive(what, args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._exchange.loop.call_exception_handler(
                {
                    "message": f"Fatal error: protocol {what} call failed.",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
            if what != "lost":
                self.abort()
            return None

    def _receive(self, what: str, args: list[Any]) -> Any:
        protocol = self._protocol
        if what == "data":
            if isinstance(protocol, asyncio.BufferedProtocol):
                getattr(protocols, "_feed_data_to_buffered_proto")(protocol, args[0])  # noqa: B009 - it has no public name
            else:
                protocol.data_received(args[0])
        elif what == "eof":
            keep = protocol.eof_received()
            self._closing = self._closing or not keep
            return bool(keep)
        elif what == "lost":
            self._closing = True
            if self.given is not None:
                self.given.close()
            protocol.connection_lost(args[0])
        elif what == "datagram":
            protocol.datagram_received(*args)
        elif what == "error":
            protocol.error_received(*args)
        else:
            self._flow(what)
        return None

    def _flow(self, what: str) -> None:
        if what == "pause":
            self._protocol.pause_writing()
        else:
            self._protocol.resume_writing()

    def discard(self) -> None:
        """The program's protocol can't be had: close the real thing."""
        real = self._real()
        if real is not None:
            with nobody():
                (real.abort if hasattr(real, "abort") else real.close)()

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        piece = bytes(data)  # pyright: ignore[reportUnknownArgumentType]
        if piece:
            self._act("write", lambda real: real.write(piece), None, piece)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def sendto(self, data: Any, addr: Any = None) -> None:
        """For datagrams."""
        piece = bytes(data)
        self._act("sendto", lambda real: real.sendto(piece, addr), {"to": addr}, piece)

    def can_write_eof(self) -> bool:
        return bool(self._info.get("can_eof", False))

    def write_eof(self) -> None:
        if not self._eof and not self._closing:
            self._eof = True
            self._act("write_eof", lambda real: real.write_eof())

    def get_write_buffer_size(self) -> int:
        return int(self._act("get_write_buffer_size", lambda real: real.get_write_buffer_size()) or 0)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        low, high = self._act("get_write_buffer_limits", lambda real: real.get_write_buffer_limits())
        return low, high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        limits = {"high": high, "low": low}
        self._act("set_write_buffer_limits", lambda real: real.set_write_buffer_limits(high, low), limits)

    # -- reading -----------------------------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False
        self._quietly("pause_reading")

    def resume_reading(self) -> None:
        self._reading = True
        self._quietly("resume_reading")

    def _quietly(self, name: str) -> None:
        """It shows in what is pushed, and nowhere else."""
        real = self._real()
        if real is not None:
            with nobody():
                getattr(real, name)()

    async def secure(
        self, lane: Lane, context: Any, upgrade: Callable[[Any, Any], Awaitable[Any]], more: dict[str, Any]
    ) -> Line:
        """The same connection over TLS; `upgrade` makes the real one of (transport, protocol)."""
        exchange, number, real = self._exchange, self._number, self._real()
        request = {"connection": number, "server_hostname": more.get("server_hostname")}
        call: Call[Any] = Call(self._kind, f"{exchange.name} start_tls", "write", request)

        async def perform() -> Any:
            exchange.reals[number] = secured = await upgrade(real, real.get_protocol())
            return describe(secured)

        info = await lane.door.across(lane, call, perform)
        line = exchange.lines[number] = Line(exchange, number, info, self._kind)
        line.context = context
        line.set_protocol(self._protocol)
        return line

    # -- the end -----------------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._act("close", lambda real: real.close())

    def abort(self) -> None:
        self._closing = True
        self._act("abort", lambda real: real.abort())

    # -- what it is --------------------------------------------------------------------------------------------------

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        info = self._info
        if name in ("peername", "sockname"):
            return info.get(name, default)
        if name == "socket" and "socket" in info:
            real = self._real()
            return Endpoint(info, None if real is None else real.get_extra_info("socket"))
        secured = info.get("ssl")
        if secured is not None:
            if name == "ssl_object":
                return Secured(secured, self.context)
            if name == "sslcontext":
                return self.context
            if name in ("peercert", "cipher", "compression"):
                return secured[name]
        return default

    def __repr__(self) -> str:
        return f"<transport of {self._exchange.name}{' closing' if self._closing else ''}>"


class OutputLine(Line):
    """A write pipe to one of the program's own standard streams: it prints, at replay too."""

    def __init__(self, exchange: Exchange, number: int, info: dict[str, Any], label: str) -> None:
        super().__init__(exchange, number, info)
        self._label = label

    def write(self, data: Any) -> None:
        lane, real, piece = running.lane, self._real(), bytes(data)
        if lane is None:
            if real is not None:
                real.write(piece)
            return
        call: Call[None] = Call("output", self._label, "write", request=piece)
        fd = 1 if self._label == "stdout" else 2
        lane.door.emit(lane, call, lambda: real.write(piece) if real is not None else _write_all(fd, piece))


def _write_all(fd: int, rest: bytes) -> None:
    while rest:
        rest = rest[originals.os_write(fd, rest) :]


class PipeLine(Line):
    """One of a child's pipes."""

    def __init__(self, exchange: Exchange, fd: int) -> None:
        super().__init__(exchange, 0, {"can_eof": True}, "process")
        self._fd = fd
        self._label = ("stdin", "stdout", "stderr")[fd]

    def _real(self) -> Any:
        process = super()._real()
        return None if process is None else process.get_pipe_transport(self._fd)

    def _act(self, what: str, perform: Callable[[Any], Any], request: Any = None, body: bytes | None = None) -> Any:
        return super()._act(self._label if what == "write" else f"{self._label} {what}", perform, request, body)

    def lost(self) -> None:
        """Its other end was closed."""
        self._closing = True

    def _flow(self, what: str) -> None:
        self._exchange.lines[0].flow(what)


class ChildLine(Acting, asyncio.SubprocessTransport):
    """A child process, as the program has it."""

    def __init__(self, exchange: Exchange, number: int, info: dict[str, Any]) -> None:
        Acting.__init__(self, exchange, number, "process")
        asyncio.SubprocessTransport.__init__(self)
        self._pid: int = info["pid"]
        self._pipes = {fd: PipeLine(exchange, fd) for fd in info["pipes"]}
        self._protocol: Any = None
        self._closed = False
        self._over = False
        self._returncode: int | None = None
        self._exit_waiters: list[Any] = []

    def receive(self, what: str, args: list[Any]) -> None:
        """Call the protocol's method."""
        protocol = self._protocol
        if what == "pipe":
            protocol.pipe_data_received(*args)
        elif what == "pipe lost":
            self._pipes[args[0]].lost()
            protocol.pipe_connection_lost(*args)
        elif what == "exited":
            self._returncode = args[0]
            protocol.process_exited()
        elif what == "lost":
            self._over = True
            try:
                protocol.connection_lost(args[0])
            finally:
                for waiter in self._exit_waiters:
                    if not waiter.cancelled():
                        waiter.set_result(self._returncode)
        else:
            self.flow(what)

    def flow(self, what: str) -> None:
        """The pipe to it is full, or isn't any more."""
        if what == "pause":
            self._protocol.pause_writing()
        else:
            self._protocol.resume_writing()

    _flow = flow

    async def _wait(self) -> int | None:
        """What `asyncio.subprocess.Process.wait` calls."""
        if self._returncode is not None:
            return self._returncode
        waiter = self._exchange.loop.create_future()
        self._exit_waiters.append(waiter)
        return await waiter  # type: ignore[no-any-return]

    def discard(self) -> None:
        """The program's protocol can't be had: close the real thing."""
        real = self._real()
        if real is not None:
            with nobody():
                real.close()

    def get_pid(self) -> int:
        return self._pid

    def get_returncode(self) -> int | None:
        return self._returncode

    def get_pipe_transport(self, fd: int) -> Any:
        return self._pipes.get(fd)

    def send_signal(self, signal: int) -> None:
        if self._over:
            raise ProcessLookupError
        self._act("signal", lambda real: real.send_signal(signal), {"signal": int(signal)})

    def terminate(self) -> None:
        self.send_signal(15)

    def kill(self) -> None:
        self.send_signal(9)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._act("close", lambda real: real.close())

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def __repr__(self) -> str:
        return f"<transport of {self._exchange.name} pid={self._pid} returncode={self._returncode}>"
