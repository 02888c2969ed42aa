"""How long a process may take, and how much memory: watched from outside, so that its own limits stay as they were."""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from replay.boundary import originals
from replay.model.errors import LimitReached

_LOOKS: Final = 0.05
"""Seconds between two looks at the memory."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds`: of wall time. `memory`: bytes in memory (RSS), looked at twenty times a second. None: no limit."""

    seconds: float | None = None
    memory: int | None = None

    def taking(self, seconds: float | None) -> Limits:
        """The same with another time."""
        return replace(self, seconds=seconds)

    def watch(self, pid: int) -> Watch:
        """Kill that process when it passes one of them; use it as a context for as long as the process runs."""
        return Watch(pid, self)


class Watch:
    """Of one process. Leaving the context raises LimitReached where a limit was."""

    def __init__(self, pid: int, limits: Limits) -> None:
        self._pid = pid
        self._limits = limits
        self._reached: str | None = None
        self._process = -1
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._limits != Limits():
            with suppress(OSError):  # it has ended already
                self._process = os.pidfd_open(self._pid)
                self._ended, self._end = os.pipe()
                self._thread = threading.Thread(target=self._run, name="replay-limits", daemon=True)
                self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            os.close(self._end)
            self._thread.join()
            os.close(self._ended)
            os.close(self._process)
        if self._reached is not None and kind is None:
            raise LimitReached(self._reached)

    def _run(self) -> None:
        limits = self._limits
        until = None if limits.seconds is None else originals.monotonic() + limits.seconds
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        poll.register(self._ended, select.POLLIN)
        while True:
            left = None if until is None else max(0.0, until - originals.monotonic())
            wait = left if limits.memory is None else _LOOKS if left is None else min(left, _LOOKS)
            if poll.poll(None if wait is None else wait * 1000 + 1):
                return
            if until is not None and originals.monotonic() >= until:
                self._reached = f"it ran longer than {limits.seconds:g} s"
            elif limits.memory is not None and resident(self._pid) > limits.memory:
                self._reached = f"it took more than {limits.memory / (1 << 20):.0f} MiB of memory"
            if self._reached is not None:
                with suppress(OSError):
                    signal.pidfd_send_signal(self._process, signal.SIGKILL)
                return


def resident(pid: int) -> int:
    """Bytes that process has in memory; 0 where nobody says."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0
