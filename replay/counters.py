"""What this process has recorded so far: `replay.stats()`."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakSet

from replay.boundary import originals
from replay.recorder.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Stats:
    """Of this process, since it began.

    Attributes:
        sessions: how many recordings have begun. open: how many of them go on.
        events, bytes: recorded; bytes as they were written, before sealing packs them.
        gaps: what was seen, but not stored.
        dropped: sessions that weren't recorded: the disk was full, say. unsealed: sessions that ended faster than they
            could be sealed: whole, but not packed.
    """

    sessions: int
    open: int
    events: int
    bytes: int
    gaps: int
    dropped: int
    unsealed: int


_lock = originals.allocate_lock()
_going_on: WeakSet[Recorder] = WeakSet()
_ended = dict.fromkeys(("sessions", "events", "bytes", "gaps", "dropped", "unsealed"), 0)


def began(recorder: Recorder) -> None:
    """A recording has begun."""
    with _lock:
        _ended["sessions"] += 1
        _going_on.add(recorder)


def ended(recorder: Recorder) -> None:
    """It has ended."""
    with _lock:
        if recorder in _going_on:
            _going_on.discard(recorder)
            _ended["events"] += recorder.events
            _ended["bytes"] += recorder.size
            _ended["gaps"] += recorder.gaps


def forget() -> None:
    """In a forked child: what goes on is its parent's, and so is what was counted."""
    global _lock
    _lock = originals.allocate_lock()
    for recorder in list(_going_on):
        recorder.detach()
    _going_on.clear()
    _ended.update(dict.fromkeys(_ended, 0))


def dropped() -> None:
    """A session wasn't recorded."""
    with _lock:
        _ended["dropped"] += 1


def unsealed() -> None:
    """A session ended without being sealed."""
    with _lock:
        _ended["unsealed"] += 1


def stats() -> Stats:
    """What this process has recorded so far, with what goes on now.

    Example:
        >>> stats().sessions
        0
    """
    with _lock:
        now = list(_going_on)
        known = dict(_ended)
    for recorder in now:
        known["events"] += recorder.events
        known["bytes"] += recorder.size
        known["gaps"] += recorder.gaps
    return Stats(open=len(now), **known)
