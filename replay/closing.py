"""How sessions of a server end: what outlives the call is waited for, and sealing holds nobody up.

One thread per process looks after both; it is started when the first session ends. It keeps at most `BACKLOG` sessions
that are to be sealed: what ends while the disk can't follow stays as it is, whole but unsealed.
"""

from __future__ import annotations

import atexit
import os
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from replay import counters
from replay.boundary import originals
from replay.boundary.lanes import Lane
from replay.recorder.recorder import Recorder

BACKLOG = 256
"""Sessions that may wait to be sealed."""

_LOOK = 0.05
"""Seconds between two looks at what goes on."""

_RETAIN_EVERY = 30.0
"""Seconds between two looks through a directory for what is too old or too much."""


@dataclass(slots=True, eq=False)
class _Ending:
    recorder: Recorder
    outcome: dict[str, Any]
    until: float


class _Closer:
    def __init__(self) -> None:
        self.lingering: list[_Ending] = []
        self.sealing: deque[Recorder] = deque()
        self.wake = originals.Condition(originals.allocate_lock())
        self.busy = False
        self.started = False
        self.pid = originals.getpid()

    def start(self) -> None:
        """Called with `wake` held."""
        if not self.started:
            self.started = True
            originals.start_thread(self.run, ())

    def run(self) -> None:
        while True:
            with self.wake:
                self.busy = False
                self.wake.notify_all()
                while not self.sealing:
                    if self.wake.wait(_LOOK if self.lingering else None) or self.lingering:
                        break
                recorder = self.sealing.popleft() if self.sealing else None
                self.busy = True
            if recorder is not None:
                recorder.close(seal=True)
                retain(recorder)
            self.look(originals.monotonic())

    def look(self, now: float) -> None:
        """End those whose offspring has ended, or who have waited for long enough."""
        for ending in list(self.lingering):
            left = [] if ending.until <= now else ending.recorder.alive()
            if not left or ending.until <= now:
                with self.wake:
                    if ending not in self.lingering:
                        continue
                    self.lingering.remove(ending)
                _finish(ending.recorder, ending.outcome)
                self.add(ending.recorder)

    def add(self, recorder: Recorder) -> None:
        """To be sealed."""
        with self.wake:
            if len(self.sealing) < BACKLOG:
                self.sealing.append(recorder)
                self.start()
                self.wake.notify_all()
                return
        counters.unsealed()
        recorder.close(seal=False)

    def drain(self, seconds: float) -> bool:
        """Wait until all that has ended is sealed."""
        end = originals.monotonic() + seconds
        with self.wake:
            while self.sealing or self.busy:
                left = end - originals.monotonic()
                if left <= 0:
                    return False
                self.wake.wait(left)
        return True


_closer = _Closer()


def end(recorder: Recorder, outcome: dict[str, Any], linger: float) -> None:
    """The session's own call has returned.

    Args:
        linger: seconds for which what it began stays with it.
    """
    if linger > 0 and recorder.alive():
        with _closer.wake:
            _closer.lingering.append(_Ending(recorder, outcome, originals.monotonic() + linger))
            _closer.start()
            _closer.wake.notify_all()
        return
    _finish(recorder, outcome)
    _closer.add(recorder)


def flush(timeout: float = 30.0) -> bool:
    """Wait until the sessions that have ended are sealed; False where that takes longer than `timeout` seconds."""
    _closer.look(originals.monotonic())
    return _closer.drain(timeout)


_retained: dict[str, float] = {}


class Uploads(Protocol):
    """Sends what was sealed (`replay.uploading.Beside`)."""

    def sealed(self, path: str) -> None: ...

    def end(self) -> None: ...


uploads: Uploads | None = None


def upload_to(there: Uploads) -> None:
    """What is sealed from now on goes there."""
    global uploads
    uploads = there


def retain(recorder: Recorder) -> None:
    """What was sealed is sent where it is to go, and old ones beside it go away: now and then, since looking through a
    directory takes its time."""
    keeping, directory = recorder.keeping, os.path.dirname(os.path.abspath(recorder.path))
    if uploads is not None:
        uploads.sealed(recorder.path)
    now = originals.monotonic()
    if (keeping.retain_age or keeping.retain_size) and now >= _retained.get(directory, 0.0):
        _retained[directory] = now + _RETAIN_EVERY
        keeping.retain(directory, originals.wall_ns() / 1e9)


def _finish(recorder: Recorder, outcome: dict[str, Any]) -> None:
    recorder.finish({**outcome, "alive": [lane.path for lane in map(_lane_of, recorder.alive())]}, seal=None)
    counters.ended(recorder)


def _lane_of(thing: Any) -> Lane:
    """Of a task, a thread, or a job's future."""
    lane: Lane = getattr(thing, "_replay_lane", None) or thing._replay_job
    return lane


def at_exit() -> None:
    """The process ends: nothing goes on any longer."""
    with _closer.wake:
        lingering, _closer.lingering = _closer.lingering, []
    for ending in lingering:
        _finish(ending.recorder, ending.outcome)
        _closer.add(ending.recorder)
    flush()
    if uploads is not None:
        uploads.end()


def _in_child() -> None:
    """The sessions of a forked process's parent are the parent's."""
    global _closer
    counters.forget()
    _closer = _Closer()


atexit.register(at_exit)
os.register_at_fork(after_in_child=_in_child)
