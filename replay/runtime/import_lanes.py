"""Which thread imports a module first is chance: what a module does meanwhile is done by the module, not by a thread.

Two tools that run at a time both import a client; one finds it there, the other runs its first lines, which take locks
and read clocks. In a replay it may be the other way round. So once a program has threads, an import gets a lane of its
own, `m/i:<module>`, whoever it was that came first. Before that, imports are done by the lane that imports.
"""

from __future__ import annotations

import _frozen_importlib
from typing import Any

from replay.boundary import turns
from replay.boundary.door import Door
from replay.boundary.lanes import Lane, become, carrier, running

_machinery: Any = _frozen_importlib
_installed = False


def begin(door: Door) -> None:
    """From now on imports of that session have lanes; idempotent. Called when a lane starts a thread."""
    if door.imports is None:
        door.imports = {}
        _install()


def _install() -> None:
    global _installed
    if _installed:
        return
    _installed = True
    load = _machinery._find_and_load

    def find_and_load(name: Any, import_: Any) -> Any:
        lane = running.lane
        known = None if lane is None else lane.door.imports
        if lane is None or known is None:
            return load(name, import_)
        carried = carrier.get()
        become(_lane_of(name, known, lane))
        try:
            return load(name, import_)
        finally:
            running.lane = lane
            carrier.set(carried)

    # The interpreter cuts the frames of this file out of an ImportError's traceback.
    find_and_load.__code__ = find_and_load.__code__.replace(co_filename=load.__code__.co_filename)
    _machinery._find_and_load = find_and_load
    wait = _machinery._lock_unlock_module

    def lock_unlock_module(name: Any) -> Any:
        """Waits, in C, for the import by another thread: it is that one's turn."""
        with turns.waiting(running.lane):
            return wait(name)

    lock_unlock_module.__code__ = lock_unlock_module.__code__.replace(co_filename=load.__code__.co_filename)
    _machinery._lock_unlock_module = lock_unlock_module


def _lane_of(module: str, known: dict[str, Lane], importer: Lane) -> Lane:
    """The lane of that module's import: one for each session; it draws from the random stream of whoever imports."""
    lane = known.get(module) or known.setdefault(module, importer.door.new_lane(f"m/i:{module}"))
    lane.stream = importer.stream
    return lane
