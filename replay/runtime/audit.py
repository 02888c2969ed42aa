"""`replay record --audit`: what goes past every function that we watch is named by the interpreter's own audit events.

C extensions that use the interpreter's sockets and files, `_socket` and `posix` by their own names, databases. Opt-in,
since a hook makes every look at a frame three times as slow (`docs/design/determinism.md`), and stays for the life of
the process. What native code does without telling the interpreter, it doesn't hear of either.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable
from types import FrameType
from typing import Any

from replay.boundary import originals, sites
from replay.boundary.lanes import running

_NAMED: dict[str, tuple[str, Callable[[tuple[Any, ...]], Any]]] = {
    "socket.connect": ("connection", lambda args: args[1]),
    "socket.sendto": ("connection", lambda args: args[1]),
    "socket.sendmsg": ("connection", lambda args: args[1]),
    "socket.getaddrinfo": ("name look-up", lambda args: args[0]),
    "socket.gethostbyname": ("name look-up", lambda args: args[0]),
    "subprocess.Popen": ("process", lambda args: args[0]),
    "os.system": ("process", lambda args: args[0]),
    "os.posix_spawn": ("process", lambda args: args[0]),
    "os.exec": ("process", lambda args: args[0]),
    "sqlite3.connect": ("database", lambda args: args[0]),
    "os.listdir": ("file", lambda args: args[0]),
    "os.scandir": ("file", lambda args: args[0]),
    "os.remove": ("file write", lambda args: args[0]),
    "os.rename": ("file write", lambda args: args[0]),
    "os.mkdir": ("file write", lambda args: args[0]),
    "os.rmdir": ("file write", lambda args: args[0]),
    "os.truncate": ("file write", lambda args: args[0]),
    "os.chmod": ("file write", lambda args: args[0]),
    "ctypes.dlopen": ("native library", lambda args: args[0]),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEAR = 4
_CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".toml", ".typed")
_SYSTEM = tuple(
    {os.path.realpath(path) + os.sep for path in (*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, "/dev")}
)
_installed = False


def install() -> None:
    """For the life of the process; idempotent."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hear)


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event != "open" and event not in _NAMED:
        return
    lane = running.lane
    if lane is None or _is_ours(originals.frame(0).f_back):
        return
    running.lane = None  # naming looks at files itself
    try:
        if event == "open":
            path, mode, flags = args
            writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & _WRITING)
            if not isinstance(path, int) and path is not None and (writes or not _is_code(path)):
                lane.door.blind("file write" if writes else "file read", f"{os.fsdecode(path)} (audit)")
        else:
            what, subject = _NAMED[event]
            found = subject(args)
            if found is not None and not (what.startswith("file") and isinstance(found, int)):
                lane.door.blind(what, f"{event} {found!r} (audit)")
    except (TypeError, ValueError, OSError):
        pass
    finally:
        running.lane = lane


def _is_ours(frame: FrameType | None) -> bool:
    """Whether one of our own functions is about to do this (then it has been seen), or an import."""
    for _ in range(_NEAR):
        if frame is None:
            return False
        name = frame.f_code.co_filename
        if sites.is_ours(name) or name.startswith("<frozen importlib"):
            return True
        if not sites.is_library(name):
            return False
        frame = frame.f_back
    return False


def _is_code(path: Any) -> bool:
    """Part of the program or of its interpreter, rather than an input."""
    text = os.fsdecode(path)
    return text.endswith(_CODE) or os.path.realpath(text).startswith(_SYSTEM)
