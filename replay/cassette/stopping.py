"""Ending a recording whose file takes no more, or isn't what was written any more: whole frames, and why it stops.

The last frames are given up for an event of kind `gap`, which is written over the bytes that they had: a full disk
doesn't matter. Whoever reads the file finds the reason where the recording stops.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from os import fstat, ftruncate, pread, pwrite  # bound now: seams patch the module's attributes
from typing import TYPE_CHECKING, Any, Final, cast

from replay.cassette import frame as f
from replay.cassette.codec import pack
from replay.model.errors import ReplayError

if TYPE_CHECKING:
    from replay.cassette.source import ByteSource

STOPPED: Final = "recording"
"""Name, and `kind` in the request, of the gap with which a recording stops before its program did."""

_ROOM: Final = 4096
"""How far before the end to look for a place; the gap is shorter."""


def stop(
    fd: int, header: dict[str, Any], segments: Sequence[tuple[int, int, int]] | None, at: int, reason: str
) -> bool:
    """Cut the file open at `fd` back to whole frames and add the reason, as far as the system allows; False where the
    file has no name any more.

    Args:
        header: what it began with, in case that is gone.
        segments: (offset, crc of the frame before, first event), as the writer knows them; None: somebody else has
            changed the file, so that they have to be found.
        at: microseconds since the recording began.

    Raises:
        OSError: not even that; what stands there is what a crash would leave.
    """
    status = fstat(fd)
    if not status.st_nlink:
        return False
    there = status.st_size
    segments = _found(fd, there) if segments is None else segments
    begun = [segment for segment in segments if segment[0] <= there - _ROOM] or segments[:1]
    if not begun:
        return _anew(fd, header, at, reason)
    offset, seed, events = begun[-1]
    data = pread(fd, there - offset, offset)
    frames = f.parse(data, seed).frames
    while True:
        # A frame begins 13 bytes before its payload; its crc is the seed of the next.
        end = frames[-1][3] if frames else 0
        crc = int.from_bytes(data[frames[-1][2] - 13 : frames[-1][2] - 9], "big") if frames else seed
        count = events + sum(frame[0] in (f.CALL, f.EVENT) for frame in frames)
        lanes = offset > len(f.PREAMBLE) or any(frame[0] == f.LANE for frame in frames)
        last = gap(count, crc, at, reason, announced=lanes)
        if offset + end + len(last) <= there or not frames or frames[-1][0] == f.HEADER:
            break
        frames.pop()
    overwrite(fd, offset + end, last)
    return True


class Open:
    """The file as a `ByteSource`."""

    def __init__(self, fd: int, size: int) -> None:
        self.name = "the cassette"
        self.size = size
        self._fd = fd

    def read_at(self, offset: int, count: int) -> bytes:
        return pread(self._fd, count, offset)

    def close(self) -> None:
        """It is the writer's."""


def _found(fd: int, size: int) -> list[tuple[int, int, int]]:
    """The segments of what can be read."""
    from replay.cassette.scan import Scan  # a recording begins sooner without a reader

    try:
        scan = Scan(Open(fd, size))
        for _ in scan.runs():
            pass
    except ReplayError:
        return []
    return [(segment.offset, segment.seed, segment.first) for segment in scan.footer.segments]


def state(source: ByteSource) -> tuple[int, int]:
    """The crc of the last whole frame, and how many events there are."""
    from replay.cassette.scan import Scan

    scan = Scan(source)
    crc = 0
    for run in scan.runs():
        last = run.frames[-1][2] - f.HEAD.size
        crc = int.from_bytes(run.data[last : last + 4], "big")
    return crc, scan.footer.events


def is_stop(kind: str, request: Any) -> bool:
    """Whether an event says that the recording stopped there."""
    return kind == "gap" and isinstance(request, dict) and cast("dict[str, Any]", request).get("kind") == STOPPED


def gap(event: int, seed: int, at: int, reason: str, *, announced: bool) -> bytes:
    """The event with the reason, and where no lane was announced, one before it."""
    lane = b""
    if not announced:
        lane, seed = f.encode(f.LANE, f.NO_EVENT, pack([0, "m"]), seed)
    request = {"kind": STOPPED, "reason": reason}
    payload = pack([0, "gap", STOPPED, "read", at, None, request, None, None, 0, 0, None])
    return lane + f.encode(f.EVENT, event, payload, seed)[0]


def _anew(fd: int, header: dict[str, Any], at: int, reason: str) -> bool:
    """Nothing of it is left that could be read."""
    first, crc = f.encode(f.HEADER, f.NO_EVENT, pack(header), 0)
    overwrite(fd, 0, f.PREAMBLE + first + gap(0, crc, at, reason, announced=False))
    return True


def overwrite(fd: int, offset: int, data: bytes) -> None:
    """`data` from there to the file's end. First the bytes, into room that the file has already."""
    _to_append(fd, False)
    view = memoryview(data)
    try:
        while view:
            done = pwrite(fd, view, offset)
            view, offset = view[done:], offset + done
    finally:
        ftruncate(fd, offset)
        _to_append(fd, True)


def _to_append(fd: int, append: bool) -> None:
    import fcntl

    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_APPEND if append else flags & ~os.O_APPEND)
