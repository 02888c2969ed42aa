"""The event loop of a fork: a replay's up to the fork point, a real one behind it.

Behind it, what a recording answers waits until the loop has nothing else to do: then the earliest outcome comes, in the
order of the recording. So tasks that wait for recorded answers get them in the recorded order. Timers are real ones,
unless nobody could do anything before they are due, and nothing is live: then time passes at once.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable
from typing import Any

from replay.boundary import lanes, originals
from replay.fork.door import Departed, ForkDoor
from replay.runtime.handles import is_asyncio
from replay.runtime.replay_loop import ReplayLoop

_Selector: Any = super


class ForkLoop(ReplayLoop):
    """Set up by `use`."""

    player: ForkDoor  # pyright: ignore[reportIncompatibleVariableOverride] - `use_replay_loop` sets it

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._answers: list[tuple[int, int, Any]] = []
        self._live = False
        self._scheduled: list[Any]

    def time(self) -> float:
        player, lane = self.player, lanes.current()
        if lane is None or is_asyncio(originals.frame(1)):
            return player.clocks.loop_seconds() if player.departed else player.now / 1e6
        return lane.door.draw(lane, "loop.time", player.clocks.loop_seconds)  # type: ignore[no-any-return]

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        if not self.player.departed:
            return super().call_at(when, callback, *args, context=context)
        return super(ReplayLoop, self).call_at(when, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        if self._live:
            _Selector(ReplayLoop, self)._timer_handle_cancelled(handle)

    def _write_to_self(self) -> None:
        super()._write_to_self()
        if self.player.departed:
            _Selector(ReplayLoop, self)._write_to_self()

    def _consume_stop(self, driver: Any) -> None:
        if not self.player.departed:
            super()._consume_stop(driver)

    def _run_once(self) -> None:
        if not self.player.departed:
            try:
                super()._run_once()
            except Departed:
                pass
            else:
                return
        if not self._live:
            self._become_live()
        self._pass_time()
        _Selector(ReplayLoop, self)._run_once()

    def _become_live(self) -> None:
        self._live = True
        waiting = [*self._timers.values(), *(timer for _, _, timer in self._internal_timers)]
        for timer in waiting:
            if not timer._cancelled:
                heapq.heappush(self._scheduled, timer)
                timer._scheduled = True
        self._timers.clear()
        self._internal_timers.clear()
        ready = len(self._ready)
        self._answer_next()
        self._ready.rotate(len(self._ready) - ready)  # what was the very next comes before what was ready then

    def _pass_time(self) -> None:
        """Nothing is ready: the next recorded answer comes, or the next timer is due, where nobody can come before."""
        if self._ready or self._stopping:  # type: ignore[attr-defined]
            return
        if self._answer_next():
            return
        idle = not self.player.source.is_live and originals.other_threads() == 0
        if idle and self._scheduled:
            ahead = self._scheduled[0]._when - self.time()
            self.player.clocks.skipped += max(0, int(ahead * 1e9))

    def _answer_next(self) -> bool:
        while self._answers:
            future = heapq.heappop(self._answers)[2]
            if not future.done():
                future.set_result(None)
                return True
        return False

    async def wait_for(self, place: int) -> None:
        """Until the outcome at that place of the recording comes."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        heapq.heappush(self._answers, (place, next(self._count), future))
        await future


def turn_of(place: int) -> Awaitable[None]:
    """For `ForkDoor.turn_of`."""
    loop: Any = asyncio.get_running_loop()
    return loop.wait_for(place)  # type: ignore[no-any-return]


ForkLoop.__name__ = ForkLoop.__qualname__ = ReplayLoop.__name__
ForkLoop.__module__ = ReplayLoop.__module__
