"""The directory that a replay may write in, and how it goes away."""

from __future__ import annotations

import os
import queue
import shutil
import threading
from contextlib import suppress
from typing import Final

from replay.runtime.places import SHARED_MEMORY

_BEHIND: Final = 64


def remove(scratch: str) -> None:
    """Removes it, and the semaphores that were made in its name."""
    shutil.rmtree(scratch, ignore_errors=True)
    mine = f"sem.{os.path.basename(scratch)}-"
    with suppress(OSError):
        for name in os.listdir(SHARED_MEMORY):  # `glob` would compile a pattern for each scratch: half a millisecond
            if name.startswith(mine):
                os.unlink(os.path.join(SHARED_MEMORY, name))


class Reaper:
    """Removes them behind the caller's back. A replay leaves some five directories, one inside the other, and each
    `rmdir` may wait for a tick of the kernel's clock (4 ms on ext4, while other processes run): as long as a replay.

    Example:
        reaper = Reaper()
        reaper("/tmp/replay-x1y2")
        reaper.close()  # all are gone
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def __call__(self, scratch: str) -> None:
        if self._waiting.qsize() >= _BEHIND:  # what lies on the disk stays little
            remove(scratch)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="replay-reaper", daemon=True)
            self._thread.start()
        self._waiting.put(scratch)

    def close(self) -> None:
        """Wait until all are gone."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _run(self) -> None:
        while (scratch := self._waiting.get()) is not None:
            remove(scratch)
