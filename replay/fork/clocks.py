"""Clocks behind a fork point: they go on from what the recording read last, as fast as time passes here.

A live fork is like a laptop that was asleep: the wall clock is today's (others check it: certificates, signatures), the
others go on. Everywhere else the wall clock goes on from the recording as well.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from replay.boundary import originals

_WALL, _MONOTONIC, _PERFORMANCE, _PROCESS, _THREAD = "wall", "monotonic", "perf", "process", "thread"
_FAMILIES: Final[dict[str, tuple[str, bool]]] = {  # source: (clock, whether in nanoseconds)
    "time.time": (_WALL, False),
    "time.time_ns": (_WALL, True),
    "datetime.now": (_WALL, True),
    "time.monotonic": (_MONOTONIC, False),
    "time.monotonic_ns": (_MONOTONIC, True),
    "loop.time": ("loop", False),
    "time.perf_counter": (_PERFORMANCE, False),
    "time.perf_counter_ns": (_PERFORMANCE, True),
    "time.process_time": (_PROCESS, False),
    "time.process_time_ns": (_PROCESS, True),
    "time.thread_time": (_THREAD, False),
    "time.thread_time_ns": (_THREAD, True),
}
_SAME = frozenset(("os.getpid", "os.getppid", "socket.gethostname", "uuid.getnode", "os.cpu_count", "os.uname"))
"""What a process is and where it runs stays what it was."""

_SENT: Final = "http.sent"
"""Whether a request could be sent, of clients built on http.client."""


class Clocks:
    """Of one fork.

    Args:
        created: when the base was begun, as its header says. live: the wall clock is today's.

    Attributes:
        skipped: nanoseconds that nobody waited for.
    """

    def __init__(self, created: str, *, live: bool) -> None:
        self._last: dict[str, int] = {}
        self._same: dict[str, Any] = {}
        self._live = live
        self._created = created
        self._left = self._now = 0
        self.skipped = 0

    def saw(self, source: str, value: Any) -> None:
        """The program was given that."""
        if source in _SAME:
            self._same[source] = value
        family = _FAMILIES.get(source)
        if family is not None and isinstance(value, (int, float)):
            found = int(value) if family[1] else int(value * 1e9)
            self._last[family[0]] = max(found, self._last.get(family[0], 0))

    def depart(self, now: int) -> None:
        """The fork point; `now`: microseconds since the recording began."""
        self._now = now
        self._left = originals.clock_ns()
        if _WALL not in self._last:
            try:
                self._last[_WALL] = int(datetime.fromisoformat(self._created).timestamp() * 1e9) + now * 1000
            except ValueError:
                pass
        self._base = dict(self._last)

    def loop_seconds(self) -> float:
        """Of event loops: since the recording began."""
        return (self._now * 1000 + self._passed()) / 1e9

    def read(self, source: str, real: Callable[[], Any]) -> Any:
        """What that source says now."""
        if source in self._same:
            return self._same[source]
        if source == _SENT:
            return True  # it is sent with the call itself, if that is let out
        family = _FAMILIES.get(source)
        known = None if family is None else self._base.get(family[0])
        if family is None or known is None:
            return real()
        found = originals.wall_ns() if self._live and family[0] == _WALL else known + self._passed()
        found = max(found, self._last[family[0]])
        self._last[family[0]] = found
        return found if family[1] else found / 1e9

    def _passed(self) -> int:
        return originals.clock_ns() - self._left + self.skipped
