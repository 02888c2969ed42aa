"""How a replay ends before its program does."""

from __future__ import annotations

import threading
from types import FrameType
from typing import Final

STOPPED: Final = 90
"""Exit code of a replayed process that ended itself: its verdict says why."""


class Stopped(BaseException):
    """The replay has ended; raised through the program where ending the process isn't wanted.

    Not an `Exception`: SDKs retry and swallow those. The verdict is latched either way.
    """


_SHUTDOWN = getattr(threading, "_shutdown").__code__  # noqa: B009 - typeshed knows nothing of it


def at_exit(frame: FrameType | None) -> bool:
    """Whether the interpreter is waiting for threads, its program having ended."""
    while frame is not None and frame.f_code is not _SHUTDOWN:
        frame = frame.f_back
    return frame is not None
