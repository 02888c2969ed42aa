"""aiohttp's client: what a ClientSession sends through its connector.

The connector hands out a `_Front` connection that connects nothing. The session writes its request into it, as it would
into a socket; once the request is whole, one crossing connects, sends it and waits for the head. So everything above the
connection is aiohttp's own code and runs again at replay: redirects, cookies, middlewares, timeouts, content-decoding, and
the `ClientResponse`, which is a real one on a connection that isn't.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.seams import _aiohttp_body, _wire
from replay.seams._http import Head, call_of, pairs, raw
from replay.seams._seam import patch

_INNER_SIGNALS = (
    "on_connection_queued_start on_connection_queued_end on_connection_create_start on_connection_create_end "
    "on_connection_reuseconn on_dns_resolvehost_start on_dns_resolvehost_end on_dns_cache_hit on_dns_cache_miss"
).split()


def install(module: ModuleType) -> None:
    """Patch the connectors of `module`, aiohttp."""
    library: Any = module
    seam = _Seam(library)
    patch(library.BaseConnector, "connect", seam.wrap_connect)
    for connector in (library.BaseConnector, library.TCPConnector):
        patch(connector, "close", _wrap_close)
    patch(library.ClientSession, "_ws_connect", _wrap_websocket)


class _Seam:
    def __init__(self, module: Any) -> None:
        self.module = module
        self.reader = _aiohttp_body.reader_class(module)
        self._connection: Any = type("FrontConnection", (_Front, module.connector.Connection), {})
        self._protocol: Any = type("FrontProtocol", (_Protocol, module.client_proto.ResponseHandler), {})

    def wrap_connect(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def connect(connector: Any, req: Any, traces: Any, timeout: Any) -> Any:
            lane = running.lane
            if lane is None or req.headers.get("Upgrade"):
                return await original(connector, req, traces, timeout)
            if any(_has_inner_signals(trace) for trace in traces):
                lane.door.blind("callback", "aiohttp trace signals about connections and name look-up")
            if req.proxy:
                connector._update_proxy_auth_header_and_build_proxy_req(req)

            async def reach() -> Any:
                try:
                    return await original(connector, req, traces, timeout)
                except asyncio.TimeoutError as error:
                    # What the session would have made of it.
                    raise self.module.ConnectionTimeoutError(f"Connection timeout to host {req.url}") from error

            return self._connection(connector, self._protocol(self, req, reach))

        return connect


def _has_inner_signals(trace: Any) -> bool:
    config = getattr(trace, "_trace_config", None)
    return any(getattr(config, name, None) for name in _INNER_SIGNALS)


def _wrap_close(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """How often closing suspends depends on the connections there are, so it is a crossing."""

    def close(self: Any, *args: Any, **kwargs: Any) -> Awaitable[None]:
        lane = running.lane
        if lane is None or self._closed:
            return original(self, *args, **kwargs)

        async def perform() -> None:
            await original(self, *args, **kwargs)

        async def crossing() -> None:
            await lane.door.across(lane, Call("order", "aiohttp connector close", "read"), perform)
            if not self._closed:  # at replay nothing is open
                with nobody():
                    self._close()

        return crossing()

    return close


def _wrap_websocket(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def ws_connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is not None:
            lane.door.blind("connection", "aiohttp websocket")
        return await original(self, *args, **kwargs)

    return ws_connect


class _Front:
    """The connection a session gets in a lane; what it does with it stays here."""

    _callbacks: list[Any]

    def __init__(self, connector: Any, protocol: _Protocol) -> None:
        self._key = protocol.req.connection_key
        self._connector = connector
        self._loop = connector._loop
        self._protocol: _Protocol | None = protocol
        self._callbacks = []

    def release(self) -> None:
        self._leave(keep=True)

    def close(self) -> None:
        self._leave(keep=False)

    def __del__(self, *_: Any) -> None:
        if self._protocol is not None and not self._loop.is_closed():
            self._protocol.leave(keep=False)

    def _leave(self, *, keep: bool) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.leave(keep=keep)


class _Protocol:
    """What a front connection has for a protocol: gathers the request, crosses once, and gives out the response.

    Args:
        reach: gets a real connection from the connector.
    """

    _loop: Any
    transport: Any

    def __init__(self, seam: _Seam, req: Any, reach: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(req.loop)  # type: ignore[call-arg] # of ResponseHandler
        self.req = req
        self.payload: Any = None
        self._seam = seam
        self._reach = reach
        self._params: dict[str, Any] = {}
        self._failure: BaseException | None = None
        self._continued = False
        self._whole: asyncio.Future[None] = req.loop.create_future()
        self._back: Any = None
        self.transport = _Sink(self)

    # -- what the session and its writer call --------------------------------------------------------------------

    def set_response_params(self, **params: Any) -> None:
        self._params = params

    def start_timeout(self) -> None:
        """The request has been written to its end."""
        if not self._whole.done():
            self._whole.set_result(None)

    def set_exception(self, exc: BaseException, exc_cause: Any = None) -> None:
        """The program's body failed."""
        self._failure = exc
        self.start_timeout()

    def pause_reading(self) -> None:
        """Nothing is pushed: pieces are fetched."""

    def resume_reading(self, *_: Any, **__: Any) -> None:
        """See `pause_reading`."""

    async def read(self) -> tuple[Any, Any]:
        """The response's head and its body."""
        if self.req._continue is not None and not self._continued:
            self._continued = True  # the body is the program's, and needed before anything is sent
            return self._message({"status": 100, "reason": "Continue", "headers": [], "version": "HTTP/1.1"}), None
        await self._whole
        if self._failure is not None:
            raise self._failure
        lane = running.lane
        if lane is None:
            return self._opened(await self._perform(), None)
        asked = _wire.parse_request(self.transport.written)
        url = str(self.req.url)
        call = call_of(lane, asked.method, url, asked.headers, asked.body, asked.version)

        def dump(head: Head) -> Head:
            call.streams = self._has_body(head)
            return head

        call.dump = dump
        try:
            head = await lane.door.across(lane, call, self._perform)
        except Exception as error:
            _give_back(error, self.req)
            raise
        finally:
            call.dump = None  # no cycle may keep the program's body alive: when it goes is an input of its loop
        return self._opened(head, call)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _perform(self) -> Head:
        back = self._back = await self._reach()
        protocol = back.protocol
        # The timer belongs to the program's task and is watched above; decoding is done above.
        protocol.set_response_params(**{**self._params, "timer": None, "auto_decompress": False})
        back.transport.write(self.transport.written)
        protocol.start_timeout()
        while True:
            message, self.payload = await protocol.read()
            if not 100 <= message.code < 200 or message.code == 101:
                version = f"HTTP/{message.version.major}.{message.version.minor}"
                headers = pairs(message.raw_headers)
                return {"status": message.code, "reason": message.reason, "headers": headers, "version": version}

    def _has_body(self, head: Head) -> bool:
        method = "HEAD" if self._params.get("skip_payload") else self.req.method
        return _wire.Body(head, method).left != 0

    def _opened(self, head: Head, call: Call[Any] | None) -> tuple[Any, Any]:
        message = self._message(head)
        if not self._has_body(head):
            return message, self._seam.module.streams.EMPTY_PAYLOAD
        reader = self._seam.reader(
            self,
            self._params.get("read_bufsize", 1 << 16),
            timer=self._params.get("timer"),
            loop=self._loop,
        )
        decoded = message.compression if self._params.get("auto_decompress", True) else None
        reader.begin(call, decoded, chunked=message.chunked)
        return message, reader

    def _message(self, head: Head) -> Any:
        from multidict import CIMultiDict, CIMultiDictProxy

        module = self._seam.module
        lines = tuple(raw(head))
        headers = CIMultiDict(
            (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in lines
        )
        encoding = headers.get("Content-Encoding", "").lower()
        version = module.http.HttpVersion11 if head["version"] == "HTTP/1.1" else module.http.HttpVersion10
        return module.http_parser.RawResponseMessage(
            version,
            head["status"],
            head["reason"],
            CIMultiDictProxy(headers),
            lines,
            "close" in headers.get("Connection", "").lower(),
            encoding if encoding in ("gzip", "deflate", "br", "zstd") else None,
            False,
            "chunked" in headers.get("Transfer-Encoding", "").lower(),
        )

    def leave(self, *, keep: bool) -> None:
        """The session is done with the connection."""
        back, self._back, self.transport, self.payload = self._back, None, None, None
        if back is not None:
            with nobody():
                if keep:
                    back.release()  # closes it itself where the body isn't read to its end
                else:
                    back.close()

    def close(self) -> None:
        self.leave(keep=False)

    abort = close


class _Sink:
    """The transport of a front connection: keeps what is written."""

    def __init__(self, protocol: _Protocol) -> None:
        self._protocol = protocol
        self._written = bytearray()

    @property
    def written(self) -> bytes:
        return bytes(self._written)

    def write(self, data: Any) -> None:
        self._written += data

    def writelines(self, data: Any) -> None:
        for part in data:
            self._written += part

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the real connection; it isn't recorded."""
        back = self._protocol._back
        if back is None or back.transport is None:
            return default
        lane = running.lane
        if lane is not None:
            lane.door.blind("connection", f"aiohttp transport.get_extra_info({name!r})")
        return back.transport.get_extra_info(name, default)

    def close(self) -> None:
        self._protocol.leave(keep=False)

    abort = close


def _give_back(error: Any, req: Any) -> None:
    """aiohttp's errors know their connection's key, which a cassette may not be able to store."""
    if hasattr(error, "_conn_key"):
        error._conn_key = req.connection_key
        error.args = (req.connection_key, *error.args[1:])
