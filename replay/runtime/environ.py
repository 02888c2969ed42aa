"""Environment variables the program reads: recorded once each, at their first read, with secrets replaced.

Only variables that were asked for by name count; a walk over the whole environment (`urllib` looks for proxies that
way) doesn't put it into the file. At replay the process starts with the recorded values in place of its own.
"""

from __future__ import annotations

import os
from typing import Any

from replay.boundary import originals
from replay.boundary.lanes import running

_OWN = ("PYTHONHASHSEED", "PYTHONPATH", "REPLAY_BOOT")
_installed = False


def install() -> None:
    """Watch reads of `os.environ`; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    kind: Any = type(os.environ)
    read, write, delete = kind.__getitem__, kind.__setitem__, kind.__delitem__

    def getitem(self: Any, key: str) -> str:
        lane = running.lane
        if lane is None or self is not os.environ or originals.frame(1).f_code.co_name == "__iter__":
            return read(self, key)  # type: ignore[no-any-return]
        try:
            value = read(self, key)
        except KeyError:
            _report(lane, key, None)
            raise
        _report(lane, key, value)
        return value  # type: ignore[no-any-return]

    def setitem(self: Any, key: str, value: str) -> None:
        _forget(key)
        write(self, key, value)

    def delitem(self: Any, key: str) -> None:
        _forget(key)
        delete(self, key)

    kind.__getitem__, kind.__setitem__, kind.__delitem__ = getitem, setitem, delitem


def _report(lane: Any, key: str, value: str | None) -> None:
    if key not in _OWN:
        lane.door.environ(lane, key, value)


def _forget(key: str) -> None:
    """The program sets it itself: from now on its value is no input."""
    lane = running.lane
    if lane is not None:
        lane.door.environ(lane, key, None, own=True)
