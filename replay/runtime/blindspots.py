"""Blind spots: what the program did in its own lane that no seam saw.

Found by wrapping the narrow places everything in Python goes through (`socket.connect`, process starts, `open`), not by
an audit hook: a hook makes every frame look-up of the recorder three times as slow (measured, `docs/design/`). At the
end the program's modules are searched for clocks they had bound before recording began.

A crossing that a seam performs has no lane while it is performed, so what shows up here was seen by nobody.
"""

from __future__ import annotations

import builtins
import io
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from typing import Any, cast

from replay.boundary import originals, sites
from replay.boundary.lanes import running
from replay.runtime import ambient

_SYSTEM = ("/usr/lib", "/usr/share", "/proc", "/sys", "/dev")
_SAFE_ROOTS = tuple(
    {
        os.path.realpath(path) + os.sep
        for path in (
            *sysconfig.get_paths().values(),
            sys.prefix,
            sys.base_prefix,
            "/usr/lib",
            "/usr/share",
            "/proc",
            "/sys",
            "/dev",
        )
    }
)
_CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".egg-link", ".toml", ".typed")
_installed = False


def install() -> None:
    """Wrap the narrow places; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    _wrap_connect()
    _wrap_processes()
    _wrap_open()


def _wrap_connect() -> None:
    kind: Any = socket.socket
    for name in ("connect", "connect_ex", "sendto", "sendmsg"):
        real = getattr(kind, name)

        def method(self: Any, *args: Any, _real: Any = real, _name: str = name, **kwargs: Any) -> Any:
            lane = running.lane
            if lane is not None and self.family != getattr(socket, "AF_UNIX", None):
                target = args[0] if _name.startswith("connect") else args[-1]
                lane.door.blind("connection", f"socket.{_name} {target!r}")
            return _real(self, *args, **kwargs)

        method.__name__ = name
        setattr(kind, name, method)


def _wrap_processes() -> None:
    popen: Any = subprocess.Popen
    execute = popen._execute_child

    def execute_child(self: Any, args: Any, *rest: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is not None:
            lane.door.blind("process", f"subprocess {_program(args)}")
        return execute(self, args, *rest, **kwargs)

    popen._execute_child = execute_child
    for name in ("system", "fork", "forkpty", "posix_spawn", "posix_spawnp", "execv", "execve"):
        real = getattr(os, name, None)
        if real is not None:
            setattr(os, name, _reporting(name, real))


def _wrap_open() -> None:
    real = io.open

    def open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:  # noqa: A001 - it stands in for that
        lane = running.lane
        if lane is not None and not isinstance(file, int):
            frame = originals.frame(0).f_back  # None where the interpreter opens a source file for a traceback
            caller = "<interpreter>" if frame is None else frame.f_code.co_filename
            if not sites.is_library(caller) or caller.endswith("pathlib.py"):
                writes = any(letter in mode for letter in "wax+")
                if writes or is_world(file):
                    path: Any = file
                    lane.door.blind("file write" if writes else "file read", os.fsdecode(path))
        return real(file, mode, *args, **kwargs)

    open.__doc__ = real.__doc__
    setattr(io, "open", open)  # noqa: B010 - pathlib looks it up there
    setattr(builtins, "open", open)  # noqa: B010


def _reporting(name: str, real: Any) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is not None:
            lane.door.blind("process", f"os.{name} {_program(args[0]) if args else ''}".rstrip())
        return real(*args, **kwargs)

    function.__name__ = name
    function.__doc__ = real.__doc__
    return function


def _program(args: Any) -> str:
    if isinstance(args, (list, tuple)):
        words = cast("Sequence[Any]", args)
        return str(words[0]) if words else ""
    return str(args).split(" ")[0]


def is_world(path: Any) -> bool:
    """Whether reading this file is an input of the program rather than part of its code or of the system."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        return False
    if text.endswith(_CODE):
        return False
    return not os.path.realpath(text).startswith(_SAFE_ROOTS)


def note_clocks(door: Any) -> None:
    """At the end of a recording: program modules that read a clock nobody saw."""
    for module, name in ambient.early_bound():
        file = getattr(sys.modules.get(module), "__file__", None)
        if file is not None and not sites.is_library(file):
            door.blind("clock", f"{module}.{name} was bound to the real clock before recording began")
