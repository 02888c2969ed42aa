"""httpx and httpx2, which are twins: requests that reach their real transports.

The seam sits above connection pools, TLS and HTTP/2, and below everything that runs again at replay: SDKs, retries,
redirects, cookies, content-decoding. The request's body is read before the crossing, because an iterator that gives it
is the program's code. The response's body is read piece by piece as it arrives.

Closing a stream before its end goes through the door, and so does closing an asynchronous pool, which suspends its
task: as an event of kind `order`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, running
from replay.seams._http import Head, call_of, pairs, raw, tell
from replay.seams._httpx_streams import AsyncPieces, NetworkStream, Parts, Pieces
from replay.seams._seam import aside, patch


def install(module: ModuleType) -> None:
    """Patch the transports of `module`, httpx or httpx2."""
    library = _Library(module)
    sync, asynchronous = library.sync_transport, library.async_transport
    patch(sync, "handle_request", library.wrap_sync)
    patch(asynchronous, "handle_async_request", library.wrap_async)
    for name in ("close", "__exit__"):
        patch(sync, name, aside)
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
        self._parts: Any = type("Parts", (Parts, module.SyncByteStream, module.AsyncByteStream), {})
        self._pieces: Any = type("Pieces", (Pieces, module.SyncByteStream), {})
        self._async_pieces: Any = type("AsyncPieces", (AsyncPieces, module.AsyncByteStream), {})

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
        tell(lane, request.headers)
        call = call_of(lane, request.method, str(request.url), request.headers.raw, b"".join(parts))
        call.dump = _head

        def load(head: Head) -> Any:
            return self._rebuilt(head, pieces(call, None))

        call.load = load
        return call

    def _sendable(self, request: Any, parts: list[bytes]) -> Any:
        """The request with a body that can be read once more; the program's own object stays as it is."""
        if type(request.stream) is self._plain:
            return request
        sent: Any = object.__new__(request.__class__)
        sent.__dict__.update(request.__dict__)
        sent.stream = self._parts(parts)
        return sent

    def _watch(self, call: Call[Any], response: Any, pieces: Any) -> Any:
        if not isinstance(response.stream, pieces):  # performed just now, not rebuilt
            response.stream = pieces(call, response.stream)
            if "network_stream" in response.extensions:
                response.extensions["network_stream"] = NetworkStream(response.extensions["network_stream"])
        return response

    def _rebuilt(self, head: Head, stream: Any) -> Any:
        extensions: dict[str, Any] = {
            "http_version": head["version"].encode("latin-1"),
            "network_stream": NetworkStream(None),
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
