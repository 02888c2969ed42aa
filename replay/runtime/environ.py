"""Environment variables the program reads: recorded once each, at their first read, with secrets replaced.

Only variables that were asked for by name count; a walk over the whole environment (`dict(os.environ)` is one) doesn't
put it into the file, save for what HTTP clients look for on such a walk: proxies (`PROXY`). Where the program's own
code walks, that is a blind spot. At replay the process starts with the recorded values in place of its own, and without
its own proxies.
"""

from __future__ import annotations

import os
import threading
from types import CodeType, FrameType
from typing import Any

from replay.boundary import originals, sites
from replay.boundary.lanes import running

PROXY = "_proxy"
"""How names of proxies end, in either case: `urllib.request.getproxies` walks over the environment to find them."""

_OWN = ("PYTHONHASHSEED", "PYTHONPATH", "REPLAY_BOOT")
_installed = False


class _Walk(threading.local):
    """Where somebody last asked for all names: `dict()` asks for them and for the values in one instruction."""

    code: CodeType | None = None
    instruction = -1


_walk = _Walk()


def install() -> None:
    """Watch reads of `os.environ`; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    kind: Any = type(os.environ)
    read, write, delete, keys = kind.__getitem__, kind.__setitem__, kind.__delitem__, kind.keys

    def getitem(self: Any, key: Any) -> Any:
        lane = running.lane
        if lane is None or (self is not os.environ and self is not os.environb):
            return read(self, key)
        if _walks(originals.frame(0).f_back) and not os.fsdecode(key).lower().endswith(PROXY):
            return read(self, key)
        try:
            value = read(self, key)
        except KeyError:
            _report(lane, os.fsdecode(key), None)
            raise
        _report(lane, os.fsdecode(key), os.fsdecode(value))
        return value

    def all_keys(self: Any) -> Any:
        caller = originals.frame(0).f_back
        if running.lane is not None and caller is not None:
            _walk.code, _walk.instruction = caller.f_code, caller.f_lasti
            _name_walk(caller)
        return keys(self)

    every = kind.__iter__

    def all_names(self: Any) -> Any:
        if running.lane is not None:
            _name_walk(originals.frame(0).f_back)
        return every(self)

    def setitem(self: Any, key: Any, value: Any) -> None:
        _forget(os.fsdecode(key))
        write(self, key, value)

    def delitem(self: Any, key: Any) -> None:
        if key in self:  # whether it is there to be deleted is an input
            getitem(self, key)
        _forget(os.fsdecode(key))
        delete(self, key)

    kind.__getitem__, kind.__setitem__, kind.__delitem__, kind.keys = getitem, setitem, delitem, all_keys
    kind.__iter__ = all_names


def _name_walk(caller: FrameType | None) -> None:
    """A program that copies all variables gets more than the recording has; libraries look for some among them."""
    while caller is not None and caller.f_globals.get("__name__") in ("collections.abc", "os"):
        caller = caller.f_back
    lane = running.lane
    if lane is not None and caller is not None and not sites.is_library(caller.f_code.co_filename):
        lane.door.blind("environment", "all variables at once: only those that are asked for by name are recorded")


def _walks(reader: FrameType | None) -> bool:
    if reader is None:
        return False
    code = reader.f_code
    return code.co_name == "__iter__" or (code is _walk.code and reader.f_lasti == _walk.instruction)


def _report(lane: Any, key: str, value: str | None) -> None:
    if key not in _OWN:
        lane.door.environ(lane, key, value)


def _forget(key: str) -> None:
    """The program sets it itself: from now on its value is no input."""
    lane = running.lane
    if lane is not None:
        lane.door.environ(lane, key, None, own=True)
