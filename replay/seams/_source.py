"""What an http.client response is read from in a lane. Design: `seams.http_client`."""

from __future__ import annotations

import io
from http.client import IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING, Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.seams import _wire
from replay.seams._http import Head

if TYPE_CHECKING:
    from replay.seams._socket import Wire

_RECEIVE = 1 << 16
_HEAD_LIMIT = 1 << 20


class Source(io.RawIOBase):
    """What a response is read from: below the client's buffer and parser, above the connection."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._file: Any = None
        self._got = bytearray()
        self._out = bytearray()
        self._ended = False
        self._over = False
        self._call: Call[Any] | None = None
        self._request = wire.request()
        self._body: _wire.Body | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._out and not self._over:
            if self._body is None:
                self._begin()
            else:
                self._go_on(self._body)
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._out))
        view[:size] = self._out[:size]
        del self._out[:size]
        return size

    def close(self) -> None:
        lane = running.lane
        if lane is None or self._call is None or self._body is None or self._over:
            self._close()
        else:
            self._over = True
            lane.door.pull(lane, self._call, self._close, closes=True)
        super().close()

    def _close(self) -> None:
        if self._file is not None:
            with nobody():
                self._file.close()

    def _begin(self) -> None:
        lane = running.lane
        if lane is None:
            head = self._receive_head()
        else:
            self._call = self._wire.call(lane, self._request)
            self._call.dump = self._dump
            waits = self._request.waits
            if not waits:
                self._wire.told()
            try:
                head = lane.door.cross(lane, self._call, self._receive_head)
            finally:
                self._call.dump = None  # a cycle would keep the response until garbage is collected
            if waits and head["status"] != 100:
                self._wire.told()
        self._body = _wire.Body(head, self._request.method)
        self._over = self._body.left == 0
        self._out += _wire.render_head(head)

    def _dump(self, head: Head) -> Head:
        assert self._call is not None
        self._call.streams = _wire.Body(head, self._request.method).left != 0
        return head

    def _go_on(self, body: _wire.Body) -> None:
        try:
            piece = self._pull()
        except StopIteration:
            self._over = True
            self._out += body.end
        except IncompleteRead as short:
            self._over = True
            self._out += _wire.broken(short)
        else:
            self._out += body.frame(piece)
            body.given(piece)
            if body.left == 0:
                self._over = True
                self._end()

    def _end(self) -> None:
        """A client stops reading once it has what was announced; the event ends there all the same."""
        try:
            self._pull()
        except StopIteration:
            pass

    def _pull(self) -> bytes:
        lane = running.lane
        if lane is None or self._call is None:
            return self._receive_piece()
        return lane.door.pull(lane, self._call, self._receive_piece)  # type: ignore[no-any-return]

    # -- performed only when recording ---------------------------------------------------------------------------

    def _receive_head(self) -> Head:
        while True:
            size = _wire.end_of_head(self._got)
            if not size and not self._ended and len(self._got) < _HEAD_LIMIT:
                self._receive()
                continue
            if not self._got:
                raise RemoteDisconnected("Remote end closed connection without response")
            size = size or len(self._got)
            head = _wire.parse_head(bytes(self._got[:size]))
            del self._got[:size]
            if head["status"] != 100 or self._request.waits:
                return head

    def _receive_piece(self) -> bytes:
        assert self._body is not None
        while True:
            piece = self._body.take(self._got, ended=self._ended)
            if piece is not None:
                return piece
            self._receive()

    def _receive(self) -> None:
        self._wire.deliver()
        if self._file is None:
            self._file = self._wire.real.makefile("rb", buffering=0)
        data = self._file.read(_RECEIVE)
        if data is None:
            raise BlockingIOError("the socket's timeout is 0")
        self._got += data
        self._ended = not data
