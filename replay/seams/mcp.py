"""MCP clients: the messages between a session and its transport, over whatever transport.

    ClientSession, Client …  <->  Reader, Writer  |  door  |  Keeper: the real transport, its tasks, process and HTTP

Opening a transport is a crossing that streams: each message that comes is a piece of it, and each message that is sent
is a crossing of its own. Above that everything runs again at replay: request ids, timeouts, progress, sampling. Below
it nothing does: no process is started, no request is sent.

Servers aren't patched: what they read and write is recorded where it goes.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import anyio

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, running
from replay.seams._http import label
from replay.seams._mcp import Keeper, Reader, Session, Writer
from replay.seams._process import described, program_of
from replay.seams._seam import patch


def install(module: ModuleType) -> None:
    """Patch the transports of `mcp.client.stdio`, `.streamable_http` or `.sse`."""
    name, opening = _OPENINGS[module.__name__]
    patch(module, name, partial(_wrap, opening, module))


class Transport:
    """What a transport function returns: a context manager that gives the streams to read from and write to."""

    def __init__(self, manager: Any, opening: Callable[[Lane], Call[None]], module: Any, *, shield: bool) -> None:
        self._manager = manager
        self._opening = opening
        self._module = module
        self._shield = shield
        self._keeper: Keeper | None = None
        self._name = ""

    async def __aenter__(self) -> Any:
        lane = running.lane
        if lane is None or not _on_asyncio():
            return await self._manager.__aenter__()
        call = self._opening(lane)
        self._name = call.name
        self._keeper = keeper = Keeper(self._manager, lane, call)
        await lane.door.across(lane, call, keeper.open)
        session = Session(call, keeper, self._module)
        return Reader(session), Writer(session)

    async def __aexit__(self, kind: object, thrown: BaseException | None, trace: object) -> Any:
        keeper, lane = self._keeper, running.lane
        if keeper is None:
            return await self._manager.__aexit__(kind, thrown, trace)
        if lane is None:
            await keeper.close(None)
            return False
        own = None if thrown is None or isinstance(thrown, asyncio.CancelledError) else type(thrown)
        call: Call[list[str] | None] = Call("mcp", f"{self._name} close", "write")
        groups: list[str] | None = []
        with anyio.CancelScope(shield=self._shield):
            groups = await lane.door.across(lane, call, partial(keeper.close, own))
        if groups is None:
            return own is not None
        if thrown is None or not groups:
            return False
        for message in reversed(groups):
            thrown = BaseExceptionGroup(message, [thrown])
        raise thrown from None


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _wrap(
    opening: Callable[[Lane, dict[str, Any]], Call[None]], module: Any, original: Callable[..., Any]
) -> Callable[..., Any]:
    signature = inspect.signature(original)
    shield = opening is _stdio

    def transport(*args: Any, **kwargs: Any) -> Any:
        manager = original(*args, **kwargs)
        if running.lane is None:
            return manager
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return Transport(manager, lambda lane: opening(lane, given.arguments), module, shield=shield)

    return transport


def _stdio(lane: Lane, given: dict[str, Any]) -> Call[None]:
    server = given["server"]
    request = {"transport": "stdio", **described([server.command, *server.args], server.cwd, server.env)}
    name = program_of([server.command])
    lane.door.blind("process output", f"{name} writes to its inherited stderr")
    script = next((program_of([arg]) for arg in server.args if not arg.startswith("-")), "")
    return Call("mcp", f"stdio {name} {script}".rstrip(), "write", request, streams=True)


def _streamable(lane: Lane, given: dict[str, Any]) -> Call[None]:
    client = given["http_client"]
    if client is not None and (client.auth is not None or any(client.event_hooks.values())):
        _calls_back(lane, "auth or event_hooks of its http_client")
    return _http("http", given)


def _sse(lane: Lane, given: dict[str, Any]) -> Call[None]:
    if given["auth"] is not None or given["on_session_created"] is not None:
        _calls_back(lane, "auth or on_session_created")
    return _http("sse", given)


def _calls_back(lane: Lane, what: str) -> None:
    lane.door.blind("callback", f"{what}: called inside of an MCP transport, and not at replay")


def _http(transport: str, given: dict[str, Any]) -> Call[None]:
    url = str(given["url"])
    return Call("mcp", label(transport, url), "write", {"transport": transport, "url": url}, streams=True)


_OPENINGS: dict[str, tuple[str, Callable[[Lane, dict[str, Any]], Call[None]]]] = {
    "mcp.client.stdio": ("stdio_client", _stdio),
    "mcp.client.streamable_http": ("streamable_http_client", _streamable),
    "mcp.client.sse": ("sse_client", _sse),
}
