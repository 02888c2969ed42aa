"""tornado's own HTTP client: each fetch is a crossing, its body pieces.

A fetch of a lane is carried out by a task of that lane, which asks for the head and then for each piece, calls what the
program wants called with them, and makes the response. The real client does its work below: connecting, queueing,
redirects, decompressing.
"""

from __future__ import annotations

import asyncio
import copy
import functools
from collections.abc import Callable
from contextvars import ContextVar
from io import BytesIO
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, running
from replay.seams._http import Head, call_of, tell
from replay.seams._seam import patch

_fetching: ContextVar[Any] = ContextVar("replay_tornado_fetch", default=None)
_tasks: set[Any] = set()


def install(module: ModuleType) -> None:
    """Patch the client of `module`, tornado.simple_httpclient."""
    library: Any = module
    patch(library.SimpleAsyncHTTPClient, "fetch_impl", functools.partial(_wrap, library))


def _wrap(library: Any, original: Callable[..., None]) -> Callable[..., None]:
    def fetch_impl(self: Any, request: Any, callback: Callable[[Any], None]) -> None:
        lane = running.lane
        if lane is None:
            around = _fetching.get()
            if around is not None:
                around.url = request.url  # it follows a redirect
            original(self, request, callback)
            return
        fetch = _Fetch(library, self, request)
        task = asyncio.get_running_loop().create_task(fetch.run(functools.partial(original, self), callback))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    return fetch_impl


class _Fetch:
    """One request, as the program made it."""

    def __init__(self, library: Any, client: Any, request: Any) -> None:
        self._library = library
        self._client = client
        self._request = request
        self._lines: list[str] = []
        self._head: Any = None
        self._pieces: Any = None
        self.url = str(request.url)

    async def run(self, original: Callable[..., None], callback: Callable[[Any], None]) -> None:
        """In a lane of its own, whose calls are the program's."""
        lane, request = running.lane, self._request
        if lane is None:  # the recording has ended
            original(request, callback)
            return
        if request.body_producer is not None:
            lane.door.blind("callback", "body_producer of a tornado request is called inside of the client")
        began = self._client.io_loop.time()
        head: Head = {"status": 599, "reason": None, "headers": [], "url": self.url}
        body, failure = BytesIO(), None
        try:
            call = self._call(lane)
            head = await lane.door.across(lane, call, functools.partial(self._open, original))
            self._announce(head)
            while True:
                piece: bytes = await lane.door.apull(lane, call, self._next)
                (request.streaming_callback or body.write)(piece)
        except StopAsyncIteration:
            pass
        except Exception as error:
            failure = error
        headers = self._library.httputil.HTTPHeaders()
        for name, value in head["headers"]:
            headers.add(name, value)
        body.seek(0)
        took = self._client.io_loop.time() - began
        callback(
            self._library.HTTPResponse(
                request, 599 if failure else head["status"], reason=head["reason"], headers=headers, buffer=body,
                effective_url=head["url"], error=failure, request_time=took,
            )
        )  # fmt: skip

    def _call(self, lane: Lane) -> Call[Head]:
        request = self._request
        tell(lane, request.headers)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.get_all()]
        return call_of(lane, request.method, self.url, headers, request.body or b"")

    def _announce(self, head: Head) -> None:
        tell = self._request.header_callback
        if tell is not None:
            tell(f"{head['version']} {head['status']} {head['reason']}\r\n")
            for name, value in head["headers"]:
                tell(f"{name}: {value}\r\n")
            tell("\r\n")

    # -- the real side -----------------------------------------------------------------------------------------------

    async def _open(self, original: Callable[..., None]) -> Head:
        self._head, self._pieces = asyncio.get_running_loop().create_future(), asyncio.Queue[Any]()
        asked = copy.copy(self._request.request)
        asked.headers = self._request.headers.copy()
        asked.header_callback, asked.streaming_callback = self._line, self._pieces.put_nowait
        _fetching.set(self)
        try:
            original(self._library._RequestProxy(asked, self._request.defaults), self._finished)
        finally:
            _fetching.set(None)
        return await self._head  # type: ignore[no-any-return]

    def _line(self, line: str) -> None:
        if line != "\r\n":
            self._lines.append(line.rstrip("\r\n"))
            return
        version, status, reason = (*self._lines[0].split(" ", 2), "")[:3]
        headers = [[*line.split(": ", 1)] for line in self._lines[1:]]
        self._head.set_result(
            {"status": int(status), "reason": reason, "headers": headers, "version": version, "url": self.url}
        )

    def _finished(self, response: Any) -> None:
        if not self._head.done():
            self._head.set_exception(response.error)
        self._pieces.put_nowait(response.error if response.code == 599 else None)

    async def _next(self) -> bytes:
        piece: Any = await self._pieces.get()
        if isinstance(piece, bytes):
            return piece
        self._head = self._pieces = None
        raise StopAsyncIteration if piece is None else piece
