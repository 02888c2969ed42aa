"""Signals for the program that runs below this process: it gets each once, and decides what it means.

Ctrl-C, and whatever else is sent to the whole process group, reaches the program by itself. What is sent to this
process alone (a supervisor's SIGTERM) is passed on. Which of the two it was, a *witness* tells: an idle process in the
same group that blocks these signals, so that what was sent to the group stays pending there. Where the system doesn't
show that (`/proc`), those that a terminal sends are taken to be the group's.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from replay.boundary import originals

_TERMINALS = (signal.SIGINT, signal.SIGQUIT)
_FORWARDED = (*_TERMINALS, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_MOMENT = 0.02
"""Seconds in which a signal to a group has reached all of it."""
_SOON = 0.3
"""Seconds in which the same signal again is the group's again."""


class Forwarding:
    """A context in which signals are passed on. Signals are the main thread's: elsewhere it does nothing."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._early: list[int] = []
        self._send: Callable[[int], None] | None = None
        self._witness: subprocess.Popen[bytes] | None = None
        self._last = (0, 0.0)

    def __enter__(self) -> Self:
        self._catch(ignored=False)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._dismiss()

    def to(self, send: Callable[[int], None]) -> None:
        """The program has been started; `send(signal)` reaches it."""
        self._send = send
        self._catch(ignored=True)  # not before: the program inherits what is ignored (`nohup`, a shell's `&`)
        if self._before:
            self._call_witness()
        while self._early:
            self._pass_on(self._early.pop(0))

    def _catch(self, *, ignored: bool) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in _FORWARDED:
                if number not in self._before and ignored is (signal.getsignal(number) == signal.SIG_IGN):
                    self._before[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._send is None:
            self._early.append(number)
        else:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if self._was_for_all(number) or self._send is None:
            return
        try:
            self._send(number)
        except OSError:  # it has ended
            pass

    def _was_for_all(self, number: int) -> bool:
        originals.sleep(_MOMENT)
        last, at = self._last
        if number == last and originals.monotonic() - at < _SOON:
            return True  # again, before there was another witness
        pending = None if self._witness is None else _pending(self._witness.pid)
        if pending is None:
            return number in _TERMINALS
        seen = bool(pending >> (number - 1) & 1)
        if seen:
            self._last = (number, originals.monotonic())
            self._dismiss()
            self._call_witness()
        return seen

    def _call_witness(self) -> None:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
        try:
            self._witness = subprocess.Popen(
                ["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError:
            self._witness = None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _dismiss(self) -> None:
        witness, self._witness = self._witness, None
        if witness is not None:
            assert witness.stdin is not None
            witness.stdin.close()
            witness.wait()


def _pending(pid: int) -> int | None:
    """Signals that wait for that process, as a mask; None where the system doesn't say."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            found = [line.split()[1] for line in file if line.startswith(("SigPnd:", "ShdPnd:"))]
        return int(found[0], 16) | int(found[1], 16)
    except (OSError, IndexError, ValueError):
        return None
