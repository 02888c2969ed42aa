"""Trials on this machine: processes that try one cassette at a time.

A cassette whose worker died is tried once more, by another; if that one dies, too, the cassette is unjudged. Each
cassette has one outcome, whatever happens to workers.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from replay.corpus.trial import Trial
from replay.limits import Limits

_TRIES: Final = 2


class _Worker:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[str] | None = None

    def attempt(self, path: str) -> Trial:
        """One cassette, by a process that outlives it; by a second one if that died."""
        died = ""
        for _ in range(_TRIES):
            process = self._process or self._begin()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(path) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError:
                line = ""
            if line.endswith("\n"):
                return Trial(**json.loads(line))
            died = self.end()
        return Trial(path, "unjudged", f"{_TRIES} workers died of it, the last {died}")

    def end(self) -> str:
        """How it ended, in words."""
        process, self._process = self._process, None
        if process is None:
            return ""
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass
        code = process.wait()
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _begin(self) -> subprocess.Popen[str]:
        words = [str(self._limits.seconds or 0), str(self._limits.memory or 0)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "replay.corpus.worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        return self._process


def tried(paths: Sequence[str], workers: int, limits: Limits) -> Iterator[Trial]:
    """Each of `paths` once, in the order in which they are done."""
    waiting = deque(paths)
    done: queue.SimpleQueue[Trial | BaseException] = queue.SimpleQueue()
    crew = [_Worker(limits) for _ in range(max(1, min(workers, len(paths))))]

    def work(worker: _Worker) -> None:
        try:
            while waiting:
                try:
                    path = waiting.popleft()
                except IndexError:
                    break
                done.put(worker.attempt(path))
            worker.end()
        except BaseException as error:
            done.put(error)

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in crew]
    for thread in threads:
        thread.start()
    try:
        for _ in paths:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    except BaseException:
        waiting.clear()
        for worker in crew:
            worker.stop()
        raise
    finally:
        for thread in threads:
            thread.join()
