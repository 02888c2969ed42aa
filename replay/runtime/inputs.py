"""Standard input, and what the program can ask about its terminal: inputs like any other.

`sys.stdin` is replaced by a text stream whose reads are crossings, and so is `input()`, which talks to a terminal past
`sys.stdin`. Whether a standard stream is a terminal is a fact of the recording; at replay the program hears the same.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable
from typing import Any, cast

from replay.boundary.door import Call
from replay.boundary.lanes import running

_STREAMS = ("stdin", "stdout", "stderr")


def terminals() -> dict[str, bool]:
    """Which standard streams are terminals: a fact for the header."""
    return {name: _is_terminal(getattr(sys, name)) for name in _STREAMS}


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


class Input(io.TextIOWrapper):
    """Standard input whose reads are crossings."""

    def read(self, size: int | None = -1, /) -> str:
        return self._ask("read", lambda: io.TextIOWrapper.read(self, size), size)

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return self._ask("readline", lambda: io.TextIOWrapper.readline(self, size), size)

    def __next__(self) -> str:  # type: ignore[override]
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def readlines(self, hint: int = -1, /) -> list[str]:  # type: ignore[override]
        return list(self)

    def _ask(self, name: str, perform: Any, size: int | None) -> str:
        lane = running.lane
        if lane is None:
            return str(perform())
        call: Call[str] = Call("file", f"stdin.{name}", "read", {"size": size})
        return lane.door.cross(lane, call, perform)


class BinaryInput(io.BufferedReader):
    """The binary side of standard input, for programs that read bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        return self._ask("read", lambda: io.BufferedReader.read(self, size), size)

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._ask("readline", lambda: io.BufferedReader.readline(self, size), size)

    def read1(self, size: int = -1, /) -> bytes:
        return self._ask("read1", lambda: io.BufferedReader.read1(self, size), size)

    def peek(self, size: int = 0, /) -> bytes:
        return self._ask("peek", lambda: io.BufferedReader.peek(self, size), size)

    def readinto(self, buffer: Any, /) -> int:
        return self._into(buffer, self.read)

    def readinto1(self, buffer: Any, /) -> int:
        return self._into(buffer, self.read1)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        return list(self)

    def _into(self, buffer: Any, read: Callable[[int], bytes]) -> int:
        with memoryview(buffer).cast("B") as room:
            found = read(len(room))
            room[: len(found)] = found
        return len(found)

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def _ask(self, name: str, perform: Any, size: int | None) -> bytes:
        lane = running.lane
        if lane is None:
            return bytes(perform())
        call: Call[bytes] = Call("file", f"stdin.buffer.{name}", "read", {"size": size})
        return lane.door.cross(lane, call, perform)


def install(are_terminals: dict[str, bool]) -> None:
    """Replace standard input and `input`; answer questions about terminals with `are_terminals`."""
    stream: Any = sys.stdin
    if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, Input):
        encoding, errors = stream.encoding, stream.errors
        detached = cast("Any", stream).detach()
        raw: Any = detached.detach() if hasattr(detached, "detach") else detached
        sys.stdin = sys.__stdin__ = Input(BinaryInput(raw), encoding=encoding, errors=errors)  # type: ignore[misc]
        setattr(sys.stdin, "mode", "r")  # noqa: B010 - as the interpreter's own stream has it
    at_terminal = are_terminals.get("stdin", False) and are_terminals.get("stdout", False)
    setattr(builtins, "input", _input(builtins.input, at_terminal=at_terminal))  # noqa: B010
    for name in _STREAMS:
        found: Any = getattr(sys, name)
        if found is not None:
            found.isatty = _constant(are_terminals.get(name, False))
    real_isatty = os.isatty

    def isatty(fd: int, /) -> bool:
        if running.lane is not None and 0 <= fd < len(_STREAMS):
            return are_terminals.get(_STREAMS[fd], False)
        return real_isatty(fd)

    real_read = os.read

    def read(fd: int, length: int, /) -> bytes:
        lane = running.lane
        if fd != 0 or lane is None:
            return real_read(fd, length)
        call: Call[bytes] = Call("file", "stdin.os.read", "read", {"size": length})
        return lane.door.cross(lane, call, lambda: real_read(fd, length))

    setattr(os, "isatty", isatty)  # noqa: B010
    setattr(os, "read", read)  # noqa: B010
    setattr(os, "get_terminal_size", _terminal_size)  # noqa: B010


def _constant(value: bool) -> Any:
    return lambda: value


def _input(real: Any, *, at_terminal: bool) -> Any:
    def ask(prompt: object = "", /) -> str:
        lane = running.lane
        if lane is None:
            return str(real(prompt))
        if not at_terminal:  # what the built-in does then, spelled out, since it asks the descriptor and not us
            sys.stdout.write(str(prompt))
            sys.stdout.flush()
            line = sys.stdin.readline()
            if not line:
                raise EOFError("EOF when reading a line")
            return line.removesuffix("\n")
        call: Call[str] = Call("file", "input", "read", {"prompt": str(prompt)})
        return lane.door.cross(lane, call, lambda: str(real(prompt)))

    ask.__name__ = ask.__qualname__ = "input"
    return ask


_real_terminal_size = os.get_terminal_size


def _terminal_size(*args: Any) -> os.terminal_size:
    lane = running.lane
    if lane is None:
        return _real_terminal_size(*args)
    call: Call[Any] = Call("env", "terminal size", "read", list(args), dump=tuple, load=os.terminal_size)
    return lane.door.cross(lane, call, lambda: _real_terminal_size(*args))  # type: ignore[no-any-return]
