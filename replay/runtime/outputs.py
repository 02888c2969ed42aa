"""What the program prints is part of its execution: recorded line by line, compared at replay.

`sys.stdout` and `sys.stderr` are replaced by text streams over the same descriptor that tell the door what is written.
A line is one event of its lane; an explicit `flush` ends a piece too (streamed tokens). What a library prints while a
crossing is performed belongs to nobody and shows up only on the terminal.

Not covered: C code and child processes that write to the descriptor themselves.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane, running


class Output(io.TextIOWrapper):
    """A standard stream that reports what each lane writes."""

    def __init__(self, buffer: Any, label: str, **settings: Any) -> None:
        self._label = label
        self._begun: dict[str, str] = {}
        self._lanes: dict[str, Lane] = {}
        super().__init__(buffer, **settings)

    def write(self, text: str, /) -> int:
        lane = running.lane
        if lane is not None and text:
            whole, newline, rest = (self._begun.pop(lane.path, "") + text).rpartition("\n")
            if newline:
                self._report(lane, whole + newline)
            if rest:
                self._begun[lane.path] = rest
                self._lanes[lane.path] = lane
        return super().write(text)

    def flush(self) -> None:
        lane = running.lane
        if lane is not None and lane.path in self._begun:
            self._report(lane, self._begun.pop(lane.path))
        super().flush()

    def report_rest(self) -> None:
        """At the end of the program: lines that never ended."""
        for path, text in list(self._begun.items()):
            del self._begun[path]
            self._report(self._lanes[path], text)

    def _report(self, lane: Lane, text: str) -> None:
        call: Call[None] = Call("output", self._label, "write", request=text)
        lane.door.cross(lane, call, _nothing)


class BinaryOutput(io.BufferedWriter):
    """The binary side of a standard stream, for programs that write bytes."""

    def __init__(self, raw: Any, label: str) -> None:
        super().__init__(raw)
        self._label = label
        self.text_layer = False

    def write(self, data: Any, /) -> int:
        lane = running.lane
        if lane is not None and not self.text_layer:
            call: Call[None] = Call("output", self._label, "write", request=bytes(data))
            lane.door.cross(lane, call, _nothing)
        return super().write(data)


def _nothing() -> None:
    return None


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
        output = Output(stream.detach(), label, **settings)
        setattr(output, "mode", "w")  # noqa: B010 - as the interpreter's own streams have it
        setattr(sys, label, output)
        setattr(sys, f"__{label}__", output)
        _streams.append(output)


def finish() -> None:
    """Report what never ended in a newline."""
    for stream in _streams:
        stream.report_rest()
