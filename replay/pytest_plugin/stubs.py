"""The door of a test body: HTTP requests are answered from episodes, or performed and kept; all else just happens.

Rules:
- Only the seams of HTTP clients are installed, as long as the test runs (`registry.only`): its clocks, threads and
  files are its own.
- All threads act in the one lane, whoever starts them: tests, fixtures and servers' threads aren't told apart, as they
  aren't by vcrpy.
- What a client does inside of a request that is performed isn't looked at again.
- http.client sends before it asks what came back. Where it isn't known yet whether the world is to be asked, what it
  sends is held back until it asks.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from replay.boundary.door import Call, Door
from replay.boundary.lanes import Lane, everyone, nobody
from replay.matching.compare import Request
from replay.pytest_plugin.episodes import Episode, Episodes
from replay.seams import registry

R = TypeVar("R")

SEAMS = ("httpx", "http.client", "aiohttp", "tornado")

_performing: ContextVar[bool] = ContextVar("replay_performing", default=False)


class Held(threading.local):
    """What http.client wants to send and nobody has sent."""

    def __init__(self) -> None:
        self.pieces: list[Callable[[], Any]] = []


class StubDoor(Door):
    """Over the episodes of a test."""

    def __init__(self, episodes: Episodes) -> None:
        super().__init__(bytes(16))
        self._episodes = episodes
        self._running: dict[int, tuple[Episode, int]] = {}
        self._lock = threading.Lock()
        self._number = 0
        self._held = Held()
        self.open = True

    # -- crossings -----------------------------------------------------------------------------------------------

    def cross(self, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
        if not self._looks_at(call):
            return perform()
        found = self._answer(call)
        if found is not None:
            return self._give(call, found)
        token = _performing.set(True)
        try:
            self._send()
            with nobody():
                result = perform()
        finally:
            _performing.reset(token)
        return self._keep(call, result)

    async def across(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        if not self._looks_at(call):
            return await perform()
        found = self._answer(call)
        if found is not None:
            return self._give(call, found)
        token = _performing.set(True)  # not `nobody`: other tasks run on this thread meanwhile
        try:
            result = await perform()
        finally:
            _performing.reset(token)
        return self._keep(call, result)

    def _looks_at(self, call: Call[Any]) -> bool:
        if call.kind != "http" or _performing.get() or not self.open:
            return False
        return not self._episodes.ignores(_request(call))

    def _answer(self, call: Call[Any]) -> Episode | None:
        with self._lock:
            try:
                found = self._episodes.answer(_request(call))
            except BaseException:
                self._held.pieces.clear()
                raise
            if found is not None:
                self._held.pieces.clear()
            return found

    def _give(self, call: Call[R], found: Episode) -> R:
        call.streams = found.streams
        self._follow(call, found, 0)
        head: Any = {**found.head, "headers": [list(line) for line in found.head["headers"]]}
        return head if call.load is None else call.load(head)

    def _keep(self, call: Call[R], result: R) -> R:
        with self._lock:
            made = self._episodes.add(_request(call))
        made.head = result if call.dump is None else call.dump(result)
        made.streams = call.streams
        made.whole = not call.streams
        self._follow(call, made, -1)
        return result

    def _follow(self, call: Call[Any], episode: Episode, at: int) -> None:
        """Its pieces come: from the episode, from `at` on; or into it, at -1."""
        with self._lock:
            self._number += 1
            call.event = self._number
            self._running[call.event] = (episode, at)

    # -- streams -------------------------------------------------------------------------------------------------

    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        episode, at = self._running.get(call.event or 0, (None, -1))
        if episode is None:
            return step()
        if at >= 0:
            return self._next(call, episode, at, StopIteration, closes=closes)
        token = _performing.set(True)
        try:
            with nobody():
                piece = step()
        except StopIteration:
            episode.whole = True
            raise
        finally:
            _performing.reset(token)
        return self._came(episode, piece, closes=closes)

    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        episode, at = self._running.get(call.event or 0, (None, -1))
        if episode is None:
            return await step()
        if at >= 0:
            return self._next(call, episode, at, StopAsyncIteration, closes=closes)
        token = _performing.set(True)
        try:
            piece = await step()
        except StopAsyncIteration:
            episode.whole = True
            raise
        finally:
            _performing.reset(token)
        return self._came(episode, piece, closes=closes)

    def _next(self, call: Call[Any], episode: Episode, at: int, end: type[BaseException], *, closes: bool) -> Any:
        assert call.event is not None
        if closes or at >= len(episode.pieces):
            self._running.pop(call.event, None)
            if closes:
                return None
            raise end
        self._running[call.event] = (episode, at + 1)
        return episode.pieces[at]

    def _came(self, episode: Episode, piece: Any, *, closes: bool) -> Any:
        if closes:
            episode.whole = True
        else:
            episode.pieces.append(piece)
        return piece

    # -- everything else just happens ------------------------------------------------------------------------------

    def draw(self, lane: Lane, source: str, real: Callable[[], Any]) -> Any:
        if source != "http.sent" or not self.open or (self._episodes.records and not self._episodes.plays):
            return real()
        self._held.pieces.append(real)
        return True

    def _send(self) -> None:
        pieces, self._held.pieces = self._held.pieces, []
        for send in pieces:
            send()

    def new_lane(self, path: str) -> Lane:
        return Lane(path, 0, self)

    def inbox(self, call: Call[Any], loop: Any, deliver: Callable[[Any], Any]) -> Callable[[Lane, Any], None]:
        return lambda lane, push: None

    def emit(self, lane: Lane, call: Call[None], write: Callable[[], None]) -> None:
        write()

    def echo(self, lane: Lane, label: str, text: str) -> None:
        pass

    def pause(self, lane: Lane, real: Callable[[], None], *, again: bool = False) -> None:
        real()

    def step(self, lane: Lane, mark: int, number: int) -> None:
        pass

    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        return real(blocking, timeout)

    def environ(self, lane: Lane, key: str, value: str | None, *, own: bool = False) -> None:
        pass

    def blind(self, what: str, detail: str) -> None:
        pass


def _request(call: Call[Any]) -> Request:
    return Request(call.kind, call.name, call.request, call.body)


@contextmanager
def stubbed(episodes: Episodes) -> Generator[None]:
    """HTTP requests of this process, of all its threads, are answered from these episodes or kept in them."""
    door = StubDoor(episodes)
    with registry.only(SEAMS), everyone(Lane("m", 0, door)):
        try:
            yield
        finally:
            door.open = False
