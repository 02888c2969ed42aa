"""A replayed process that stops at events and does what a session outside asks (`replay debug`).

Rules:
- It stops where the program is about to do an event, in that event's turn, and where it does something else than was
  recorded. There it waits for messages, and no lane acts.
- It can become two there. The new one answers on a channel of its own and has its own position in every file that is
  open, so that neither disturbs the other: one stays as a checkpoint, the other goes on. Or it evaluates what somebody
  typed, and is ended: what that did is gone with it.
- It forks below the interpreter (C's `fork`): nothing that the program or a library wanted to happen in forked children
  happens (`random` would start anew). That is safe where the forking thread is the only one: `alone` says so.
- Nobody at the other end any more: it ends at once.

    message                              answer
    {"do": "go", "to": N}                none: it goes on to event N, the next stop behind it, or its end
    {"do": "fork"} with a descriptor     {"pid": …} (negative: it can't); the new process listens at the descriptor
    {"do": "stack"}                      {"stack": [[file, line, function], …]}, the agent's own code, innermost first
    {"do": "evaluate", "what", "frame"}  {"value", "type", "truth", "printed"} or {"error"}
    {"do": "locals", "frame"}            {"locals": [[name, value], …]}

At each stop it says {"event", "why", "differs", "alone"} by itself. A message is a length (4 bytes, big endian) and
JSON.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, NoReturn, cast

from replay.boundary import originals, sites
from replay.boundary.lanes import nobody

HEAD: Final = struct.Struct(">I")
_HIGH: Final = 600
"""Descriptors from here on aren't taken for those of files that the program opens."""
_LONGEST: Final = 1 << 16
"""Characters of a value that are told."""
_BRIEF: Final = 200
_REAL = originals.REAL_OS
_ENDED: Final = 0


class Stepper:
    """Stops at events, as the session outside wants.

    Args:
        channel: descriptor of a unix socket to it. at: the event to stop at first.
    """

    def __init__(self, channel: int, at: int) -> None:
        import _socket
        import ctypes
        import fcntl

        self._at = at
        self._fcntl = fcntl
        self._sockets: Any = _socket
        self._fork: Callable[[], int] = ctypes.PyDLL(None).fork  # looked up now: the sandbox refuses to, later
        self._channel = self._adopt(channel)

    def wants(self, event: int) -> bool:
        """Whether it is to stop there."""
        return event >= self._at

    def stop(self, frame: FrameType | None, why: str, event: int | None, *, differs: bool) -> bool:
        """Wait for what is asked. Never says that this was all: who has seen enough ends the process."""
        with nobody():
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            self._say({"event": event, "why": why, "differs": differs, "alone": self._alone()})
            self._serve(frame)
        return False

    # -- messages ----------------------------------------------------------------------------------------------

    def _serve(self, frame: FrameType | None) -> None:
        """Until it is to go on."""
        while True:
            message, descriptor = self._hear()
            what = message["do"]
            if what == "go":
                self._at = message["to"]
                return
            if what == "fork":
                self._become_two(descriptor)
            elif what == "stack":
                self._say({"stack": [_told(each) for each in _own(frame)]})
            elif what == "evaluate":
                self._say(_evaluated(message["what"], _own(frame), message["frame"]))
            elif what == "locals":
                self._say(_locals(_own(frame), message["frame"]))

    def _become_two(self, descriptor: int) -> None:
        while _reaped():
            pass
        loops = cast("Any", sys.modules.get("_asyncio"))
        loop: Any = None if loops is None else loops._get_running_loop()
        pid = self._fork()
        if pid:
            originals.os_close(descriptor)
            self._say({"pid": pid})
            return
        if loops is not None and loop is not None:
            loops._set_running_loop(loop)  # asyncio asks C for the process, and takes it for another one's
        _reopen_files(self._fcntl)
        self._channel.close()
        self._channel = self._adopt(descriptor)

    def _alone(self) -> bool:
        """Whether a fork of this process is the whole of it: no other thread, and no file that only it can see."""
        try:
            threads = len(_REAL.listdir("/proc/self/task"))
        except OSError:
            return False
        return threads == 1 and not any(_is_hidden(descriptor) for descriptor in _descriptors())

    def _adopt(self, descriptor: int) -> Any:
        high = self._fcntl.fcntl(descriptor, self._fcntl.F_DUPFD_CLOEXEC, _HIGH)
        originals.os_close(descriptor)
        return self._sockets.socket(fileno=high)

    def _say(self, message: Any) -> None:
        data = json.dumps(message).encode()
        try:
            self._channel.sendall(HEAD.pack(len(data)) + data)
        except OSError:
            _end()

    def _hear(self) -> tuple[Any, int]:
        """A message, and the descriptor that came with it (-1: none)."""
        data, received, room = b"", -1, self._sockets.CMSG_SPACE(4)
        want = HEAD.size
        while len(data) < want:
            try:
                piece, notes, _, _ = self._channel.recvmsg(want - len(data), room)
            except OSError:
                _end()
            if not piece:
                _end()
            for _, _, note in notes:
                (received,) = struct.unpack("i", note[:4])
            data += piece
            if len(data) == HEAD.size:
                want = HEAD.size + HEAD.unpack(data)[0]
        return json.loads(data[HEAD.size :]), received


def _end() -> NoReturn:
    originals.os_exit(_ENDED)


def _reaped() -> bool:
    try:
        return bool(_REAL.waitpid(-1, _REAL.WNOHANG)[0])
    except OSError:
        return False


# -- files -----------------------------------------------------------------------------------------------------


def _descriptors() -> list[int]:
    return [int(name) for name in _REAL.listdir("/proc/self/fd")]


def _is_hidden(descriptor: int) -> bool:
    """A regular file without a name that can be written to: whoever shares it sees what the other one writes."""
    try:
        state = _REAL.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink:
            return False
        import fcntl

        return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR))
    except OSError:
        return False


def _reopen_files(fcntl: Any) -> None:
    """Regular files again, at the same place: a forked process shares the position with the one it came from."""
    for descriptor in _descriptors():
        try:
            if not stat.S_ISREG(_REAL.fstat(descriptor).st_mode):
                continue
            path = _REAL.readlink(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
            place = _REAL.lseek(descriptor, 0, os.SEEK_CUR)
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC)
            closes = fcntl.fcntl(descriptor, fcntl.F_GETFD)
            again = originals.os_open(path, flags | os.O_CLOEXEC)
        except OSError:
            continue  # gone since: it is read by nobody else
        _REAL.dup2(again, descriptor, inheritable=not closes & fcntl.FD_CLOEXEC)
        originals.os_close(again)
        _REAL.lseek(descriptor, place, os.SEEK_SET)


# -- looking ---------------------------------------------------------------------------------------------------


def _own(frame: FrameType | None) -> list[FrameType]:
    """The frames of the agent's own code, innermost first; what calls it where none of it is there."""
    first = sites.program_frame(frame)
    found: list[FrameType] = [] if first is None else [first]
    while found and (frame := sites.program_frame(found[-1].f_back)) is not None:
        found.append(frame)
    own = [each for each in found if not sites.is_library(each.f_code.co_filename)]
    return own or found[:1]


def _told(frame: FrameType) -> list[Any]:
    return [frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname]


def _names(stack: list[FrameType], at: int) -> dict[str, Any]:
    """What names mean in that frame; those that it doesn't know, in its callers."""
    if not stack:
        return {}
    frame = stack[min(at, len(stack) - 1)]
    known = {**frame.f_globals, **frame.f_locals}
    builtins: Any = frame.f_builtins
    for caller in stack[at + 1 :]:
        for name, value in caller.f_locals.items():
            if name not in builtins:
                known.setdefault(name, value)
    return known


def _evaluated(expression: str, stack: list[FrameType], at: int) -> dict[str, Any]:
    """In a process that is ended afterwards."""
    import io

    printed = io.StringIO()
    sys.stdout = sys.stderr = printed
    try:
        value = eval(compile(expression, "<replay debug>", "eval"), _names(stack, at))
        found = {"value": _shown(value), "type": type(value).__qualname__, "truth": bool(value)}
    except BaseException as error:
        return {"error": _line_of(error), "kind": type(error).__name__, "printed": printed.getvalue()[:_LONGEST]}
    return {**found, "printed": printed.getvalue()[:_LONGEST]}


def _line_of(error: BaseException) -> str:
    try:
        said = str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:
        said = "(its message can't be shown)"
    return f"{type(error).__name__}: {said}"[:_LONGEST].rstrip(": ")


def _shown(value: Any) -> str:
    text = repr(value)
    if len(text) > 78 and isinstance(value, (dict, list, tuple, set, frozenset)):
        import pprint

        text = pprint.pformat(cast("object", value), width=78, compact=True, sort_dicts=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _locals(stack: list[FrameType], at: int) -> dict[str, Any]:
    found: list[list[str]] = []
    for name, value in (stack[min(at, len(stack) - 1)].f_locals if stack else {}).items():
        if name.startswith("__"):
            continue
        try:
            text = repr(value)
        except BaseException as error:
            text = f"({_line_of(error)})"
        found.append([name, text if len(text) <= _BRIEF else text[:_BRIEF] + "…"])
    return {"locals": found}
