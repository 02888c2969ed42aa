"""The sandbox of a replay: what tries to get past the door is refused, reported and latched.

The interpreter's audit events name nearly every attempt to connect, start a process or change a file, whoever makes it
in Python or through the standard library; the hook can't be removed for the life of the process. The few functions
without an event are wrapped. What neither can see, native code that talks to the kernel by itself, meets the kernel's
own wall where there is one (`runtime.walls`).

Allowed: reading files; writing below the scratch directory and to the standard streams; socket pairs and binding to a
port, which reach nobody; threads; and what `--allow` opens (`runtime.holes`), each use of which is reported.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from replay.boundary import originals
from replay.boundary.lanes import running
from replay.runtime import places
from replay.runtime.holes import Hole, Holes

_PROGRAM: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "subprocess.Popen": lambda args: args[0],
    "os.system": lambda args: "sh",
    "os.exec": lambda args: args[0],
    "os.posix_spawn": lambda args: args[0],
    "os.spawn": lambda args: args[1],
    "pty.spawn": lambda args: args[0][0],
    "os.fork": lambda args: "fork",
    "os.forkpty": lambda args: "fork",
}
"""Events of starting a process, and what is started."""
_WITHOUT_HOLE = {
    "ftplib.connect": "connection",
    "smtplib.connect": "connection",
    "syslog.syslog": "connection",
    "socket.sethostname": "system change",
    "cpython.PyInterpreterState_New": "interpreter",
}
"""A sub-interpreter has hooks of its own, and none of ours."""
_PATHS_CHANGED = {  # event: (how many of its arguments are paths, where their dir_fd stand, whether links are followed)
    "os.remove": (1, (1,), False),
    "os.rename": (2, (2, 3), False),
    "os.rmdir": (1, (1,), False),
    "os.mkdir": (1, (2,), False),
    "os.link": (2, (2, 3), False),
    "os.symlink": (2, (None, 2), False),
    "os.truncate": (1, (), True),
    "os.chmod": (1, (2,), True),
    "os.chown": (1, (3,), True),
    "os.utime": (1, (3,), True),
    "os.setxattr": (1, (), True),
    "os.removexattr": (1, (), True),
    "os.chflags": (1, (), True),
}
_WITHOUT_EVENT = ("mkfifo", "mknod", "mkfifoat", "mknodat")
_NATIVE = frozenset(
    "system popen execv execve execvp execl execlp posix_spawn posix_spawnp fork vfork connect sendto sendmsg send "
    "unlink rename remove open open64 creat fopen write pwrite mkdir rmdir truncate kill socket".split()
)


class EscapeRefused(PermissionError):
    """Raised in the program where it tried to get past the door; the replay has failed already."""


class Sandbox:
    """Refuses what leaves the replay.

    Args:
        scratch: the only directory that may change.
        report: called with (what, detail) for each attempt; latches it.
        holes: what is allowed all the same.
        used: called with (hole, what, detail) for each use of one.
    """

    def __init__(
        self,
        scratch: str,
        report: Callable[[str, str], None],
        holes: Holes,
        used: Callable[[Hole, str, str], None],
    ) -> None:
        self._scratch = os.path.realpath(scratch)
        self._report = report
        self._holes = holes
        self._used = used
        self._places: dict[int, int | None] = {}
        self._rules: dict[str, Callable[[str, tuple[Any, ...]], None]] = {
            "open": self._opens,
            "socket.bind": self._binds,
            "sqlite3.connect": self._database,
            "ctypes.dlsym": self._native,
            **dict.fromkeys(_PATHS_CHANGED, self._paths),
            **dict.fromkeys(("socket.connect", "socket.sendto", "socket.sendmsg"), self._connects),
            **dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"), self._looks_up),
            **dict.fromkeys(_PROGRAM, self._starts),
            **dict.fromkeys(("os.kill", "os.killpg"), self._signals),
            **dict.fromkeys(_WITHOUT_HOLE, self._others),
        }

    def install(self) -> None:
        """From now on and for the life of the process."""
        self._wrap()
        sys.addaudithook(self._hook)

    def release(self) -> None:
        """This process isn't the program any more: what it does now is ours."""
        self._rules.clear()

    def suspend(self) -> None:
        """A child of the recording is about to be started, to be replayed itself."""
        self._suspended = dict(self._rules)
        self._rules.clear()

    def resume(self) -> None:
        """It runs in this process instead."""
        self._rules.update(self._suspended)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        rule = self._rules.get(event)
        if rule is not None:
            lane, running.lane = running.lane, None  # looking at paths reads files itself
            try:
                rule(event, args)
            finally:
                running.lane = lane

    def _opens(self, event: str, args: tuple[Any, ...]) -> None:
        path, mode, flags = args
        if _writes(mode, flags):
            place = self._places.get(originals.get_ident())
            self._change("file write", f"open {_readable((path,))} for writing", path, place)

    def _connects(self, event: str, args: tuple[Any, ...]) -> None:
        if args[1] is not None:  # `sendmsg` to where the socket is connected already
            self._judge("connection", f"{event} {_readable(args)}", self._holes.connect(args[1]))

    def _looks_up(self, event: str, args: tuple[Any, ...]) -> None:
        self._judge("name look-up", f"{event} {_readable(args)}", self._holes.look_up(args[0]))

    def _starts(self, event: str, args: tuple[Any, ...]) -> None:
        self._judge("process", f"{event} {_readable(args)}", self._holes.process(_PROGRAM[event](args)))

    def _signals(self, event: str, args: tuple[Any, ...]) -> None:
        self._judge("signal", f"{event} {_readable(args)}", self._holes.signal(args[0]))

    def _binds(self, event: str, args: tuple[Any, ...]) -> None:
        address: Any = args[1]
        if isinstance(address, (str, bytes)) and address[:1] not in ("", b"", "\0", b"\0"):
            self._change("file change", f"socket.bind {_readable((address,))}", address, None, follow=False)

    def _native(self, event: str, args: tuple[Any, ...]) -> None:
        if args[1] in _NATIVE:
            self._judge("native call", f"ctypes: {args[1]}", self._holes.native(args[1]))

    def _others(self, event: str, args: tuple[Any, ...]) -> None:
        self._refuse(_WITHOUT_HOLE[event], f"{event} {_readable(args)}".rstrip())

    def _judge(self, what: str, detail: str, hole: Hole | None) -> None:
        if hole is None:
            self._refuse(what, detail)
        else:
            self._used(hole, what, detail)

    def _paths(self, event: str, args: tuple[Any, ...]) -> None:
        count, at, follow = _PATHS_CHANGED[event]
        for number, path in enumerate(args[:count]):
            if event == "os.symlink" and number == 0:
                continue  # what a link says needn't be there
            position = at[number] if number < len(at) else None
            place = None if position is None or position >= len(args) else args[position]
            self._change("file change", f"{event} {_readable((path,))}", path, place, follow=follow)

    def _database(self, event: str, args: tuple[Any, ...]) -> None:
        try:
            text = os.fsdecode(args[0])
        except TypeError:
            text = repr(args[0])
        if text in (":memory:", "") or "mode=memory" in text or text.startswith("file::memory:"):
            return
        path = text.removeprefix("file:").partition("?")[0] if text.startswith("file:") else text
        self._change("database", f"{event} {_readable(args)}", path, None)

    def _change(self, what: str, detail: str, path: Any, place: Any, *, follow: bool = True) -> None:
        """Something is about to change a path; relative ones lie below the directory open at `place`."""
        real = self._real(path, place, follow=follow, opening=what == "file write")
        if real is None or not places.may_change(real, self._scratch):
            self._judge(what, detail, None if real is None else self._holes.write(real))

    def _real(self, path: Any, place: Any, *, follow: bool, opening: bool) -> str | None:
        """A path without links; None where it can't be told."""
        try:
            if isinstance(path, int):  # opening it again writes to what is open already
                return places.DEVICES[0] if opening else os.readlink(f"/proc/self/fd/{path}")
            text = os.fsdecode(path)
            if isinstance(place, int) and place >= 0 and not os.path.isabs(text):
                text = os.path.join(os.readlink(f"/proc/self/fd/{place}"), text)
            return places.real(text, follow=follow)
        except (TypeError, ValueError, OSError):
            return None

    def _wrap(self) -> None:
        """What has no audit event, or one that doesn't say below which directory."""
        for name in _WITHOUT_EVENT:
            if hasattr(os, name):
                setattr(os, name, self._checked(name, getattr(os, name)))
        real = os.open

        def open_at(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            thread = originals.get_ident()
            self._places[thread] = dir_fd
            try:
                return real(path, flags, mode, dir_fd=dir_fd)
            finally:
                self._places.pop(thread, None)

        os.supports_dir_fd.add(open_at)
        setattr(os, "open", open_at)  # noqa: B010 - typeshed knows no assignment to it
        self._wrap_starts()

    def _wrap_starts(self) -> None:
        """The floor below `subprocess`, and signals by descriptor."""
        import _posixsubprocess
        import subprocess

        below: Any = _posixsubprocess
        start = below.fork_exec

        def fork_exec(args: Any, executables: Any, *rest: Any) -> Any:
            program = next(iter(executables), b"")
            if self._rules:  # not suspended
                self._judge("process", f"fork_exec {_readable((program,))}", self._holes.process(program))
            return start(args, executables, *rest)

        below.fork_exec = fork_exec
        setattr(subprocess, "_fork_exec", start)  # noqa: B010 - Popen has said so already
        send: Any = getattr(signal, "pidfd_send_signal", None)
        if send is not None:

            def pidfd_send_signal(pidfd: int, *rest: Any) -> Any:
                self._judge("signal", "signal.pidfd_send_signal", None)
                return send(pidfd, *rest)

            setattr(signal, "pidfd_send_signal", pidfd_send_signal)  # noqa: B010

    def _checked(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def function(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> Any:
            if running.lane is None:  # in a lane it is recorded
                self._change("file change", f"os.{name} {_readable((path,))}", path, dir_fd, follow=False)
            return real(path, *args, dir_fd=dir_fd, **kwargs)

        return function

    def _refuse(self, what: str, detail: str) -> None:
        self._report(what, detail)
        raise EscapeRefused(f"replay: {detail}: a replay touches nothing outside its scratch directory")


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & places.WRITING)


def _readable(args: tuple[Any, ...]) -> str:
    return " ".join(repr(arg)[:120] for arg in args if not hasattr(arg, "fileno"))
