"""Putting the kernel's walls up in the process that replays, before the program's first line."""

from __future__ import annotations

import os

from replay.runtime import places
from replay.runtime.holes import ANY, Holes
from replay.runtime.walls import frames, landlock, seccomp


def build(scratch: str, holes: Holes, channel: int | None) -> list[str]:
    """Put up what the kernel has; the names of the walls that stand.

    None where a hole lets processes be started: they would live behind the same walls.

    Args:
        channel: the descriptor that this process inherited from its launcher (`supervisor`); None: nobody answers.
    """
    writable = [hole.target for hole in holes.of("write")]
    if holes.of("process") or channel is None:
        if channel is not None:
            os.close(channel)
        return []
    standing: list[str] = []
    if ANY not in writable:
        allowed = (scratch, places.SHARED_MEMORY, *places.DEVICES, *writable)
        if landlock.install(allowed, connects=bool(holes.of("connect"))):
            standing.append("landlock")
    frames.say_where(scratch)
    if seccomp.install(channel):
        standing.append("seccomp")
    return standing
