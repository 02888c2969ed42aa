"""The baton of strict threads: of a session's threads only the one that has it runs the program's code.

    a thread that        has the baton  and then
    runs in a lane       yes            keeps it until its next switch point
    is at a switch point no             performs, sleeps, waits for a lock; then takes it back
    waits for the baton  no             gets it in the order of asking
    has no lane          no matter      it belongs to the interpreter, or to a library inside a crossing

Until a second thread begins (`share`) there is nothing to give or to take.

A thread that has the baton may be blocked where nobody sees it: by a lock in C, by the end of another thread. Then
those who wait would wait for ever. So they look after it: a holder that used no processor for `idle` seconds, or kept
it for `longest`, ends strict mode for good (`on_end`), and all run on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from replay.boundary import originals

IDLE, LONGEST = 2.0, 30.0
_LOOKS = 8
"""How often one who waits looks while the holder may be idle."""
_NOTHING = 0.0001
"""Seconds of processor time: who used less between two looks did nothing."""
_PATIENCE = 16
"""Locks and looks of one turn after which somebody else comes first."""

_clock: Any = getattr(originals.REAL_TIME, "pthread_getcpuclockid", None)
_read: Any = getattr(originals.REAL_TIME, "clock_gettime", None)


class _Me(threading.local):
    def __init__(self) -> None:
        self.ident = originals.get_ident()
        self.clock: int | None = None if _clock is None else _clock(self.ident)


_me = _Me()


class _Waiter:
    __slots__ = ("clock", "ident", "turn")

    def __init__(self) -> None:
        self.ident = _me.ident
        self.clock = _me.clock
        self.turn = originals.allocate_lock()
        self.turn.acquire()


class Baton:
    """One session's.

    Args:
        on_end: called once, by a thread that waited: the ident of the holder that got stuck, and why.
        idle, longest: seconds.

    Attributes:
        shared: turns are taken, since there has been a second thread. over: nobody takes turns any more.
        excused: how many threads have the baton and wait in a place that keeps the others waiting as well.
    """

    def __init__(self, on_end: Callable[[int, str], None], *, idle: float = IDLE, longest: float = LONGEST) -> None:
        self.shared = self.over = False
        self.excused = 0
        self._on_end = on_end
        self._look = idle / _LOOKS
        self._longest = longest
        self._mutex = originals.allocate_lock()
        self._waiters: deque[_Waiter] = deque()
        self._holder = 0
        self._clock: int | None = None
        self._hands = 0
        self._asked = 0

    def share(self) -> None:
        """A second thread is about to begin; the caller is the first, and so has the baton."""
        if not self.shared and not self.over:
            self._holder, self._clock = _me.ident, _me.clock
            self.shared = True

    def mine(self) -> bool:
        """Whether the caller has it."""
        return self._holder == _me.ident and not self.over

    def is_due(self) -> bool:
        """Called by who looks at something, maybe again and again: whether it should let another have a turn."""
        if not self._waiters or not self.mine():
            return False
        self._asked += 1
        return self._asked > _PATIENCE

    def take(self) -> bool:
        """Wait for it. False where the caller has it already, or nobody needs it (any more)."""
        if not self.shared or self._holder == _me.ident:
            return False
        waiter = _Waiter()
        with self._mutex:
            if self.over:
                return False
            if self._holder:
                self._waiters.append(waiter)
            else:
                self._hand_to(waiter)
        self._wait(waiter)
        return not self.over

    def give(self) -> None:
        """Hand it to whoever has waited longest. Called by the one who has it."""
        with self._mutex:
            if self._waiters:
                self._hand_to(self._waiters.popleft())
            else:
                self._holder, self._clock = 0, None
                self._hands += 1

    def end(self) -> None:
        """From now on all run as they like."""
        with self._mutex:
            self.forget()
            while self._waiters:
                self._waiters.popleft().turn.release()

    def forget(self) -> None:
        """The same in a forked child, where those who waited don't exist, and one of them may have had the mutex."""
        self.shared, self.over = False, True

    # -- inside ------------------------------------------------------------------------------------------------

    def _hand_to(self, waiter: _Waiter) -> None:
        self._holder, self._clock = waiter.ident, waiter.clock
        self._hands += 1
        self._asked = 0
        waiter.turn.release()

    def _wait(self, waiter: _Waiter) -> None:
        """Until its turn, or until the end; and see meanwhile that the holder gets on."""
        idle, hands, used, since = 0, -1, 0.0, 0.0
        while not waiter.turn.acquire(True, self._look):
            hands_now, used_now, now = self._hands, _used(self._clock), originals.monotonic()
            if hands_now != hands:
                idle, since = 0, now
            elif self.excused:
                idle = 0
            else:
                idle = idle + 1 if used_now - used < _NOTHING else 0
            hands, used = hands_now, used_now
            if idle >= _LOOKS:
                self._stuck(hands, "waited where nobody sees it")
            elif now - since > self._longest:
                self._stuck(hands, f"ran for {self._longest:.0f} s without a switch point")

    def _stuck(self, hands: int, why: str) -> None:
        with self._mutex:
            if self.over or self._hands != hands:
                return
            self.over = True
        self._on_end(self._holder, why)  # before the others run: they may free it
        self.end()


def _used(clock: int | None) -> float:
    """Seconds of processor time; of a thread that has ended nothing is known, and nothing changes."""
    if clock is None:
        return float(originals.REAL_TIME.process_time()) if _clock is None else 0.0
    try:
        return float(_read(clock))
    except OSError:
        return 0.0
