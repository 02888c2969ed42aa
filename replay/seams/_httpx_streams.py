"""Bodies of httpx requests and responses in a lane. Design: `seams.httpx`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running


class Parts:
    """A request's body that was read already, in the parts it came in."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class Pieces:
    """A response's body, each piece of which is a crossing.

    Args:
        call: whose pieces these are.
        inner: the real stream; None at replay.
    """

    def __init__(self, call: Call[Any], inner: Any) -> None:
        self._call = call
        self._inner = inner
        self._over = False

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
                    self._over = True
                    return
                yield piece
        finally:
            close = getattr(steps, "close", None)
            if close is not None:
                with nobody():
                    close()

    def close(self) -> None:
        lane = running.lane
        if lane is None or self._over:
            self._close()
        else:
            self._over = True
            lane.door.pull(lane, self._call, self._close, closes=True)

    def _close(self) -> None:
        if self._inner is not None:
            with nobody():
                self._inner.close()


class AsyncPieces:
    """`Pieces` for asynchronous streams."""

    def __init__(self, call: Call[Any], inner: Any) -> None:
        self._call = call
        self._inner = inner
        self._steps: Any = None
        self._closed = False

    def __aiter__(self) -> AsyncPieces:
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
        else:
            await lane.door.apull(lane, self._call, self._close, closes=True)

    async def _close(self) -> None:
        # Nothing may keep the real generators alive: the loop would find them when it shuts down, but not at replay.
        inner, steps = self._inner, self._steps
        self._inner = self._steps = None
        if inner is not None:
            await inner.aclose()
        close = getattr(steps, "aclose", None)
        if close is not None:
            await close()


class NetworkStream:
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
