"""The body of an aiohttp response, fetched piece by piece instead of pushed by a connection.

It is a real `StreamReader`: all its ways of reading wait for data in one place, `_wait`, and here that is a crossing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.seams._wire import PART


def reader_class(module: Any) -> Any:
    """aiohttp's `StreamReader`, with `_Reader` on top."""
    return type(
        "PiecesReader",
        (_Reader, module.streams.StreamReader),
        {"decoder_class": module.http_parser.DeflateBuffer, "payload_error": module.ClientPayloadError},
    )


class _Reader:
    decoder_class: Any
    payload_error: Any
    _protocol: Any
    _timer: Any

    def begin(self, call: Call[Any] | None, encoding: str | None, *, chunked: bool) -> None:
        """Say what is read.

        Args:
            call: whose pieces they are. encoding: the content-encoding to remove. chunked: pieces are HTTP chunks.
        """
        self._call = call
        self._chunked = chunked
        self._target: Any = self if encoding is None else self.decoder_class(self, encoding)
        self._busy = False

    async def _wait(self, func_name: str) -> None:
        if self._busy:
            raise RuntimeError(f"{func_name}() called while another coroutine is already waiting for incoming data")
        self._busy = True
        try:
            with self._timer:
                await self._more()
        finally:
            self._busy = False

    async def _more(self) -> None:
        lane, call = running.lane, self._call
        try:
            if lane is None or call is None:
                piece = await self._step()
            else:
                piece = await lane.door.apull(lane, call, self._step)
        except StopAsyncIteration:
            self._feed(None)
        except (asyncio.CancelledError, TimeoutError):
            raise
        except Exception as error:
            self.set_exception(error)  # type: ignore[attr-defined]
            raise
        else:
            self._feed(piece)

    def _feed(self, piece: bytes | None) -> None:
        target = self._target
        try:
            if piece is None:
                self._protocol.unread = None  # the end releases the connection, which is no leaving early
                target.feed_eof()
                return
            if self._chunked:
                target.begin_http_chunk_receiving()
            more = target.feed_data(piece, len(piece))
            while more:  # the decoder gives out so much at a time
                more = target.feed_data(b"", 0)
            if self._chunked:
                target.end_http_chunk_receiving()
        except Exception as error:
            wrapped = self.payload_error(str(error))
            self.set_exception(wrapped, error)  # type: ignore[attr-defined]
            raise wrapped from error

    async def _step(self) -> bytes:
        """The next piece of the real body: a chunk where it is chunked, else what has arrived."""
        payload = self._protocol.payload
        if payload is None:
            raise StopAsyncIteration
        if not self._chunked:
            piece: bytes = await payload.readany()
            if not piece:
                raise StopAsyncIteration
            return piece
        parts = bytearray()
        while True:
            part, ended = await payload.readchunk()
            parts += part
            if parts and (ended or not part or len(parts) >= PART):
                return bytes(parts)
            if not part and not ended:
                raise StopAsyncIteration
