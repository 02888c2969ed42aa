"""ASGI: one cassette per request or websocket.

Events, all of kind `server`:

    request             its outcome is the scope: method, url, headers, …
    receive             its outcome is the message
    send <type>         the message, written
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Unpack

from replay import closing, session
from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.cassette.codec import pack
from replay.model.errors import NotStorable
from replay.part import Part, prepared
from replay.servers.place import place_of

Scope = Any
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_LIVE = frozenset(
    ("app", "router", "endpoint", "route", "state", "headers", "query_string", "raw_path", "user", "auth")
)


class asgi:  # noqa: N801 - it is used like a function, and frameworks want a class
    """An ASGI application whose every request is recorded into a cassette of its own.

    Args:
        app: the application.
        where: `module:name`, or `module:make()`, by which a replay finds the application; looked
            for in the program's modules by default.
        options: `directory`, `name`, `tags`, `linger`: as `entrypoint`'s; `name` is the request's line by default.

    Example:
        app = replay.asgi(app)                  # any ASGI application
        app.add_middleware(replay.asgi)         # starlette, fastapi
    """

    def __init__(self, app: App, *, where: str | None = None, **options: Unpack[session.Options]) -> None:
        self.app = app
        self._where = where
        self._sessions = session.Sessions(**options)
        self._place: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        part = prepared()
        if scope["type"] == "lifespan" and part is None:
            await self.app(scope, receive, _closer(send))
        elif scope["type"] not in ("http", "websocket") or (part is None and not self._sessions.wanted()):
            await self.app(scope, receive, send)
        elif part is not None:
            if part.begun:
                await self.app(scope, receive, send)
            else:
                with part.play():
                    await self._serve(scope, receive, send)
        else:
            with self._sessions.begin(
                self._entry(scope),
                name=f"{scope.get('method', 'WEBSOCKET')} {scope['path']}",
                traceparent=_header(scope, b"traceparent"),
            ):
                await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        lane = running.lane
        if lane is None:  # recording couldn't begin
            await self.app(scope, receive, send)
            return
        call: Call[Any] = Call("server", "request", "read")
        asked = lane.door.cross(lane, call, lambda: _stored(scope))
        await self.app({**scope, **_revived(asked)}, _receiver(receive), _sender(send))

    def _entry(self, scope: Scope) -> dict[str, Any]:
        if self._place is None:
            self._place = place_of((self, scope.get("app", self)), self._where)
        return {"type": "asgi", "protocol": scope["type"], **self._place}


def _closer(send: Send) -> Send:
    async def closed(message: Message) -> None:
        """Servers end by the signal that stopped them, past every exit handler, as soon as they are told this."""
        if message["type"].startswith("lifespan.shutdown"):
            await asyncio.to_thread(closing.at_exit)
        await send(message)

    return closed


def _receiver(receive: Receive) -> Receive:
    async def recorded() -> Message:
        lane = running.lane
        if lane is None:
            return await receive()
        call: Call[Any] = Call("server", "receive", "read", dump=_plain)
        return await lane.door.across(lane, call, receive)

    return recorded


def _sender(send: Send) -> Send:
    async def recorded(message: Message) -> None:
        lane = running.lane
        if lane is None:
            await send(message)
            return
        plain = _plain(message)
        body = plain.pop("body", None)
        call: Call[None] = Call("server", f"send {plain['type']}", "write", plain, body)
        await lane.door.across(lane, call, lambda: send(message))

    return recorded


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as it is stored: headers as text, so that redaction finds them."""
    plain = dict(message)
    if "headers" in plain:
        plain["headers"] = [
            [bytes(name).decode("latin-1"), bytes(value).decode("latin-1")] for name, value in plain["headers"]
        ]
    return plain


def _header(scope: Scope, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)


def _stored(scope: Scope) -> dict[str, Any]:
    """What of a scope says what is asked; the server's own objects in it aren't part of that."""
    plain = _plain({"headers": scope["headers"]})
    query = scope.get("query_string", b"").decode("latin-1")
    plain["url"] = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1") + (f"?{query}" if query else "")
    for key, value in scope.items():
        if key not in _LIVE:
            try:
                pack(value)
            except NotStorable:
                continue
            plain[key] = value
    return plain


def _revived(stored: Mapping[str, Any]) -> dict[str, Any]:
    path, _, query = stored["url"].partition("?")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stored["headers"]]
    rest = {key: value for key, value in stored.items() if key != "url"}
    return {**rest, "headers": headers, "raw_path": path.encode("latin-1"), "query_string": query.encode("latin-1")}


async def call_again(part: Part, app: Any) -> None:
    """Start the application as a server does, and call it until the recorded part is over."""
    state: dict[str, Any] = {}
    living = await _begun(app, state)
    scope: dict[str, Any] = {
        "type": part.entry["protocol"],
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "state": state,
    }
    scope |= {
        "http_version": "1.1",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
    }
    scope |= {"headers": [], "client": None, "server": None}
    scope["method" if scope["type"] == "http" else "subprotocols"] = "GET" if scope["type"] == "http" else []
    await app(scope, _nothing, _nowhere)
    await part.rest()
    if living is not None:
        living.cancel()


async def _begun(app: Any, state: dict[str, Any]) -> asyncio.Task[None] | None:
    """The task in which the application lives, once it has started; None where it doesn't care."""
    started = asyncio.get_running_loop().create_future()
    given = False

    async def receive() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "lifespan.startup"}
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Message) -> None:
        if not started.done():
            started.set_result(None)

    async def live() -> None:
        try:
            await app(
                {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}, receive, send
            )
        except Exception:  # as servers see it: it doesn't know what that is
            pass
        finally:
            if not started.done():
                started.set_result(None)

    task = asyncio.ensure_future(live())
    await started
    return task


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(message: Message) -> None:
    """What is sent around the recorded part."""
