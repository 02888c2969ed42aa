"""Which thread imports a module first is chance: what a module does meanwhile is done by the module, not by a thread.

Two tools that run at a time both import a client; one finds it there, the other runs its first lines, which take locks
and read clocks. In a replay it may be the other way round. So once a program has threads, an import gets a lane of its
own, `m/i:<module>`, whoever it was that came first. Before that, imports are done by the lane that imports.

What the body of a tool imports is done by `m/x/i:<module>`, with or without threads. Where bodies don't run, whoever
comes first outside of them imports it as nobody: its first lines were the body's.
"""

from __future__ import annotations

import _frozen_importlib
from typing import Any

from replay.boundary import originals, sites, turns
from replay.boundary.lanes import Lane, become, carrier, running

_machinery: Any = _frozen_importlib
_installed = False


def begin(parent: Lane) -> None:
    """A lane starts a thread: from now on imports of its session have lanes. Inside tools they have them anyway."""
    if parent.outer is None:
        parent.door.threaded = True


def install() -> None:
    """Ask the door who acts during an import; idempotent."""
    global _installed
    if _installed:
        return
    _installed = True
    load = _machinery._find_and_load

    def find_and_load(name: Any, import_: Any) -> Any:
        lane = running.lane
        # What the recorder imports is nobody's: it may be in the middle of its work, where a lane can't begin.
        caller = originals.frame(0).f_back  # none where the interpreter itself imports, as it does for `-m`
        ours = caller is not None and sites.is_ours(caller.f_code.co_filename)
        importer = None if lane is None or ours else lane.door.importer(lane, name)
        if importer is lane:
            return load(name, import_)
        carried = carrier.get()
        become(importer)
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
