"""What the program prints is part of its execution: recorded line by line, compared at replay.

`sys.stdout` and `sys.stderr` are replaced by text streams over the same descriptor that tell the door what is written.
A line is one event of its lane; an explicit `flush` ends a piece too (streamed tokens). What is printed inside a
crossing, a tool's body say, is recorded with it and printed again when it returns.

`os.write` to their descriptors is reported, too. Not covered: C code and child processes that write there themselves.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable
from typing import Any, cast

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, crossing_of, running

_LONGEST = 8192
"""Characters of a line that are held back at most."""


class Output(io.TextIOWrapper):
    """A standard stream that reports what each lane writes.

    A line that has begun is held back until it ends, is flushed or grows long: lines of several lanes never mix, and
    the bytes come in the order of the events. (The stream beneath would have held it back all the same.)
    """

    def __init__(self, buffer: Any, label: str, **settings: Any) -> None:
        self._label = label
        self._begun: dict[str, tuple[Lane, str]] = {}
        super().__init__(buffer, **settings)

    def write(self, text: str, /) -> int:
        lane = running.lane
        if lane is None:
            inside = crossing_of()
            if inside is not None:
                inside.door.echo(inside, self._label, text)
            return super().write(text)
        begun = self._begun.pop(lane.path, None)
        whole, newline, rest = (text if begun is None else begun[1] + text).rpartition("\n")
        if newline:
            self._emit(lane, whole + newline)
        if len(rest) > _LONGEST:
            self._emit(lane, rest)
        elif rest:
            self._begun[lane.path] = (lane, rest)
            lane.unfinished = functools.partial(_emit_begun, lane)
        return len(text)

    def flush(self) -> None:
        lane = running.lane
        if lane is not None:
            self.emit_begun(lane)
        running.lane = None  # what the layer beneath writes now has been reported
        try:
            super().flush()
        finally:
            running.lane = lane

    def emit_begun(self, lane: Lane) -> None:
        """Emit the line that this lane has begun."""
        begun = self._begun.pop(lane.path, None)
        if begun is not None:
            self._emit(*begun)

    def emit_rest(self) -> None:
        """At the end of the program: lines that never ended."""
        for path in list(self._begun):
            self._emit(*self._begun.pop(path))

    def _emit(self, lane: Lane, text: str) -> None:
        call: Call[None] = Call("output", self._label, "write", request=text)
        lane.door.emit(lane, call, lambda: self._write_now(text))

    def _write_now(self, text: str) -> None:
        super().write(text)


def _emit_begun(lane: Lane) -> None:
    lane.unfinished = None
    for stream in _streams:
        stream.emit_begun(lane)


class BinaryOutput(io.BufferedWriter):
    """The binary side of a standard stream, for programs that write bytes."""

    def __init__(self, raw: Any, label: str) -> None:
        super().__init__(raw)
        self._label = label

    def write(self, data: Any, /) -> int:
        lane = running.lane
        if lane is None:  # the text side writes as nobody
            return super().write(data)
        call: Call[None] = Call("output", self._label, "write", request=bytes(data))
        lane.door.emit(lane, call, lambda: self._write_now(data))
        return len(data)

    def _write_now(self, data: Any) -> None:
        super().write(data)


class RawOutput(io.FileIO):
    """The same, where the interpreter runs unbuffered (`-u`) and there is nothing between text and descriptor."""

    def __init__(self, raw: io.FileIO, label: str) -> None:
        super().__init__(raw.fileno(), "wb", closefd=False)
        self.name = raw.name
        self._raw = raw  # the descriptor is its
        self._label = label

    def write(self, data: Any, /) -> int:
        lane = running.lane
        if lane is None:
            return super().write(data)
        whole = bytes(data)
        call: Call[None] = Call("output", self._label, "write", request=whole)
        lane.door.emit(lane, call, lambda: self._write_now(whole))
        return len(whole)

    def _write_now(self, rest: bytes) -> None:
        while rest:
            rest = rest[super().write(rest) :]


_streams: list[Output] = []


def install() -> None:
    """Replace the standard streams, where they are ordinary ones."""
    for label in ("stdout", "stderr"):
        stream = getattr(sys, label)
        if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, Output):
            continue
        settings = {
            "encoding": stream.encoding,
            "errors": stream.errors,
            "line_buffering": stream.line_buffering,
            "write_through": stream.write_through,
        }
        beneath: Any = cast("Any", stream).detach()
        if isinstance(beneath, io.BufferedWriter):
            beneath = BinaryOutput(beneath.detach(), label)
        elif isinstance(beneath, io.FileIO):
            beneath = RawOutput(beneath, label)
        output = Output(beneath, label, **settings)
        setattr(output, "mode", "w")  # noqa: B010 - as the interpreter's own streams have it
        setattr(sys, label, output)
        setattr(sys, f"__{label}__", output)
        _streams.append(output)
    _patch_write()


def _patch_write() -> None:
    real = os.write

    def write(fd: int, data: Any, /) -> int:
        lane = running.lane
        if lane is None or (fd != 1 and fd != 2):
            return real(fd, data)
        whole = bytes(data)
        call: Call[None] = Call("output", "stdout" if fd == 1 else "stderr", "write", request=whole)
        lane.door.emit(lane, call, lambda: _write_all(real, fd, whole))
        return len(whole)

    write.__doc__ = real.__doc__
    setattr(os, "write", write)  # noqa: B010


def _write_all(real: Callable[[int, bytes], int], fd: int, rest: bytes) -> None:
    while rest:
        rest = rest[real(fd, rest) :]


def finish() -> None:
    """Report what never ended in a newline."""
    for stream in _streams:
        stream.emit_rest()
