"""The sandbox of a replay: what tries to get past the door is refused, reported and latched.

The interpreter's audit events name every attempt to connect, start a process or change a file, whoever makes it in
Python or through the standard library. The hook can't be removed for the life of the process. What it can't see: native
code that talks to the kernel by itself (`docs/limits.md`).

Allowed: reading files; writing below the scratch directory and to the standard streams; socket pairs and binding, which
reach nobody; threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

_REFUSED = {
    "socket.connect": "connection",
    "socket.sendto": "connection",
    "socket.sendmsg": "connection",
    "socket.getaddrinfo": "name look-up",
    "socket.gethostbyname": "name look-up",
    "socket.gethostbyaddr": "name look-up",
    "subprocess.Popen": "process",
    "os.system": "process",
    "os.exec": "process",
    "os.posix_spawn": "process",
    "os.spawn": "process",
    "os.fork": "process",
    "os.forkpty": "process",
    "pty.spawn": "process",
    "os.kill": "signal",
    "os.killpg": "signal",
    "ftplib.connect": "connection",
    "smtplib.connect": "connection",
    "os.putenv": "",
}
_PATHS_CHANGED = {
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "os.setxattr": 1,
    "os.removexattr": 1,
    "os.chflags": 1,
    "os.lockf": 0,
    "shutil.chown": 1,
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DEVICES = ("/dev/null", "/dev/tty", "/dev/zero", "/dev/full")


class EscapeRefused(PermissionError):
    """Raised in the program where it tried to get past the door; the replay has failed already."""


class Sandbox:
    """Refuses what leaves the replay.

    Args:
        scratch: the only directory that may change.
        report: called with (what, detail) for each attempt; latches it.
    """

    def __init__(self, scratch: str, report: Callable[[str, str], None]) -> None:
        self._scratch = os.path.realpath(scratch)
        self._report = report
        self._open = True

    def install(self) -> None:
        """From now on and for the life of the process."""
        sys.addaudithook(self._hook)

    def release(self) -> None:
        """The replay is over: our own last writes (the verdict) may pass."""
        self._open = False

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        what = _REFUSED.get(event)
        if what:
            if self._open:
                self._refuse(what, f"{event} {_readable(args)}")
        elif event == "open":
            path, mode, flags = args
            if self._open and _writes(mode, flags) and not self._inside(path):
                self._refuse("file write", f"open {_readable((path,))} for writing")
        elif event in _PATHS_CHANGED and self._open:
            for path in args[: _PATHS_CHANGED[event]]:
                if not self._inside(path):
                    self._refuse("file change", f"{event} {_readable((path,))}")

    def _inside(self, path: Any) -> bool:
        if isinstance(path, int):
            return True  # a file descriptor that was opened past this hook already
        try:
            real = os.path.realpath(os.fsdecode(path))
        except (TypeError, ValueError):
            return False
        return real in _DEVICES or real == self._scratch or real.startswith(self._scratch + os.sep)

    def _refuse(self, what: str, detail: str) -> None:
        self._report(what, detail)
        raise EscapeRefused(f"replay: {detail}: a replay touches nothing outside its scratch directory")


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING)


def _readable(args: tuple[Any, ...]) -> str:
    return " ".join(repr(arg)[:120] for arg in args if not hasattr(arg, "fileno"))
