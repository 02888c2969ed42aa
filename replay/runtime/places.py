"""Which files a replay may change: its scratch directory, devices that keep nothing, semaphores."""

from __future__ import annotations

import os

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
"""Flags of an `open` that can change something."""
DEVICES = ("/dev/null", "/dev/tty", "/dev/zero", "/dev/full")
SHARED_MEMORY = "/dev/shm"
_SEMAPHORE = SHARED_MEMORY + "/sem."


def real(path: str, *, follow: bool = True) -> str:
    """The path without links; `follow` false: the last part may be one, which is meant itself."""
    if follow:
        return os.path.realpath(path)
    directory, name = os.path.split(path.rstrip(os.sep) or os.sep)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(directory), name)


def may_change(real_path: str, scratch: str) -> bool:
    """Whether a replay with that scratch directory may change it; both without links.

    A semaphore (`multiprocessing.Lock`) is a file for the C library, and memory for everybody else.
    """
    if real_path in DEVICES or real_path.startswith(_SEMAPHORE):
        return True
    return real_path == scratch or real_path.startswith(scratch + os.sep)
