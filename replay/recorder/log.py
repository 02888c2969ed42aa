"""What gathered since the last frame, on its way into the cassette: schedule entries, draws and held calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from replay.boundary import sites
from replay.boundary.door import Call
from replay.boundary.schedule import DRAW
from replay.boundary.sources import SOURCES
from replay.cassette.writer import Writer
from replay.model.errors import NotStorable
from replay.recorder.places import Places

if TYPE_CHECKING:
    from replay.cassette.ring import Ring

HELD: Final = -1
"""A mark in the log (lane, call, at, site), and the event id of that call until it has one."""

_SHOWN: Final = frozenset(number for number, (_, kind) in enumerate(SOURCES) if kind == "memory")
"""Sources whose reads are events whoever reads: a memory's statements, also those of a library's own threads."""


class Log:
    """The log of one recording. Entries are added without a lock; the rest is called with the recorder's lock held.

    Args:
        now: microseconds since the recording began.

    Attributes:
        entries: the list stays the same one.
    """

    def __init__(self, writer: Writer | Ring, places: Places, now: Callable[[], int]) -> None:
        self.entries: list[tuple[Any, ...]] = []
        self._writer = writer
        self._places = places
        self._now = now

    def end(self) -> None:
        """Nothing more is written: lets go of whoever knows the time."""
        self._now = int

    def release(self, held: tuple[Any, ...]) -> None:
        """Something else comes before the outcome: the held call is written in its place."""
        _, lane, call, at, site = held
        call.event = self._writer.call(
            lane, call.kind, call.name, call.effect, at, site, call.request, None, None, call.meta
        )

    def whole(self, call: Call[Any], status: int, value: Any) -> bool:
        """A held call and its outcome as one frame; False where something else came in between.

        Raises:
            NotStorable: the outcome; the call is written.
        """
        log = self.entries
        last = len(log) - 1  # others only ever add to the end
        held = log[last]
        if held[0] != HELD or held[2] is not call:
            return False
        if last:
            self.drain(last)
        del log[0]
        _, lane, _, at, site = held
        kind, name, effect, request, meta = call.kind, call.name, call.effect, call.request, call.meta
        try:
            call.event = self._writer.event(
                lane, kind, name, effect, at, site, request, None, None, meta, self._now() - at, status, value
            )
        except NotStorable:
            self.release(held)
            raise
        return True

    def drain(self, count: int = -1) -> None:
        """Write the gathered schedule and draws: library draws into the track, the program's as events of their own.

        Args:
            count: how many entries; all by default.
        """
        log = self.entries
        if count < 0:
            count = len(log)
        entries, log[:count] = log[:count], ()
        track: list[Any] = []
        run: list[tuple[Any, ...]] = []
        run_of = None
        library = sites.LIBRARY
        for entry in entries:
            mark = entry[0]
            if mark == DRAW:
                if library[entry[4].co_filename] and entry[2] not in _SHOWN:
                    if run:
                        run = self._write_run(run)
                    track += entry[:4]
                    continue
                if track:
                    track = self._write_track(track)
                source: int = entry[2]
                lane_and_kind = (entry[1], SOURCES[source][1])
                if run and run_of != lane_and_kind:
                    run = self._write_run(run)
                run_of = lane_and_kind
                run.append(entry)
                continue
            if run:
                run = self._write_run(run)
            if mark == HELD:
                if track:
                    track = self._write_track(track)
                self.release(entry)
            else:
                track += entry
        if run:
            self._write_run(run)
        if track:
            self._writer.track(track)

    def _write_track(self, track: list[Any]) -> list[Any]:
        self._writer.track(track)
        return []

    def _write_run(self, run: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        _, lane, _, _, code, lasti = run[0]
        site = self._places.number(code.co_filename, sites.line_of(code, lasti), code.co_qualname)
        sources: list[int] = [entry[2] for entry in run]
        names = [SOURCES[source][0] for source in sources]
        kind = SOURCES[sources[0]][1]
        name = names[0] if len(set(names)) == 1 else kind
        self._writer.event(
            *(lane, kind, name, "draw", self._now(), site, names, None, None, None, 0, 0),
            [entry[3] for entry in run],
        )
        return []
