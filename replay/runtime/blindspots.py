"""Blind spots: what the program did in its own lane that no seam saw.

Found by wrapping the narrow places everything in Python goes through (`fork`, `open`), not by
an audit hook: a hook makes every frame look-up of the recorder three times as slow (measured, `docs/design/`). At the
end the program's modules are searched for clocks they had bound before recording began.

A crossing that a seam performs has no lane while it is performed, so what shows up here was seen by nobody.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, cast

from replay.boundary import originals, sites
from replay.boundary.lanes import running
from replay.runtime import ambient

_installed = False


def install() -> None:
    """Wrap the narrow places; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    _wrap_processes()
    _wrap_native()


def _wrap_processes() -> None:
    for name in ("forkpty",):
        real = getattr(os, name, None)
        if real is not None:
            setattr(os, name, _reporting(name, real))


def _is_asked(frame: FrameType | None, *, libraries: bool) -> bool:
    """Whether the program wanted this, itself or (`libraries`) through an installed library; not an import."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return False
        if not sites.is_library(name):
            return True
        if "site-packages" in name:
            return libraries
        frame = frame.f_back
    return False


def _wrap_native() -> None:
    """What talks to the world past Python's own files, sockets and threads."""
    library: Any = ctypes.CDLL
    look_up = library.__getattr__

    def function_of(self: Any, name: str) -> Any:
        lane = running.lane
        if lane is not None and not name.startswith("__") and _is_asked(originals.frame(1), libraries=False):
            lane.door.blind("native call", f"{name} of {getattr(self, '_name', None) or 'this process'}")
        return look_up(self, name)

    library.__getattr__ = function_of


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


def note_clocks(door: Any) -> None:
    """At the end of a recording: program modules that read a clock nobody saw."""
    for module, name in ambient.early_bound():
        file = getattr(sys.modules.get(module), "__file__", None)
        if file is not None and not sites.is_library(file):
            door.blind("clock", f"{module}.{name} was bound to the real clock before recording began")
