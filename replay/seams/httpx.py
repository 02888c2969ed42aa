"""httpx and httpx2, which are twins: requests that reach their real transports.

The seam sits above connection pools, TLS and HTTP/2, and below everything that runs again at replay: SDKs, retries,
redirects, cookies, content-decoding. The request's body is read before the crossing, because an iterator that gives it is
the program's code. The response's body is read piece by piece as it arrives.

Closing an asynchronous stream or pool suspends its task, so it goes through the door too: the first as an empty piece,
the second as an event of kind `order`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, nobody, running
from replay.seams._http import CLOSED, Head, call_of, pairs, raw, unexpected
from replay.seams._seam import patch


def install(module: ModuleType) -> None:
    """Patch the transports of `module`, httpx or httpx2."""
    library = _Library(module)
    sync, asynchronous = library.sync_transport, library.async_transport
    patch(sync, "handle_request", library.wrap_sync)
    patch(asynchronous, "handle_async_request", library.wrap_async)
    for name in ("close", "__exit__"):
        patch(sync, name, _aside)
    for name in ("aclose", "__aexit__"):
        patch(asynchronous, name, _closing(f"{module.__name__} {name}"))


class _Library:
    """What differs between the twins: their classes."""

    def __init__(self, module: Any) -> None:
        self.sync_transport = module.HTTPTransport
        self.async_transport = module.AsyncHTTPTransport
        self._response = module.Response
        self._plain = module.ByteStream
        # Both libraries check that streams are instances of their own classes.
        self._parts: Any = type("Parts", (_Parts, module.SyncByteStream, module.AsyncByteStream), {})
        self._pieces: Any = type("Pieces", (_Pieces, module.SyncByteStream), {})
        self._async_pieces: Any = type("AsyncPieces", (_AsyncPieces, module.AsyncByteStream), {})

    def wrap_sync(self, original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def handle_request(transport: Any, request: Any) -> Any:
            lane = running.lane
            if lane is None:
                return original(transport, request)
            parts = list(request.stream)
            call = self._call(lane, request, parts, self._pieces)
            sent = self._sendable(request, parts)
            try:
                response = lane.door.cross(lane, call, lambda: original(transport, sent))
            finally:
                call.load = None  # it knows the call: a cycle, and garbage is collected at no certain time
            return self._watch(call, response, self._pieces)

        return handle_request

    def wrap_async(self, original: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def handle_async_request(transport: Any, request: Any) -> Any:
            lane = running.lane
            if lane is None:
                return await original(transport, request)
            parts = [part async for part in request.stream]
            call = self._call(lane, request, parts, self._async_pieces)
            sent = self._sendable(request, parts)
            try:
                response = await lane.door.across(lane, call, lambda: original(transport, sent))
            finally:
                call.load = None
            return self._watch(call, response, self._async_pieces)

        return handle_async_request

    def _call(self, lane: Lane, request: Any, parts: list[bytes], pieces: Any) -> Call[Any]:
        if "trace" in request.extensions:
            lane.door.blind("callback", "the request's extensions['trace'] is called by the transport")
        call = call_of(lane, request.method, str(request.url), request.headers.raw, b"".join(parts))
        call.dump = _head
        call.load = lambda head: self._rebuilt(head, pieces(call, None))
        return call

    def _sendable(self, request: Any, parts: list[bytes]) -> Any:
        """The request with a body that can be read once more; the program's own object stays as it is."""
        if type(request.stream) is self._plain:
            return request
        sent = object.__new__(type(request))
        sent.__dict__.update(request.__dict__)
        sent.stream = self._parts(parts)
        return sent

    def _watch(self, call: Call[Any], response: Any, pieces: Any) -> Any:
        if not isinstance(response.stream, pieces):  # performed just now, not rebuilt
            response.stream = pieces(call, response.stream)
            if "network_stream" in response.extensions:
                response.extensions["network_stream"] = _NetworkStream(response.extensions["network_stream"])
        return response

    def _rebuilt(self, head: Head, stream: Any) -> Any:
        extensions: dict[str, Any] = {
            "http_version": head["version"].encode("latin-1"),
            "network_stream": _NetworkStream(None),
        }
        if head["reason"] is not None:
            extensions["reason_phrase"] = head["reason"].encode("latin-1")
        return self._response(head["status"], headers=raw(head), stream=stream, extensions=extensions)


def _head(response: Any) -> Head:
    extensions = response.extensions
    reason = extensions.get("reason_phrase")  # HTTP/2 has none
    return {
        "status": response.status_code,
        "reason": None if reason is None else reason.decode("latin-1"),
        "headers": pairs(response.headers.raw),
        "version": extensions.get("http_version", b"").decode("latin-1"),
    }


def _aside(original: Callable[..., Any]) -> Callable[..., Any]:
    """Closing a pool: the locks it takes and the sockets it closes are none of the program's."""

    def close(*args: Any, **kwargs: Any) -> Any:
        if running.lane is None:
            return original(*args, **kwargs)
        with nobody():
            return original(*args, **kwargs)

    return close


def _closing(what: str) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    def wrap(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def close(*args: Any, **kwargs: Any) -> None:
            lane = running.lane
            if lane is None:
                await original(*args, **kwargs)
            else:
                await lane.door.across(lane, Call("order", what, "read"), lambda: original(*args, **kwargs))

        return close

    return wrap


class _Parts:
    """A request's body that was read already, in the parts it came in."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class _Pieces:
    """A response's body, each piece of which is a crossing.

    Args:
        call: whose pieces these are.
        inner: the real stream; None at replay.
    """

    def __init__(self, call: Call[Any], inner: Any) -> None:
        self._call = call
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        steps = _none() if self._inner is None else iter(self._inner)

        def step() -> bytes:
            while True:
                piece: bytes = next(steps)
                if piece:
                    return piece

        try:
            while True:
                lane = running.lane  # whoever reads on may be another lane than the one that asked
                try:
                    piece = step() if lane is None else lane.door.pull(lane, self._call, step)
                except StopIteration:
                    return
                yield piece
        finally:
            close = getattr(steps, "close", None)
            if close is not None:
                with nobody():
                    close()

    def close(self) -> None:
        if self._inner is not None:
            with nobody():
                self._inner.close()


class _AsyncPieces:
    """`_Pieces` for asynchronous streams; closing early is a piece of its own, since it suspends."""

    def __init__(self, call: Call[Any], inner: Any) -> None:
        self._call = call
        self._inner = inner
        self._steps: Any = None
        self._closed = False

    def __aiter__(self) -> _AsyncPieces:
        # Iterating once more is the library's to refuse: it asks its streams the same way.
        self._steps = None if self._inner is None else aiter(self._inner)
        return self

    async def __anext__(self) -> bytes:
        lane = running.lane
        try:
            piece: bytes = await (self._step() if lane is None else lane.door.apull(lane, self._call, self._step))
        except StopAsyncIteration:
            self._closed = True
            raise
        if piece == CLOSED and lane is not None:
            await lane.door.across(lane, unexpected(self._call, "read on"), _nothing)
        return piece

    async def _step(self) -> bytes:
        if self._steps is None:
            raise StopAsyncIteration
        while True:
            try:
                piece: bytes = await anext(self._steps)
            except StopAsyncIteration:
                await self._close()  # what the library does next; here it is part of the end
                raise
            if piece:
                return piece

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        lane = running.lane
        if lane is None:
            await self._close()
        elif await lane.door.apull(lane, self._call, self._close) != CLOSED:
            await lane.door.across(lane, unexpected(self._call, "close"), _nothing)

    async def _close(self) -> bytes:
        # Nothing may keep the real generators alive: the loop would find them when it shuts down, but not at replay.
        inner, steps = self._inner, self._steps
        self._inner = self._steps = None
        if inner is not None:
            await inner.aclose()
        close = getattr(steps, "aclose", None)
        if close is not None:
            await close()
        return CLOSED


class _NetworkStream:
    """Stands in for `extensions["network_stream"]`: what is asked of the connection itself is not recorded."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def get_extra_info(self, info: str) -> Any:
        return None if self._real is None else self.__getattr__("get_extra_info")(info)

    def __getattr__(self, name: str) -> Any:
        if self._real is None:
            raise RuntimeError(f"network_stream.{name}: there is no connection at replay")
        lane = running.lane
        if lane is not None:
            lane.door.blind("connection", f"response.extensions['network_stream'].{name}")
        return getattr(self._real, name)


def _none() -> Iterator[bytes]:
    return iter(())


async def _nothing() -> None:
    """What an unexpected crossing would do."""
