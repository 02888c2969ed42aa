"""Both ends of an MCP transport under record and replay. Design: `seams.mcp`."""

from __future__ import annotations

import asyncio
import contextvars
import json
from functools import partial
from typing import Any, Self, cast

import anyio
import anyio.lowlevel
from mcp_types import jsonrpc_message_adapter
from pydantic_core import ValidationError

from replay.boundary.door import Call
from replay.boundary.lanes import Inside, Lane, carrier, nobody, running
from replay.model.effect import Effect

_READS = frozenset("ping initialize notifications/initialized server/discover completion/complete".split())
_READING = ("list", "read", "get")


class Keeper:
    """Holds the real transport open, in a task of its own that has no lane; at replay it is never opened.

    What the transport prints meanwhile, and the processes that it starts, belong to the crossing that opened it.
    """

    def __init__(self, manager: Any, lane: Lane, call: Call[Any]) -> None:
        self._manager = manager
        self._inside = Inside(lane)
        self._inside.depth = 1
        self._inside.call = call
        self._task: Any = None
        self._opened: Any = None
        self._closing: Any = None
        self._ended: Any = None
        self.reader: Any = None
        self.writer: Any = None

    async def open(self) -> None:
        """Called inside the crossing."""
        loop = asyncio.get_running_loop()
        self._opened, self._closing, self._ended = (loop.create_future() for _ in range(3))
        context = contextvars.copy_context()
        context.run(carrier.set, self._inside)
        self._task = loop.create_task(self._hold(), context=context)
        try:
            error = await self._opened
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if error is not None:
            raise error

    async def _hold(self) -> None:
        error: BaseException | None = None
        try:
            async with self._manager as (self.reader, self.writer):
                _tell(self._opened, None)
                thrown = await self._closing
                if thrown is not None:
                    raise thrown
        except BaseException as raised:
            error = raised
        _tell(self._opened, error)
        _tell(self._ended, error)

    async def send(self, message: Any) -> None:
        """Called inside a crossing: tasks that the transport starts for this message are the transport's, too."""
        carrier.set(self._inside)
        await self.writer.send(message)

    async def close(self, thrown: type[BaseException] | None) -> list[str] | None:
        """Leave the transport; `thrown` is what the program leaves it by.

        Returns: messages of the exception groups that the transport puts around it, None where it swallows it.
        """
        if self._task is None:
            return []
        mine = None if thrown is None else (_Left() if issubclass(thrown, Exception) else _LeftHard())
        _tell(self._closing, mine)
        try:
            error = await self._ended
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        groups: list[str] = []
        inner: Any = error
        while mine is not None and len(getattr(inner, "exceptions", ())) == 1:
            groups.append(inner.message)
            inner = inner.exceptions[0]
        if inner is mine:
            return groups
        if error is None:
            return None
        raise error


class _Left(Exception):
    """Stands for the exception by which the program leaves the transport; it stays the program's own."""


class _LeftHard(BaseException):
    """The same for what isn't an `Exception`."""


def _tell(future: Any, value: Any) -> None:
    if not future.done():
        future.set_result(value)


class Session:
    """What reader and writer of one transport share.

    Attributes:
        call: that opened it. read_only: the tools that say so.
    """

    def __init__(self, call: Call[Any], keeper: Keeper, module: Any) -> None:
        self.call = call
        self.keeper = keeper
        self.read_only: set[str] = set()
        self._message: Any = module.SessionMessage
        self._adapter: Any = jsonrpc_message_adapter

    def rebuilt(self, stored: Any) -> Any:
        """A message that came, as the transport would have given it."""
        if isinstance(stored, Exception):
            return stored
        if "unreadable" in stored:
            return ValidationError.from_exception_data(stored["unreadable"], stored["errors"])
        return self._message(self._adapter.validate_json(json.dumps(stored), by_name=False))

    def noticed(self, stored: Any) -> None:
        """Remember what a list of tools says about them."""
        tools: Any = _field(_field(stored, "result"), "tools")
        for tool in tools if isinstance(tools, list) else ():  # pyright: ignore[reportUnknownVariableType]
            if _field(_field(tool, "annotations"), "readOnlyHint") is True:
                self.read_only.add(str(_field(tool, "name")))

    def sending(self, message: Any) -> Call[None]:
        """The crossing of one message that goes out."""
        sent = stored(message)
        method, target = sent.get("method"), _target(sent)
        name = f"{method or 'answer'} {target if method else sent.get('id')}".rstrip()
        return Call("mcp", name, self._effect(method, target), sent, meta={"session": self.call.event})

    def _effect(self, method: Any, target: str) -> Effect:
        if method == "tools/call":
            return "read" if target in self.read_only else "write"
        what = str(method).rpartition("/")[2]
        return "read" if method in _READS or what in _READING else "write"


def stored(message: Any) -> Any:
    """A `SessionMessage` as its JSON; an exception that came instead as it is, and what one says about its JSON."""
    if isinstance(message, ValidationError):
        errors: list[dict[str, Any]] = [dict(error) for error in message.errors(include_url=False)]
        return {"unreadable": message.title, "errors": [{k: v for k, v in e.items() if k != "msg"} for e in errors]}
    if isinstance(message, Exception):
        return message
    return message.message.model_dump(by_alias=True, mode="json", exclude_unset=True)


def _target(sent: Any) -> str:
    params = _field(sent, "params")
    return str(_field(params, "name") or _field(params, "uri") or "")


def _field(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


class _End:
    """One end of the transport. Closing it is the program's own doing: what that does to the transport isn't seen."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _real(self) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """As `anyio` streams have it."""
        real = self._real
        if real is not None:
            with nobody():
                real.close()

    async def aclose(self) -> None:
        """As `anyio` streams have it."""
        self.close()
        await anyio.lowlevel.checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Reader(_End):
    """Messages that come from the server. `last_context`: of the sender; over here that is nobody's."""

    last_context = None

    @property
    def _real(self) -> Any:
        return self._session.keeper.reader

    async def receive(self) -> Any:
        """The next message, or an exception that came instead of one.

        Raises:
            anyio.EndOfStream: the transport has ended.
        """
        lane, session = running.lane, self._session
        if lane is None:
            return await self._real.receive()
        found: list[Any] = []

        async def step() -> Any:
            try:
                found.append(await self._real.receive())
            except anyio.EndOfStream:
                raise StopAsyncIteration from None
            return stored(found[0])

        try:
            piece = await lane.door.apull(lane, session.call, step)
        except StopAsyncIteration:
            raise anyio.EndOfStream from None
        session.noticed(piece)
        return found[0] if found else session.rebuilt(piece)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class Writer(_End):
    """Messages that go to the server."""

    @property
    def _real(self) -> Any:
        return self._session.keeper.writer

    async def send(self, message: Any) -> None:
        """Hand a message to the transport."""
        lane, session = running.lane, self._session
        if lane is None:
            await session.keeper.send(message)
            return
        metadata = message.metadata
        if getattr(metadata, "on_resumption_token_update", None) is not None:
            lane.door.blind("callback", "on_resumption_token_update: called inside of an MCP transport")
        await lane.door.across(lane, session.sending(message), partial(session.keeper.send, message))
