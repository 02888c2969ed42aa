"""Who may write a flight recorder's folder, or take it over: one at a time, of all processes."""

from __future__ import annotations

import os


def hold(folder: str | os.PathLike[str], *, wait: bool = True) -> int:
    """A descriptor of its lock, for as long as somebody writes the ring, or takes it over; the system lets go of it
    where he dies.

    Raises:
        OSError: there is no such folder. BlockingIOError: another has it, and we don't `wait`.
    """
    import fcntl

    fd = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(fd)
        raise
    return fd
