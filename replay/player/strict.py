"""Replaying strict threads: a Player whose lanes hand over where the recording did (`replay.recorder.strict`).

There is no baton here. To give it up is an entry of the lane that had it, to take it one of the lane that gets it, and
both wait for their turns in the total order like everything else: so the code between a SWITCH 1 and the next SWITCH 0
(or CALL) of a lane runs alone, as it did. What a recording lacks after strict mode was given up isn't waited for.
"""

from __future__ import annotations

from types import FrameType
from typing import Any

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import Lane
from replay.boundary.schedule import GIVE, TAKE
from replay.boundary.turns import StrictDoor
from replay.player.player import Player
from replay.player.tape import Entry


class StrictPlayer(StrictDoor, Player):
    """A Player of strict threads; its arguments."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._shared = False
        self._acting: set[int] = set()
        """Threads that have taken the baton and not given it up."""

    def share(self) -> None:
        if not self._shared:
            self._shared = True
            self._acting.add(originals.get_ident())

    def enter(self, lane: Lane) -> bool:
        me = originals.get_ident()
        if not self._shared or self.stopped or me in self._acting:
            return False
        with self.mutex:
            entry = self.tape.next_of(lane.path)
            if entry is None and (not self.complete or lane.path in self._daemons):
                self._rest()
            if entry is None or not _is_switch(entry, TAKE):
                return False
            self.turn(entry)
            self._acting.add(me)
        return True

    def leave(self, lane: Lane) -> None:
        me = originals.get_ident()
        if me not in self._acting or self.stopped:
            return
        self._acting.discard(me)
        with self.mutex:
            entry = self.tape.next_of(lane.path)
            if entry is not None and _is_switch(entry, GIVE):
                self.turn(entry)

    # -- inside ------------------------------------------------------------------------------------------------

    def _next(self, lane: Lane) -> Entry | None:
        """What comes next behind a hand-over that stands before it."""
        entry = super()._next(lane)
        while entry is not None and _is_switch(entry, GIVE) and originals.get_ident() in self._acting:
            self.leave(lane)
            self.enter(lane)
            entry = super()._next(lane)
        return entry

    def begin(self, lane: Lane, call: Call[Any], frame: FrameType) -> Entry:
        entry = super().begin(lane, call, frame)
        if call.kind != "output":
            self._acting.discard(originals.get_ident())
        return entry


def _is_switch(entry: Entry, which: int) -> bool:
    return entry.op == "switch" and entry.detail == which
