"""The recorder of a fork: it has written the base's frames up to the fork point, and goes on from there.

Besides performing, it takes outcomes in the form in which a cassette stores them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import FrameType
from typing import Any, TypeVar

from replay.boundary import interrupts, originals
from replay.boundary.awaiting import Watched
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, forget_inside, step_inside, step_out
from replay.boundary.schedule import DRAW
from replay.boundary.sources import NUMBER
from replay.cassette.continued import Continued
from replay.cassette.layout import Record
from replay.cassette.redact import Redactor
from replay.cassette.redact.rules import rules
from replay.recorder.recorder import Recorder
from replay.recorder.trouble import warn_on_stderr

R = TypeVar("R")

_NOT_TAKEN_OVER = ("id", "created", "writer", "format", "ring", "parent", "keeping")


class Continuation(Recorder):
    """A Recorder over a cassette that begins as another one did. `begin` makes one.

    Attributes:
        lanes_known: path -> number of the lanes that are announced.
    """

    @classmethod
    def begin(
        cls, path: str, header: Mapping[str, Any], more: Mapping[str, Any], frames: Iterable[Record]
    ) -> Continuation:
        """A new cassette at `path`.

        Args:
            header: of the base. more: what is added to it. frames: of the base, up to the fork point.
        """
        redactor = Redactor(originals.urandom(16), rules(header.get("redact")))
        whole = {**{name: each for name, each in header.items() if name not in _NOT_TAKEN_OVER}, **more}
        writer = Continued.create(path, whole, redactor)
        assert isinstance(writer, Continued)
        writer.copy(frames)
        writer.flush()
        made = cls(writer, seed=header["random_seed"], redactor=redactor, warn=warn_on_stderr)
        made._take_up(writer)
        return made

    def _take_up(self, writer: Continued) -> None:
        self.lanes_known = {path: number for number, path in writer.lanes}
        self._lanes = 1 + max(self.lanes_known.values(), default=-1)
        for number, file, line, _ in writer.sites:
            self._places.known_as(number, file, line)

    def goes_on(self, now: int, lanes: Iterable[Lane]) -> None:
        """From here on it records.

        Args:
            now: microseconds since the recording began. lanes: all there are; those that aren't announced are now.
        """
        with self._lock:
            self._began = originals.clock_ns() - now * 1000
            for lane in lanes:
                if lane.path not in self.lanes_known:
                    self.lanes_known[lane.path] = lane.number
                    self._writer.lane(lane.number, lane.path, lane)

    def number(self, path: str) -> int:
        """Of a lane that may be new."""
        with self._lock:
            known = self.lanes_known.get(path)
            if known is None:
                known = self._lanes
                self._lanes += 1
            return known

    def announce(self, lane: Lane) -> None:
        """A lane that was made behind the fork point."""
        with self._lock:
            if lane.path not in self.lanes_known:
                self.lanes_known[lane.path] = lane.number
                self._guard(self._writer.lane, lane.number, lane.path, lane)

    # -- outcomes that are known ---------------------------------------------------------------------------------

    def asked(self, lane: Lane, call: Call[Any], frame: FrameType) -> None:
        """The call is written, before anybody knows what comes of it."""
        if interrupts.pending:
            interrupts.deliver(lane)
        self._begin(lane, call, frame)
        if call.event == -1:  # held back to be written in one frame: here it gets its id at once
            with self._lock:
                self._guard(self._drain)

    def came(self, call: Call[Any], status: int, value: Any, content: bytes | None, *, suspended: bool) -> None:
        """An outcome as it is stored."""
        if content is not None and isinstance(value, dict):
            call.content = content
            value = self._contained(call, content, value)
        self._outcome(call, status, value, suspended)

    def piece(self, lane: Lane, call: Call[Any], status: int, value: Any, *, suspended: bool) -> None:
        """A piece of a stream as it is stored."""
        self._piece(lane, call, status, value, suspended=suspended)

    def drew(self, lane: Lane, source: str, value: Any, frame: FrameType) -> None:
        """A draw."""
        self.before_read(lane)
        self._append((DRAW, lane.number, NUMBER[source], value, frame.f_code, frame.f_lasti))

    # -- crossings that began before -----------------------------------------------------------------------------

    def go_on(self, lane: Lane, call: Call[R], perform: Callable[[], R]) -> R:
        """The rest of `cross` for a call that is written already."""
        step_inside(lane, call)
        try:
            result = perform()
        except BaseException as error:
            step_out(lane, call)
            self._failed(call, error, suspended=False)
            raise
        step_out(lane, call)
        self._returned(call, result, suspended=False)
        return result

    async def go_on_async(self, lane: Lane, call: Call[R], perform: Callable[[], Awaitable[R]]) -> R:
        """The rest of `across`."""
        step_inside(lane, call)
        watched = Watched(perform())
        try:
            result = await watched
        except GeneratorExit:
            forget_inside(lane, call)
            raise
        except BaseException as error:
            step_out(lane, call)
            self._failed(call, error, suspended=watched.suspended)
            raise
        step_out(lane, call)
        self._returned(call, result, suspended=watched.suspended)
        return result

    def stop(self) -> None:
        """What there is stays, unfinished: it replays to here."""
        with self._lock:
            self._guard(self._drain)
            self._guard(self._writer.flush)
            self._on = False
