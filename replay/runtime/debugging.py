"""The debugger inside of a replay (`replay run C --pdb N`): pdb on the program's own frame, at a crossing.

Rules:
- It stops where the program is about to do event N, and where it does something else than was recorded.
- What is typed and shown goes by descriptors of its own, taken before the program began: standard input is replayed.
- While it listens no lane acts: what one looks at is no crossing, and the sandbox refuses what would get out.
- `continue` goes on replaying, `quit` ends the replay there. Stepping passes over this package.
- pdb is imported when it is needed: what the program imports is its own until then.
"""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

from replay.boundary import sites
from replay.boundary.lanes import nobody

_HIGH = 600
"""Descriptors from here on aren't taken for those of files that the program opens."""


class Lines:
    """What is typed, and not a byte more: who started the replay reads on behind it."""

    def __init__(self, descriptor: int) -> None:
        self._raw = os.fdopen(descriptor, "rb", buffering=0)

    def readline(self) -> str:
        """With its end; empty at the end of all."""
        return self._raw.readline().decode("utf-8", "replace")


class Debugger:
    """Stops at an event, and at a difference.

    Args:
        at: the event.
    """

    def __init__(self, at: int) -> None:
        from fcntl import F_DUPFD_CLOEXEC, fcntl

        self._at = at
        self._in = Lines(fcntl(0, F_DUPFD_CLOEXEC, _HIGH))
        self._out = os.fdopen(fcntl(1, F_DUPFD_CLOEXEC, _HIGH), "w", encoding="utf-8", errors="replace")

    def wants(self, event: int) -> bool:
        """Whether it is to stop there."""
        return event == self._at

    def stop(self, frame: FrameType | None, why: str, event: int | None, *, differs: bool) -> bool:
        """Let somebody look around. Whether the replay is to end here."""
        program = sites.program_frame(frame)
        if program is None:
            return False
        with nobody():
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            debugger = _pdb()(stdin=self._in, stdout=self._out, skip=["replay.*"], nosigint=True, readrc=False)
            debugger.message(f"replay: {why}")
            debugger.look_at(program)
        if debugger.quitting:
            return True
        if debugger.goes_on:
            sys.settrace(debugger.trace_dispatch)
        return False


def _pdb() -> Any:
    from pdb import Pdb

    class Inside(Pdb):
        """pdb that stops on a frame which isn't its caller's."""

        def look_at(self, frame: FrameType) -> None:
            self.reset()
            outer: FrameType | None = frame
            while outer is not None:
                outer.f_trace = self.trace_dispatch
                self.botframe = outer
                outer = outer.f_back
            self.interaction(frame, None)

        def interaction(self, *args: Any, **kwargs: Any) -> None:
            with nobody():
                super().interaction(*args, **kwargs)

        @property
        def goes_on(self) -> bool:
            """Somebody steps, or has set a breakpoint."""
            return bool(self.breaks) or self.stoplineno != -1

    return Inside
