"""Replaying a part of a program: the block or the call that a session recorded, in a process that started again.

What lies around the part runs for real, within the sandbox, and is nobody's lane. When the part is over, so is the
process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from replay.boundary.lanes import Lane, become
from replay.cassette.codec import pack, unpack
from replay.matching.compare import alike
from replay.model.errors import NotStorable
from replay.player.player import Player
from replay.runtime import warm
from replay.seams import Seam


class Part:
    """The recorded part of a program, about to be replayed.

    Attributes:
        entry: the header's entry. outcome: what the recording says of its end; None if it never ended.
        done: called when the part is over; ends the process.
        seams: other packages' that its recording had.
    """

    def __init__(
        self,
        player: Player,
        entry: Mapping[str, Any],
        outcome: Mapping[str, Any] | None,
        done: Callable[[Any], None],
        seams: Sequence[Seam] = (),
    ) -> None:
        self.entry = entry
        self.seams = seams
        self.ordinal: int | None = entry.get("ordinal")
        self._player = player
        self._outcome = outcome
        self._done = done
        self._root: Lane = player.new_lane("m")
        self._ended: dict[str, Any] | None = None
        player.active = False
        if entry["type"] != "block":
            player.offspring = []
        if entry.get("warm"):
            warm.install()

    @property
    def begun(self) -> bool:
        """It is being replayed now, or was."""
        return self._ended is not None

    @contextmanager
    def play(self) -> Generator[dict[str, Any]]:
        """The part begins. At its end its outcome is compared, unless it left something behind that goes on: `rest`.

        `["result"]` is to be set by whoever has one.
        """
        ended = self._ended = {}
        self._player.active = True
        become(self._root)
        try:
            yield ended
        except Exception as error:
            kind = type(error)
            ended["exception"] = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
        become(None)
        self._player.over = self._end
        if not self._player.alive():
            self._end()

    async def rest(self) -> None:
        """Wait for the tasks and threads that the part left behind, as long as the recording did."""
        import asyncio

        while tasks := self._player.alive():
            waiting: list[Any] = [
                task if isinstance(task, asyncio.Future) else asyncio.to_thread(_join, task) for task in tasks
            ]
            await asyncio.gather(*waiting, return_exceptions=True)
        self._finish()

    def rest_of_threads(self) -> None:
        """The same where there is no event loop."""
        while threads := self._player.alive():
            for thread in threads:
                _join(thread)
        self._finish()

    def _finish(self) -> None:
        if self.begun:
            self._end()

    def _end(self) -> None:
        self._player.active = False
        ended = self._ended or {}
        self._compare(ended)
        self._done(ended.get("result"))

    def _compare(self, ended: Mapping[str, Any]) -> None:
        """An exception that wasn't recorded is why crossings are missing; another result comes after those."""
        if self._outcome is None:
            return
        player = self._player
        then, now = self._outcome.get("exception"), ended.get("exception")
        if now is not None and not alike(then, now):
            player.differs("exception", then, now)
        player.finish()
        for name in ("exception", "result"):
            then, now = self._outcome.get(name), ended.get(name)
            try:
                now = unpack(pack(now))
            except NotStorable:
                now = None
            if not alike(then, now):
                player.differs(name, then, now)


_part: Part | None = None


def prepare(part: Part) -> None:
    """Called before the program: this is what its process is for."""
    global _part
    _part = part


def prepared() -> Part | None:
    """The part that this process is to replay."""
    return _part


def _join(thing: Any) -> None:
    """Until that thread or job has ended."""
    if hasattr(thing, "join"):
        thing.join()
    else:
        thing.exception()
