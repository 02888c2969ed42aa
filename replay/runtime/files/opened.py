"""Open files: what is known of each descriptor, and the raw file that everything opened in a lane stands on.

- *Reading*: up to the size it was opened with, a file is read as it is; its content was recorded. What comes behind
  that (others append to it) is a draw. At the end of an ordinary file that is one draw of nothing.
- *Writing*: what goes through is gathered, and reported as an event `write` when the file is closed, has grown by
  PART, or the program ends.
- *Devices and pipes* have no content to record: each read and write is an event.

Only the raw layer is ours; buffers and text layers are the interpreter's own, in C.
"""

from __future__ import annotations

import functools
import gc
import io
import os
import weakref
from typing import Any

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.imports import on_import
from replay.boundary.lanes import Lane, nobody, running

_REAL = originals.REAL_OS

PART = 1 << 20
"""Bytes that are gathered before they are reported."""


class Handle:
    """An open file of the program.

    Attributes:
        path: as the program named it. absolute: by its text.
        kind: `file`, `directory` or `device`.
        size: when it was opened.
        writes, appends: by the mode it was opened in.
        block: the size of its buffer; terminal: of a device.
        top: the outermost file object, to be flushed at the end.
    """

    __slots__ = (
        "_gathered",
        "_parts",
        "_runs",
        "absolute",
        "appends",
        "block",
        "kind",
        "path",
        "size",
        "terminal",
        "top",
        "writes",
    )

    def __init__(self, path: Any, absolute: str, flags: int, facts: dict[str, Any]) -> None:
        self.path = path
        self.absolute = absolute
        self.kind: str = facts["type"]
        self.size: int = facts["size"]
        self.block: int = facts["block"]
        self.terminal: bool = facts.get("terminal", False)
        self.writes = bool(flags & (os.O_WRONLY | os.O_RDWR)) and self.kind == "file"
        self.appends = bool(flags & os.O_APPEND)
        self.top: Any = None
        self._runs: list[list[int]] = []
        self._parts: list[bytes] = []
        self._gathered = 0

    def wrote(self, lane: Lane, position: int, data: bytes) -> None:
        """Note what was written; `position` is where."""
        runs = self._runs
        if runs and (self.appends or runs[-1][0] + runs[-1][1] == position):
            runs[-1][1] += len(data)
        else:
            runs.append([position, len(data)])
        self._parts.append(data)
        self._gathered += len(data)
        if self._gathered >= PART:
            self.report(lane)

    def truncated(self, size: int) -> None:
        """Note that it was cut or extended."""
        self._runs.append([size, -1])

    def report(self, lane: Lane) -> None:
        """What has been written since the last time, as an event."""
        if not self._runs:
            return
        body = b"".join(self._parts)
        request: dict[str, Any] = {"path": self.path}
        if self.appends:
            request["at"] = "end"
        elif len(self._runs) > 1 or self._runs[0][0] != 0:
            request["at"] = self._runs
        self._runs, self._parts, self._gathered = [], [], 0
        call: Call[None] = Call("file", "write", "write", request, body, chain=("file", self.absolute))
        lane.door.cross(lane, call, _done)


def _done() -> None:
    """It has been written already."""


handles: dict[int, Handle] = {}
"""By descriptor: the files that were opened in a lane and are still open."""

_left: list[Handle] = []
"""Closed outside of a lane: reported at the end."""


class _Collecting:
    on = False


def _note_collection(phase: str, _: dict[str, int]) -> None:
    _Collecting.on = phase == "start"


class Raw(io.FileIO):
    """A raw file on a descriptor of `handles`."""

    handle: Handle

    def __init__(self, fd: int, mode: str, closefd: bool, handle: Handle) -> None:
        super().__init__(fd, mode, closefd)
        self.handle = handle

    def readinto(self, buffer: Any, /) -> int | None:
        lane, handle = running.lane, self.handle
        if lane is None or handle.writes:
            return super().readinto(buffer)
        if handle.kind == "device":
            with memoryview(buffer).cast("B") as room:
                found = read_device(lane, handle, self.fileno(), len(room))
                room[: len(found)] = found
                return len(found)
        position = self.tell()
        with memoryview(buffer).cast("B") as room:
            if position < handle.size:
                return super().readinto(room[: handle.size - position])
            found = self._rest(lane, len(room))
            room[: len(found)] = found
        return len(found)

    def read(self, size: int | None = -1, /) -> Any:
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(size)
        count = self.readinto(buffer)
        return None if count is None else bytes(buffer[:count])

    def readall(self) -> Any:
        lane, handle = running.lane, self.handle
        if lane is None or handle.writes:
            return super().readall()
        pieces: list[bytes] = []
        if handle.kind == "device":
            while piece := read_device(lane, handle, self.fileno(), 1 << 16):
                pieces.append(piece)
            return b"".join(pieces)
        while (left := handle.size - self.tell()) > 0:
            piece = super().read(left)
            if not piece:
                break
            pieces.append(piece)
        pieces.append(self._rest(lane, None))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _rest(self, lane: Lane, count: int | None) -> bytes:
        """What stands behind the end that the file had when it was opened."""
        position = self.tell()

        def real() -> bytes:
            found = io.FileIO.readall(self) if count is None else io.FileIO.read(self, count)
            return found or b""

        found: bytes = _draw(lane, real)
        if found:
            self.seek(position + len(found))
        return found

    def write(self, data: Any, /) -> int:
        lane, handle = running.lane, self.handle
        if lane is None or not (handle.writes or handle.kind == "device"):
            return super().write(data)
        if handle.kind == "device":
            return write_device(lane, handle, self.fileno(), bytes(data))
        count = super().write(data)
        if count:
            position = 0 if handle.appends else self.tell() - count
            handle.wrote(lane, position, bytes(data) if count == len(data) else bytes(data)[:count])
        return count

    def truncate(self, size: int | None = None, /) -> int:
        cut = super().truncate(size)
        if running.lane is not None and self.handle.writes:
            self.handle.truncated(cut)
        return cut

    def isatty(self) -> bool:
        return self.handle.terminal

    def close(self) -> None:
        if self.closed:
            return
        handle = _forget(self.fileno()) if self.closefd else None
        try:
            super().close()
        finally:
            _closed(handle)


Raw.__name__ = Raw.__qualname__ = "FileIO"
Raw.__module__ = "_io"


def _draw(lane: Lane, real: Any) -> Any:
    return _drawn(lane, real)


def _drawn(lane: Lane, real: Any) -> Any:  # two frames of ours lie between, so it counts as a library's
    return lane.door.draw(lane, "file.rest", real)


def _forget(fd: int) -> Handle | None:
    """That descriptor is about to be closed: from then on its number may be another thread's."""
    return handles.pop(fd, None)


def _closed(handle: Handle | None) -> None:
    """It was closed: report what was written through it."""
    if handle is None or not handle.writes:
        return
    lane = running.lane
    if lane is not None:
        handle.report(lane)
    elif not _Collecting.on:  # what the garbage collector closes, it closes at any time
        _left.append(handle)


def read_device(lane: Lane, handle: Handle, fd: int, count: int) -> bytes:
    """A read of a terminal, a pipe or the like."""
    call: Call[bytes] = Call("file", "read", "read", {"path": handle.path, "size": count})
    return lane.door.cross(lane, call, lambda: _REAL.read(fd, count))


def write_device(lane: Lane, handle: Handle, fd: int, data: bytes) -> int:
    """A write to one."""
    call: Call[int] = Call("file", "write", "write", {"path": handle.path}, data)
    return lane.door.cross(lane, call, lambda: originals.os_write(fd, data))


def finish(lane: Lane | None) -> None:
    """At the end of the program: report what was written to files that were never closed."""
    if lane is None or not (_left or any(handle.writes for handle in handles.values())):
        return
    with nobody():
        gc.collect()  # what nobody can reach any more goes in both modes
    for handle in [*_left, *handles.values()]:
        top = None if handle.top is None else handle.top()
        if top is not None and not top.closed:
            top.flush()
        if handle.writes:
            handle.report(lane)
    _left.clear()


def install() -> None:
    """Close, read and write of descriptors, and locks between processes."""
    on_import("fcntl", _patch_locks)
    gc.callbacks.append(_note_collection)
    real_close, real_read, real_write = os.close, os.read, os.write
    real_pwrite, real_sendfile, real_fstat = os.pwrite, os.sendfile, _REAL.fstat

    def close(fd: int) -> None:
        handle = _forget(fd) if fd in handles else None
        real_close(fd)
        if handle is not None:
            _closed(handle)

    def read(fd: int, length: int, /) -> bytes:
        handle = handles.get(fd)
        lane = running.lane
        if handle is None or lane is None or handle.kind != "device":
            return real_read(fd, length)
        return read_device(lane, handle, fd, length)

    def write(fd: int, data: Any, /) -> int:
        handle = handles.get(fd)
        lane = running.lane
        if handle is None or lane is None:
            return real_write(fd, data)
        if handle.kind == "device":
            return write_device(lane, handle, fd, bytes(data))
        count = real_write(fd, data)
        handle.wrote(lane, 0 if handle.appends else _REAL.lseek(fd, 0, os.SEEK_CUR) - count, bytes(data)[:count])
        return count

    def pwrite(fd: int, data: Any, offset: int, /) -> int:
        handle = handles.get(fd)
        lane = running.lane
        count = real_pwrite(fd, data, offset)
        if handle is not None and lane is not None and handle.writes:
            handle.wrote(lane, offset, bytes(data)[:count])
        return count

    def sendfile(out_fd: int, in_fd: int, offset: int | None, count: int, *args: Any, **kwargs: Any) -> int:
        if running.lane is None or out_fd not in handles:
            return real_sendfile(out_fd, in_fd, offset, count, *args, **kwargs)
        data = (
            os.read(in_fd, count)
            if offset is None
            else _REAL.pread(in_fd, min(count, real_fstat(in_fd).st_size), offset)
        )
        return write(out_fd, data)

    for function, real in (
        (close, real_close),
        (read, real_read),
        (write, real_write),
        (pwrite, real_pwrite),
        (sendfile, real_sendfile),
    ):
        function.__doc__ = real.__doc__
        setattr(os, function.__name__, function)


def _patch_locks(module: Any) -> None:
    """Whether another process has the lock is an answer of the world."""
    for name in ("flock", "lockf"):
        setattr(module, name, _lock(name, getattr(module, name)))


def _lock(name: str, real: Any) -> Any:
    def lock(fd: Any, operation: int, *where: Any) -> Any:
        lane = running.lane
        handle = None if lane is None else handles.get(fd if isinstance(fd, int) else fd.fileno())
        if lane is None or handle is None:
            return real(fd, operation, *where)
        request = {"path": handle.path, "operation": int(operation), **({"where": list(where)} if where else {})}
        call: Call[None] = Call("file", name, "read", request)
        return lane.door.cross(lane, call, lambda: real(fd, operation, *where))

    return functools.update_wrapper(lock, real)


def remember(file: Any, handle: Handle) -> None:
    """The outermost object over that handle: what it holds back is flushed at the end."""
    handle.top = weakref.ref(file)
