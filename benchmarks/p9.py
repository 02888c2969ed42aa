"""P9: reads of clock and chance while recording, and how many of them an LLM call makes."""

from __future__ import annotations

import os
import sysconfig
import time
from collections.abc import Callable
from typing import Any

import httpcore2
import httpx2
from openai import OpenAI

from benchmarks.canned import transport
from benchmarks.doors import on, recording
from benchmarks.harness import Row, Timing, main, scratch, seconds
from benchmarks.model import answer
from replay.boundary import originals
from replay.boundary.lanes import Lane

READS = 4000
STEPS = 50


def rows() -> list[Row]:
    real: Callable[[], float] = originals.REAL_TIME.time
    with scratch() as path, recording(f"{path}/ours.cassette") as lane:
        # A library's reads go into the track, the program's become events: code of either kind.
        library = _loop("library", os.path.join(sysconfig.get_paths()["purelib"], "sdk.py"))
        program = _loop("program", os.path.join(path, "agent.py"))

        door: Any = lane.door

        def read(loop: Callable[[Callable[[], float], int], float]) -> float:
            with on(lane):
                return loop(time.time, READS)

        def written(loop: Callable[[Callable[[], float], int], float]) -> float:
            """What the next event writes of them, in the same unit."""
            took = read(loop)
            return took + seconds(door._flush_log) / READS

        def only_read() -> float:
            took = read(library)
            door._flush_log()
            return took

        timing = Timing(
            {
                "real": lambda: library(real, READS),
                "read": only_read,
                "library": lambda: written(library),
                "program": lambda: written(program),
            },
            31,
        )
        client = OpenAI(
            api_key="none",
            base_url="http://model.test/v1",
            http_client=httpx2.Client(transport=transport(httpx2, httpcore2, lambda: [answer("Fine. " * 150, 1)])),
        )
        counted = _count(lane, lambda: _steps(lane, client))
    found: list[Row] = []
    for who, what in (
        ("read", "time.time(), as the reader waits for it"),
        ("library", "the same, a library's, with its writing"),
        ("program", "the same, the program's, with its writing"),
    ):
        each = timing[who] * 1e9
        found.append(
            Row(
                "P9",
                what,
                "ns",
                each,
                timing["real"] * 1e9,
                None,
                "",
                f"{each:.0f} ns",
                "≤ 250 ns",
                each <= 250,
            )
        )
    step = counted * timing["library"] * 1e6
    found.append(
        Row(
            "P9",
            f"{counted:.1f} reads per LLM step (openai)",
            "µs",
            step,
            None,
            None,
            "",
            f"{step:.1f} µs",
            "≤ 10 µs",
            step <= 10,
        )
    )
    return found


def _loop(name: str, file: str) -> Callable[[Callable[[], float], int], float]:
    """A loop of reads in code that lies in `file`."""
    source = f"""
def {name}(read, count, clock=None):
    began = clock()
    for _ in range(count):
        read()
    return (clock() - began) / count / 1e9
"""
    space: dict[str, Any] = {}
    exec(compile(source, file, "exec"), space)
    loop = space[name]
    return lambda read, count: loop(read, count, originals.clock_ns)


def _steps(lane: Any, client: OpenAI) -> None:
    with on(lane):
        for _ in range(STEPS):
            client.chat.completions.create(model="bench", messages=[{"role": "user", "content": "Go."}])


def _count(lane: Lane, work: Callable[[], None]) -> float:
    """How many draws a step makes, seen at the door."""
    kind: Any = type(lane.door)
    seen = 0
    real = kind.draw

    def draw(*args: Any) -> Any:
        nonlocal seen
        seen += 1
        return real(*args)

    log, lane.log = lane.log, None  # so that every reader asks the door
    kind.draw = draw
    try:
        work()
    finally:
        kind.draw = real
        lane.log = log
    return seen / STEPS


if __name__ == "__main__":
    main(rows)
