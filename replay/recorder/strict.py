"""Recording strict threads: a Recorder whose lanes pass a baton at their switch points (`replay.recorder.baton`).

    switch point                              in the track
    crossing                                  its CALL; SWITCH 1 when the lane goes on
    piece of a stream, sleep, join,           SWITCH 0 before, SWITCH 1 behind
    contended lock
    a lock or a look at a flag, when many     SWITCH 0, SWITCH 1 before it
    came in one turn and somebody waits
    thread, job, callback of a loop, handler  SWITCH 1 when it begins, SWITCH 0 when it ends
    a loop that runs                          SWITCH 0 when it begins, SWITCH 1 when it has ended

Nothing is written while the program has one thread, and nothing more when strict mode was given up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from replay.boundary import sites
from replay.boundary.door import Call
from replay.boundary.lanes import Lane
from replay.boundary.schedule import GIVE, SWITCH, TAKE
from replay.boundary.turns import StrictDoor
from replay.recorder.baton import Baton
from replay.recorder.recorder import Recorder


class StrictRecorder(StrictDoor, Recorder):
    """A Recorder of strict threads; its arguments."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._baton = Baton(self._given_up)
        self._strict = True

    def share(self) -> None:
        self._baton.share()

    def enter(self, lane: Lane) -> bool:
        taken = self._baton.take()
        if taken:
            self._append((SWITCH, lane.number, TAKE))
        return taken

    def leave(self, lane: Lane) -> None:
        if self._baton.mine():
            self._append((SWITCH, lane.number, GIVE))
            self._baton.give()

    def before_read(self, lane: Lane) -> None:
        super().before_read(lane)
        self._pass_on(lane)

    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        self._pass_on(lane)
        return super().acquire(lane, real, blocking, timeout)

    def emit(self, lane: Lane, call: Call[None], write: Callable[[], None]) -> None:
        self._baton.excused += 1  # a slow reader of our output keeps everybody waiting, as ever
        try:
            super().emit(lane, call, write)
        finally:
            self._baton.excused -= 1

    def detach(self) -> None:
        self._baton.forget()
        super().detach()

    def finish(self, outcome: dict[str, Any], *, seal: bool | None) -> None:
        super().finish({**outcome, "threads": "strict" if self._strict else "order"}, seal=seal)
        self._baton.end()

    # -- inside ------------------------------------------------------------------------------------------------

    def _begin(self, lane: Lane, call: Call[Any], frame: FrameType) -> None:
        super()._begin(lane, call, frame)
        if self._baton.mine():
            self._baton.give()

    def _wait_for_lock(self, lane: Lane, real: Callable[[bool, float], bool], timeout: float) -> bool:
        self.leave(lane)
        return super()._wait_for_lock(lane, real, timeout)

    def _pass_on(self, lane: Lane) -> None:
        """A loop that looks again and again may be waiting for somebody who waits for a turn."""
        if self._baton.is_due():
            self.leave(lane)
            self.enter(lane)

    def _given_up(self, holder: int, why: str) -> None:
        frame = sites.program_frame(sys._current_frames().get(holder))  # pyright: ignore[reportPrivateUsage]
        where = "" if frame is None else f" at {frame.f_code.co_filename}:{frame.f_lineno}"
        what = f"strict mode was given up: the thread that had its turn {why}"
        with self._lock:
            self._strict = False
            if self._on:
                self._guard(self._blind, "threads", what, frame)
            self._say(f"threads: {what}{where}; from here on only locks and crossings are in order")
