"""How a replay ends before its program does."""

from __future__ import annotations


class Stopped(BaseException):
    """The replay has ended; raised through the program where ending the process isn't wanted.

    Not an `Exception`: SDKs retry and swallow those. The verdict is latched either way.
    """
