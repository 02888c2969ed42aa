"""What can't be recorded: counted, said once, and never the program's trouble."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from replay.boundary.lanes import nobody
from replay.cassette.writer import BACKLOG
from replay.model.errors import NotStorable


class Trouble:
    """Of one recording; called with its lock held.

    Args:
        warn: is given one line, at the first trouble.

    Attributes:
        gaps: how many things weren't recorded.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.gaps = 0
        self._warn = warn
        self._warned = False

    def note(self, error: Exception, where: str) -> None:
        """That happened at `where`."""
        self.gaps += 1
        if isinstance(error, NotStorable):
            self.say(f"not recorded, {where}: {error}")
        else:
            self.say(f"not recorded, {where}: {type(error).__name__}: {error} (a bug of agent-replay; please report)")

    def disk(self, error: OSError, *, stopped: bool) -> None:
        """The file takes nothing: what is recorded waits for it, or the recording has stopped."""
        why = error.strerror or error
        if stopped:
            self.gaps += 1
            self.say(f"the recording stopped: {why}; the program goes on unrecorded")
        else:
            self.say(
                f"the recording waits: {why}; in memory, up to {BACKLOG >> 20} MB, then it stops. The program goes on"
            )

    def guard(self, do: Callable[..., Any], *args: Any) -> None:
        """`do(*args)`, come what may."""
        try:
            do(*args)
        except Exception as error:
            self.note(error, getattr(do, "__name__", "recorder"))

    def say(self, line: str) -> None:
        """The one warning."""
        if self._warned:
            return
        self._warned = True
        with nobody():  # it goes to the program's own stream, which would report it here, where the lock is held
            try:
                self._warn(line)
            except Exception:  # nowhere left to say it: a closed stream is no reason to harm the program
                pass


def warn_on_stderr(line: str) -> None:
    """The default `warn`: one line on the real standard error."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"replay: {line}\n")
