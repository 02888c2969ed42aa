"""The real functions, kept before anything is patched. The only module that may name them (ruff TID251).

Everything of ours that needs the real clock, chance, locks or files takes them from here, so that our own reads never
show up in a recording and our own locks are never put in order.
"""

from __future__ import annotations

import _thread
import os
import random
import sys
import threading
import time
import types
from importlib import import_module
from typing import Any

clock_ns = time.perf_counter_ns
wall_ns = time.time_ns
monotonic = time.monotonic
sleep = time.sleep
urandom = os.urandom
Random = random.Random
randbelow = random.SystemRandom().randrange
getpid = os.getpid
os_open = os.open
os_write = os.write
os_close = os.close
os_exit = os._exit
get_ident = _thread.get_ident
start_thread = _thread.start_new_thread
allocate_lock = _thread.allocate_lock
start_new_thread = _thread.start_new_thread
other_threads = _thread._count  # pyright: ignore[reportPrivateUsage]
Condition = threading.Condition
RLock = threading.RLock
frame = sys._getframe  # pyright: ignore[reportPrivateUsage]
environ_get = os.environ.get
SIGNALS: Any = import_module("_signal")
"""What `signal` is made of."""


def private_copy(module: types.ModuleType) -> types.ModuleType:
    """A module object with today's contents of `module`, for the interpreter's own users of `time` and `os`.

    asyncio, queue, ssl and the like compute timeouts with the clock; given the patched functions they would flood the
    track and, at replay, read a clock that jumps.
    """
    copy = types.ModuleType(module.__name__, module.__doc__)
    copy.__dict__.update(module.__dict__)
    return copy


REAL_TIME = private_copy(time)
REAL_OS = private_copy(os)
