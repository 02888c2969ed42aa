"""Handlers of signals at a replay: called where the tape has their mark (`boundary.interrupts`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from replay.boundary import interrupts, originals, sites, turns
from replay.boundary.lanes import Lane, running
from replay.player.stopped import Stopped
from replay.player.tape import Entry

if TYPE_CHECKING:
    from replay.player.player import Player


def _wake(signum: int) -> None:
    """What a signal that comes writes to the descriptor that the program set for it; here none has come."""
    if not interrupts.on_main_thread():
        return
    fd: int = originals.SIGNALS.set_wakeup_fd(-1)
    if fd >= 0:
        originals.SIGNALS.set_wakeup_fd(fd, warn_on_full_buffer=False)
        with suppress(OSError):  # as full, as there
            originals.os_write(fd, bytes((signum,)))


class Handlers:
    """Calls what the program installed. All but `handle` and what `then_late` makes are called with the mutex held."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def handle(self, lane: Lane, entry: Entry) -> None:
        """Call the handler of the signal that came here; in a tool it acts for the caller. Raises what it raises."""
        signum = interrupts.decoded(entry.detail)[1]
        if not callable(interrupts.handlers.get(signum)):
            with self._player.mutex:
                reason = f"a handler of signal {signum} ran here in the recording; now there is none"
                self._player.stop_for(entry, reason, originals.frame(1))
        lane = lane.outer or lane
        before, running.lane = running.lane, None
        _wake(signum)
        running.lane = lane
        try:
            with turns.acting(lane):
                interrupts.handlers[signum](signum, sites.caller())
        finally:
            running.lane = before

    def interrupt(self, lane: Lane, place: int | None) -> None:
        """Call the handlers of signals that came next in this lane, at that place of it or at any."""
        tape = self._player.tape
        entry = tape.next_of(lane.path)
        while entry is not None and entry.op == "signal" and place in (None, interrupts.decoded(entry.detail)[0]):
            self.come(lane, entry)
            entry = tape.next_of(lane.path)

    def come(self, lane: Lane, entry: Entry) -> None:
        """Call the one of that entry, which is what its lane does next."""
        self._player.turn(entry)
        mutex: Any = self._player.mutex
        held = mutex._release_save()  # the handler may wait for other lanes
        try:
            self.handle(lane, entry)
        finally:
            mutex._acquire_restore(held)

    def inside(self, lane: Lane) -> BaseException | None:
        """Call those that came inside a crossing: what they raised its outcome tells, whatever a library made of it."""
        try:
            self.interrupt(lane, interrupts.INSIDE)
        except Stopped:
            raise
        except BaseException as raised:
            return raised
        return None

    def then_late(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        """That operation, and then a look for a handler that ran long after it: it runs at about the same place."""

        def operate(lane: Lane, *args: Any, **more: Any) -> Any:
            result = operation(lane, *args, **more)
            with self._player.mutex:
                entry = self._player.tape.next_of(lane.path)
                if entry is not None and entry.op == "signal":
                    place, signum = interrupts.decoded(entry.detail)
                    if place == interrupts.LATE:
                        interrupts.due[signum] = lambda: self._late(lane, entry)
                        interrupts.remind(signum, interrupts.due)
            return result

        return operate

    def _late(self, lane: Lane, entry: Entry) -> None:
        """Called on the main thread, anywhere; where that is in an operation, the handler has run or is going to."""
        mutex: Any = self._player.mutex
        if running.lane is lane and not mutex._is_owned() and self._player.tape.next_of(lane.path) is entry:
            with self._player.mutex:
                self.interrupt(lane, interrupts.LATE)
