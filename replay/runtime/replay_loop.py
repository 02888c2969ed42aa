"""The event loop of a replay: it runs what the tape says ran, in that order. Nothing blocks, no time passes.

Rules, for the tape's head entry:

    step, callback   run the first ready handle of that lane and kind
    timer n          fire the lane's n-th timer, whenever it was due
    arrival n        run what the lane wants to be done when signal n arrives
    return, chunk    of a crossing that had suspended: answer it and run the task it wakes, at once
    chunk            that had been pushed (a connection's data): deliver it
    stop             leave `run_forever`, if it is ours
    signal           call the handler that the interpreter called between two of ours
    anything else    belongs to another thread: wait for it

Handles without a lane belong to the interpreter, to a library's inside, or to the program around a recorded block;
they run as soon as they are ready, and their timers fire when nothing else can move. An entry for which nothing is
ready, and that no other thread can bring about, is a divergence.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any

from replay.boundary import lanes, originals
from replay.boundary.lanes import Lane
from replay.boundary.schedule import CALLBACK, STEP
from replay.player.player import Player
from replay.player.tape import Entry
from replay.runtime.handles import LaneTimerHandle, is_asyncio, lane_of, mark_of

_MARK = {"step": STEP, "callback": CALLBACK}


class PendingFuture(asyncio.Future[None]):
    """What a task awaits inside a crossing at replay. Cancelling it does nothing: the recorded outcome says whether the
    crossing was cancelled, and when."""

    def cancel(self, msg: Any = None) -> bool:
        return True

    def deliver(self) -> None:
        """The crossing's turn has come."""
        super().set_result(None)


def new_future() -> PendingFuture:
    """For `Player.new_future`."""
    return PendingFuture(loop=asyncio.get_running_loop())


class ReplayLoop(asyncio.SelectorEventLoop):
    """A selector loop that never selects. `player` is set once per process, by `runtime.loops`."""

    player: Player

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._timers: dict[tuple[str, int], Any] = {}
        self._replay_arrivals: dict[tuple[str, int], Any] = {}
        self._internal_timers: list[tuple[float, int, Any]] = []
        self._count = itertools.count()
        self._driver: Lane | None = None
        self._ready: Any

    def time(self) -> float:
        """Virtual seconds for asyncio's own timers (where the recording is); the program gets what it got then."""
        lane = lanes.current()
        if lane is None or is_asyncio(originals.frame(1)):
            return self.player.now / 1e6
        return lane.door.draw(lane, "loop.time", lambda: 0.0)  # type: ignore[no-any-return]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        self._check_closed()  # type: ignore[attr-defined]
        timer = LaneTimerHandle(when, callback, args, self, context)
        lane = timer.lane()
        if lane is not None:
            self._timers[lane.path, timer.number] = timer
        else:
            heapq.heappush(self._internal_timers, (when, next(self._count), timer))
        return timer

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Cancelled timers stay in `_timers`; the tape never asks for them."""

    def _write_to_self(self) -> None:
        """Another thread has scheduled something: wake the loop where it waits."""
        with self.player.changed:
            self.player.changed.notify_all()

    def run_forever(self) -> None:
        before, self._driver = self._driver, lanes.current()
        try:
            super().run_forever()
        finally:
            driver, self._driver = self._driver, before
            self._consume_stop(driver)
            if driver is not None:
                driver.door.enter(driver)

    def _consume_stop(self, driver: Lane | None) -> None:
        """An exception may have left the loop before it came to its own end."""
        player = self.player
        with player.changed:
            head = player.tape.head()
            if head is not None and _is_stop_of(driver, head) and not player.stopped:
                player.consume(head)

    def _run_once(self) -> None:
        """All of it: from here until the loop stops."""
        player = self.player
        while True:
            self._run_internal()
            with player.changed:
                handle = self._next_handle(player)
            if handle is None:
                return
            if not handle._cancelled:
                try:
                    handle._run()
                except BaseException as error:
                    if not self._goes_on_after(error):
                        raise

    def _goes_on_after(self, error: BaseException) -> bool:
        """What a callback raised to end the program ends the loop at once."""
        return False

    def _next_handle(self, player: Player) -> Any:
        """The handle of the head entry, consumed; None to leave the loop. Waits where another thread has to move."""
        while True:
            entry = player.tape.head() if player.active else None
            if entry is not None:
                if _is_stop_of(self._driver, entry):
                    if not self._is_stopping():
                        player.stop_for(entry, "the loop stopped here in the recording; now it runs on", None)
                    return None
                handle = self._handle_for(entry, player)
                if handle is not None:
                    player.consume(entry)
                    return handle
            if self._driver is None and self._is_stopping():
                return None
            if self._has_internal():
                return _NOTHING
            if self._internal_timers:
                return heapq.heappop(self._internal_timers)[2]
            if entry is None and player.active:
                player.ran_out()
            player.wait(lambda entry=entry: self._can_move(entry, player), entry)  # type: ignore[misc]

    def _is_stopping(self) -> bool:
        return bool(self._stopping)  # type: ignore[attr-defined]

    def _can_move(self, entry: Entry | None, player: Player) -> bool:
        if self._has_internal():
            return True
        return entry is not None and (player.tape.head() is not entry or self._find(entry) is not None)

    def _handle_for(self, entry: Entry, player: Player) -> Any:
        if entry.op in ("return", "chunk"):
            push = player.push(entry, self)
            if push is not None:
                return _PushHandle(push)
            future = player.pending.get(entry)
            if future is None or future.get_loop() is not self:
                return None
            del player.pending[entry]
            future.deliver()
            return self._take_step(entry.lane)
        if entry.op == "timer":
            return self._timers.pop((entry.lane, entry.detail), None)
        if entry.op == "arrival":
            return self._replay_arrivals.get((entry.lane, entry.detail))
        if entry.op == "signal":
            return self._signal(entry, player)
        handle = self._find(entry)
        if handle is not None:
            self._ready.remove(handle)
        return handle

    def _signal(self, entry: Entry, player: Player) -> Any:
        if self._driver is not None and entry.lane == self._driver.path:
            return _Acting(player.handlers.handle, self._driver, entry)
        return None

    def _take_step(self, lane: str) -> Any:
        """The step that answering a crossing has just made ready: the newest of its lane, though not always the newest
        of all, since other threads add theirs."""
        for handle in reversed(tuple(self._ready)):
            woken = lane_of(handle)
            if woken is not None and woken.path == lane:
                self._ready.remove(handle)
                return handle
        return None

    def _find(self, entry: Entry) -> Any:
        if entry.op == "timer":
            return self._timers.get((entry.lane, entry.detail))
        if entry.op == "arrival":
            return self._replay_arrivals.get((entry.lane, entry.detail))
        if entry.op == "chunk":
            return self.player.push(entry, self)
        mark = _MARK.get(entry.op)
        if mark is None:
            return None
        for handle in tuple(self._ready):
            if handle._cancelled:
                continue
            lane = lane_of(handle)
            if lane is not None and lane.path == entry.lane and mark_of(handle) == mark:
                return handle
        return None

    def _has_internal(self) -> bool:
        return any(handle._cancelled or lane_of(handle) is None for handle in tuple(self._ready))

    def _run_internal(self) -> None:
        while self._has_internal():
            for handle in tuple(self._ready):
                if handle._cancelled:
                    self._ready.remove(handle)
                elif lane_of(handle) is None:
                    self._ready.remove(handle)
                    handle._run()


def _is_stop_of(driver: Lane | None, entry: Entry) -> bool:
    return entry.op == "stop" and driver is not None and entry.lane == driver.path


ReplayLoop.__name__ = ReplayLoop.__qualname__ = "_UnixSelectorEventLoop"  # what the program asked for, and prints
ReplayLoop.__module__ = "asyncio.unix_events"


class _Acting:
    """Stands for something else than a handle that the loop does next."""

    _cancelled = False

    def __init__(self, act: Callable[..., None], *args: Any) -> None:
        self._act = act
        self._args = args

    def _run(self) -> None:
        self._act(*self._args)


class _PushHandle:
    """Delivers what had come unasked."""

    _cancelled = False

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run = run


_NOTHING = _Acting(lambda: None)
"""Look again: internal handles have become ready."""
