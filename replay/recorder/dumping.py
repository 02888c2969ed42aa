"""Saving flight recorders: when the program asks (`replay.dump`), and when a signal does."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from weakref import WeakSet

from replay.boundary import originals
from replay.boundary.lanes import nobody, running
from replay.recorder.recorder import Recorder

_live: WeakSet[Recorder] = WeakSet()


def watch(recorder: Recorder) -> None:
    """It is one of those that are saved. The signal does so where a recording began in the main thread, and the program
    has no handler of its own for it."""
    _live.add(recorder)
    if not recorder.keeping.flight_recorder or threading.current_thread() is not threading.main_thread():
        return
    number = getattr(signal, recorder.keeping.dump_signal)
    if originals.SIGNALS.getsignal(number) == signal.SIG_DFL:
        originals.SIGNALS.signal(number, _on_signal)


def dump(reason: str) -> None:
    """Save the newest events: of the recording that the caller is in, of all of this process where it is in none.

    With a flight recorder that makes a cassette of what the ring has, and the recording goes on. Any recording is kept,
    however its program ends. At replay, and where nothing is recorded, nothing happens.

    Example:
        if not policy.allows(action):
            replay.dump(f"policy: {action}")
    """
    door = None if running.lane is None else running.lane.door
    if door is None:
        for recorder in list(_live):
            recorder.dump(reason)
    elif isinstance(door, Recorder):
        door.dump(reason)


def _on_signal(number: int, _: FrameType | None) -> None:
    with nobody():
        for recorder in list(_live):
            recorder.dump(f"signal {signal.Signals(number).name}", soon=True)
