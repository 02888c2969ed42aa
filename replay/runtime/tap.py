"""Connections and processes that the program opens through its event loop: the protocol is tapped.

    program's protocol  <->  Line (a transport)  |  door  |  Ear (a protocol)  <->  the real transport

Opening is a crossing that streams: what the real transport calls on its protocol (`data_received`, `connection_lost`,
…) is a piece of that event, a *push*, written when it arrives and delivered to the program's protocol at once. At
replay there is no real transport, and the loop delivers each push at its place in the order. What the program does to
its transport (writing, closing, signalling) is a crossing of its own lane.

Each connection is a lane (a callback of the one that opened it): its protocol's methods run there. Connections that a
library opens inside a crossing aren't tapped.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from replay.boundary import turns
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, carrier, nobody, running
from replay.runtime.endpoints import describe
from replay.runtime.lines import Line

Push = tuple[Any, ...]
"""(number of the connection, what happened, …): `data`, `eof`, `lost`, `pause`, `resume`, `accepted`, `pipe`, …"""


class Exchange:
    """One opened thing (a connection, a server, a process) and the connections it has.

    Attributes:
        lines: what the program has for transports, by number.
        reals: the real transports; empty at replay. numbers: of the connections that it accepts.
        during: the flow control that a call of the program has caused so far, while one is performed.
        accept: makes the program's side of a connection, for servers.
        name: what its events are called. event: the one that opened it.
    """

    def __init__(self, loop: Any, name: str) -> None:
        self.loop = loop
        self.name = name
        self.lines: dict[int, Any] = {}
        self.reals: dict[int, Any] = {}
        self.numbers = itertools.count(1)
        self.during: list[str] | None = None
        self.event: int | None = None
        self._places: dict[int, tuple[Lane, contextvars.Context]] = {}
        self._note: Callable[[Lane, Push], None] | None = None
        self._early: list[Push] = []
        self.accept: Callable[[int, Any], None] | None = None

    # -- the program's side ------------------------------------------------------------------------------------------

    def begin(self, lane: Lane, call: Call[Any]) -> None:
        """The event has begun: from now on its pushes are delivered. Called in the lane that opened it."""
        self.place(0, lane)
        self.event = call.event
        self._note = lane.door.inbox(call, self.loop, self.deliver)
        if self._early:
            with nobody():
                self.loop.call_soon(self._flush)

    def place(self, number: int, parent: Lane) -> Lane:
        """The connection of that number gets a lane and a context."""
        lane = parent.spawn("callback")
        context = contextvars.copy_context()
        context.run(carrier.set, lane)
        self._places[number] = lane, context
        return lane

    def lane(self, number: int) -> Lane:
        """The lane of a connection."""
        return self._places[number][0]

    def deliver(self, push: Push) -> Any:
        """Hand it to the program's protocol, in the connection's lane."""
        number, what, *args = push
        lane, context = self._places[0 if what == "accepted" else number]
        before, running.lane = running.lane, lane
        try:
            with turns.acting(lane):
                if what == "accepted":
                    assert self.accept is not None
                    return context.run(self.accept, number, args[0])
                return context.run(self.lines[number].receive, what, args)
        finally:
            running.lane = before
            if what == "lost" and number:  # one of a server's, of which there may be many
                for held in (self.lines, self.reals, self._places):
                    held.pop(number, None)

    def enter(self, number: int, do: Callable[[], None]) -> None:
        """Run it in the lane of that connection."""
        lane, context = self._places[number]
        before, running.lane = running.lane, lane
        try:
            with turns.acting(lane):
                context.run(do)
        finally:
            running.lane = before

    # -- the real side -----------------------------------------------------------------------------------------------

    def push(self, *push: Any) -> Any:
        """Something arrived: note and deliver it; keep it while the program's side isn't there yet."""
        if self._note is None or self._early:
            self._early.append(push)
            return None
        return self._pass(push)

    def _pass(self, push: Push) -> Any:
        assert self._note is not None
        self._note(self.lane(0 if push[1] == "accepted" else push[0]), push)
        return self.deliver(push)

    def _flush(self) -> None:
        early, self._early = self._early, []
        for push in early:
            self._pass(push)


class Ear(asyncio.Protocol, asyncio.SubprocessProtocol, asyncio.DatagramProtocol):
    """The real transport's protocol: passes on whatever it is told."""

    def __init__(self, exchange: Exchange, number: int = 0) -> None:
        self._exchange = exchange
        self._number = number

    def connection_made(self, transport: Any) -> None:
        self._exchange.reals[self._number] = transport

    def data_received(self, data: bytes) -> None:
        self._exchange.push(self._number, "data", bytes(data))

    def eof_received(self) -> bool | None:
        keep = self._exchange.push(self._number, "eof")
        return None if keep is None else bool(keep)

    def connection_lost(self, exc: Exception | None) -> None:
        self._exchange.push(self._number, "lost", exc)

    def pause_writing(self) -> None:
        self._flow("pause")

    def resume_writing(self) -> None:
        self._flow("resume")

    def _flow(self, what: str) -> None:
        """Within a call of the program it happens there, before that returns: part of its outcome."""
        if self._exchange.during is not None:
            self._exchange.during.append(what)
        else:
            self._exchange.push(self._number, what)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._exchange.push(self._number, "datagram", bytes(data), addr)

    def error_received(self, exc: Exception) -> None:
        self._exchange.push(self._number, "error", exc)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._exchange.push(self._number, "pipe", fd, bytes(data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._exchange.push(self._number, "pipe lost", fd, exc)

    def process_exited(self) -> None:
        returncode = self._exchange.reals[self._number].get_returncode()
        self._exchange.push(self._number, "exited", returncode)


class Newcomer(Ear):
    """The protocol of a connection that a server has accepted."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange, -1)

    def connection_made(self, transport: Any) -> None:
        exchange = self._exchange
        self._number = next(exchange.numbers)
        exchange.reals[self._number] = transport
        exchange.push(self._number, "accepted", describe(transport))


async def connect(
    loop: Any,
    lane: Lane,
    call: Call[Any],
    factory: Callable[[], Any],
    real: Callable[[Callable[[], Any]], Awaitable[Any]],
    *,
    line: Callable[..., Any] = Line,
) -> tuple[Any, Any]:
    """Open something that is one transport and its protocol: (transport, protocol), as the loop's methods return them.

    Args:
        real: opens it for real, given the factory of the real protocol.
        line: makes the program's transport out of (exchange, number, what is known about it).
    """
    exchange = Exchange(loop, call.name)
    call.streams = True

    async def perform() -> Any:
        transport, _ = await real(lambda: Ear(exchange))
        exchange.reals[0] = transport
        return describe(transport)

    info = await lane.door.across(lane, call, perform)
    exchange.lines[0] = transport = line(exchange, 0, info)
    try:
        protocol = factory()
        transport.set_protocol(protocol)
        exchange.begin(lane, call)
        protocol.connection_made(transport)
    except BaseException:
        transport.discard()
        raise
    return transport, protocol


async def serve(
    loop: Any,
    lane: Lane,
    call: Call[Any],
    factory: Callable[[], Any],
    real: Callable[[Callable[[], Any]], Awaitable[Any]],
    context: Any,
) -> tuple[Exchange, Any]:
    """Open a server: its exchange and what is known about its sockets. `context`: of its TLS."""
    exchange = Exchange(loop, call.name)
    call.streams = True

    async def perform() -> Any:
        server = exchange.reals[0] = await real(lambda: Newcomer(exchange))
        return [describe(each) for each in server.sockets]

    info = await lane.door.across(lane, call, perform)

    def accept(number: int, known: Any) -> None:
        line = exchange.lines[number] = Line(exchange, number, known)
        line.context = context
        exchange.place(number, exchange.lane(0))

        def begin() -> None:
            protocol = factory()
            line.set_protocol(protocol)
            protocol.connection_made(line)

        exchange.enter(number, begin)

    exchange.accept = accept
    exchange.begin(lane, call)
    return exchange, info
