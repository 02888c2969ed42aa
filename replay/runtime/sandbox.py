"""The sandbox of a replay: what tries to get past the door is refused, reported and latched.

The interpreter's audit events name nearly every attempt to connect, start a process or change a file, whoever makes it
in Python or through the standard library; the hook can't be removed for the life of the process. The few functions
without an event are wrapped. What neither can see: native code that talks to the kernel by itself (`docs/limits.md`).

Allowed: reading files; writing below the scratch directory and to the standard streams; socket pairs and binding to a
port, which reach nobody; threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from replay.boundary.lanes import running

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
}
_PATHS_CHANGED = {  # event: (how many of its arguments are paths, where their dir_fd stand)
    "os.remove": (1, (1,)),
    "os.rename": (2, (2, 3)),
    "os.rmdir": (1, (1,)),
    "os.mkdir": (1, (2,)),
    "os.link": (2, (2, 3)),
    "os.symlink": (2, (None, 2)),
    "os.truncate": (1, ()),
    "os.chmod": (1, (2,)),
    "os.chown": (1, (3,)),
    "os.utime": (1, (3,)),
    "os.setxattr": (1, ()),
    "os.removexattr": (1, ()),
    "os.chflags": (1, ()),
}
_WITHOUT_EVENT = ("mkfifo", "mknod", "mkfifoat", "mknodat")
_NATIVE = frozenset(
    "system popen execv execve execvp execl execlp posix_spawn fork vfork connect sendto sendmsg send unlink rename "
    "remove open open64 creat fopen write pwrite mkdir rmdir truncate kill socket".split()
)
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
        self._place: int | None = None

    def install(self) -> None:
        """From now on and for the life of the process."""
        self._wrap()
        sys.addaudithook(self._hook)

    def release(self) -> None:
        """The replay is over: our own last writes (the verdict) may pass."""
        self._open = False

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._open:
            return
        what = _REFUSED.get(event)
        if what:
            self._refuse(what, f"{event} {_readable(args)}")
        elif event == "open":
            path, mode, flags = args
            if _writes(mode, flags) and not self._inside(path, self._place):
                self._refuse("file write", f"open {_readable((path,))} for writing")
        elif event in _PATHS_CHANGED:
            count, places = _PATHS_CHANGED[event]
            for number, path in enumerate(args[:count]):
                if event == "os.symlink" and number == 0:
                    continue  # what a link says needn't be there
                at = places[number] if number < len(places) else None
                place = None if at is None or at >= len(args) else args[at]
                if not self._inside(path, place):
                    self._refuse("file change", f"{event} {_readable((path,))}")
        elif event == "socket.bind":
            address: Any = args[1]
            if isinstance(address, (str, bytes)) and not self._inside(address, None):
                self._refuse("file change", f"socket.bind {_readable((address,))}")
        elif event == "sqlite3.connect":
            if not self._is_private_database(args[0]):
                self._refuse("database", f"sqlite3.connect {_readable(args)}")
        elif event == "ctypes.dlsym" and args[1] in _NATIVE:
            self._refuse("native call", f"ctypes: {args[1]}")

    def _is_private_database(self, database: Any) -> bool:
        try:
            text = os.fsdecode(database)
        except TypeError:
            return False
        if text in (":memory:", "") or "mode=memory" in text or text.startswith("file::memory:"):
            return True
        return self._inside(text.removeprefix("file:").partition("?")[0], None)

    def _inside(self, path: Any, place: Any) -> bool:
        """Whether a path lies in the scratch directory; relative ones below the directory open at `place`."""
        if isinstance(path, int):
            return True  # a file descriptor that was opened past this hook already
        lane, running.lane = running.lane, None  # the looking is ours
        try:
            text = os.fsdecode(path)
            if isinstance(place, int) and place >= 0 and not os.path.isabs(text):
                text = os.path.join(os.readlink(f"/proc/self/fd/{place}"), text)
            real = os.path.realpath(text)
        except (TypeError, ValueError, OSError):
            return False
        finally:
            running.lane = lane
        return real in _DEVICES or real == self._scratch or real.startswith(self._scratch + os.sep)

    def _wrap(self) -> None:
        """What has no audit event, or one that doesn't say below which directory."""
        for name in _WITHOUT_EVENT:
            if hasattr(os, name):
                setattr(os, name, self._checked(name, getattr(os, name)))
        real = os.open

        def open_at(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            self._place = dir_fd
            try:
                return real(path, flags, mode, dir_fd=dir_fd)
            finally:
                self._place = None

        os.supports_dir_fd.add(open_at)
        setattr(os, "open", open_at)  # noqa: B010 - typeshed knows no assignment to it

    def _checked(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def function(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> Any:
            if self._open and running.lane is None and not self._inside(path, dir_fd):  # in a lane it is recorded
                self._refuse("file change", f"os.{name} {_readable((path,))}")
            return real(path, *args, dir_fd=dir_fd, **kwargs)

        return function

    def _refuse(self, what: str, detail: str) -> None:
        self._report(what, detail)
        raise EscapeRefused(f"replay: {detail}: a replay touches nothing outside its scratch directory")


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITING)


def _readable(args: tuple[Any, ...]) -> str:
    return " ".join(repr(arg)[:120] for arg in args if not hasattr(arg, "fileno"))
