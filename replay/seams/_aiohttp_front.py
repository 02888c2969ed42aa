"""The connection that an aiohttp session gets in a lane. Design: `seams.aiohttp`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.seams import _wire
from replay.seams._aiohttp_errors import put_together, take_apart
from replay.seams._http import Head, call_of, pairs, raw


@dataclass(frozen=True, slots=True)
class Library:
    """aiohttp, and its reader as `_aiohttp_body` makes it."""

    module: Any
    reader: Any


class Front:
    """The connection a session gets in a lane; what it does with it stays here."""

    _callbacks: list[Any]

    def __init__(self, connector: Any, protocol: Protocol) -> None:
        self._key = protocol.req.connection_key
        self._connector = connector
        self._loop = connector._loop
        self._protocol: Protocol | None = protocol
        self._callbacks = []

    def release(self) -> None:
        self._leave(keep=True)

    def close(self) -> None:
        self._leave(keep=False)

    def __del__(self, *_: Any) -> None:
        if self._protocol is not None and not self._loop.is_closed():
            self._protocol.unread = None  # who forgot it didn't leave it at any certain place
            self._protocol.leave(keep=False)

    def _leave(self, *, keep: bool) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.leave(keep=keep)


class Protocol:
    """What a front connection has for a protocol: gathers the request, crosses once, and gives out the response.

    Args:
        reach: gets a real connection from the connector.

    Attributes:
        unread: the call whose body hasn't been read to its end.
    """

    _loop: Any
    transport: Any

    def __init__(self, library: Library, req: Any, reach: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(req.loop)  # type: ignore[call-arg] # of ResponseHandler
        self.req = req
        self.payload: Any = None
        self.unread: Call[Any] | None = None
        self._library = library
        self._reach = reach
        self._params: dict[str, Any] = {}
        self._failure: BaseException | None = None
        self._continued = False
        self._whole: asyncio.Future[None] = req.loop.create_future()
        self.back: Any = None
        self.transport = Sink(self)

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
            return self._opened(await self._exchange(), None)
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
            put_together(error, self._library.module, self.req)
            raise
        finally:
            call.dump = None  # no cycle may keep the program's body alive: when it goes is an input of its loop
        return self._opened(head, call)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _perform(self) -> Head:
        try:
            return await self._exchange()
        except Exception as error:
            take_apart(error)
            raise

    async def _exchange(self) -> Head:
        back = self.back = await self._reach()
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
            return message, self._library.module.streams.EMPTY_PAYLOAD
        reader = self._library.reader(
            self,
            self._params.get("read_bufsize", 1 << 16),
            timer=self._params.get("timer"),
            loop=self._loop,
        )
        decoded = message.compression if self._params.get("auto_decompress", True) else None
        self.unread = call
        reader.begin(call, decoded, chunked=message.chunked)
        return message, reader

    def _message(self, head: Head) -> Any:
        from multidict import CIMultiDict, CIMultiDictProxy

        module = self._library.module
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
        back, self.back, self.transport, self.payload = self.back, None, None, None

        def close() -> None:
            if back is not None:
                with nobody():
                    if keep:
                        back.release()  # closes it itself where the body isn't read to its end
                    else:
                        back.close()

        lane, unread, self.unread = running.lane, self.unread, None
        if lane is None or unread is None:
            close()
        else:
            lane.door.pull(lane, unread, close, closes=True)

    def close(self) -> None:
        self.leave(keep=False)

    abort = close


class Sink:
    """The transport of a front connection: keeps what is written."""

    def __init__(self, protocol: Protocol) -> None:
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
        back = self._protocol.back
        if back is None or back.transport is None:
            return default
        lane = running.lane
        if lane is not None:
            lane.door.blind("connection", f"aiohttp transport.get_extra_info({name!r})")
        return back.transport.get_extra_info(name, default)

    def close(self) -> None:
        self._protocol.leave(keep=False)

    abort = close
