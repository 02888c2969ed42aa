"""Measuring on a noisy machine: cases take turns (A B A B), and what is compared was measured side by side.

A promise is a module `benchmarks.p<n>` with `rows() -> list[Row]`, run in a process of its own.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median

from replay.boundary import originals

clock = originals.clock_ns


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        ours, floor, peer: figures in `unit`; None where there is none.
        by: what the peer is.
        found: the figure that the promise is about, in words. promised: the promise. met: whether it holds.
    """

    promise: str
    what: str
    unit: str
    ours: float
    floor: float | None
    peer: float | None
    by: str
    found: str
    promised: str
    met: bool

    @property
    def ratio(self) -> float | None:
        """Ours to the floor's; to the peer's where there is no floor."""
        other = self.floor or self.peer
        return self.ours / other if other else None


class Timing:
    """Samples of several cases, taken in turns.

    Example:
        >>> Timing({"a": lambda: 2.0, "b": lambda: 1.0}, 3).ratio("a", "b")
        2.0
    """

    def __init__(self, cases: dict[str, Callable[[], float]], times: int) -> None:
        self.samples: dict[str, list[float]] = {name: [] for name in cases}
        for case in cases.values():
            case()
        order = list(cases)
        for _ in range(times):
            for name in order:
                gc.collect()
                self.samples[name].append(cases[name]())
            order.reverse()

    def __getitem__(self, name: str) -> float:
        """Median of one case."""
        return median(self.samples[name])

    def ratio(self, one: str, other: str) -> float:
        """Median of what one case took in units of the other, round by round."""
        return median(a / b for a, b in zip(self.samples[one], self.samples[other], strict=True))

    def more(self, one: str, other: str) -> float:
        """Median of the difference, round by round."""
        return median(a - b for a, b in zip(self.samples[one], self.samples[other], strict=True))

    def least_more(self, one: str, other: str) -> float:
        """Difference of the least: for what is short beside its noise, such as starting a process."""
        return min(self.samples[one]) - min(self.samples[other])


def per_call(function: Callable[[], object], calls: int) -> float:
    """Seconds that a call takes, in a loop of `calls`."""
    turns = range(calls)
    began = clock()
    for _ in turns:
        function()
    return (clock() - began) / calls / 1e9


def seconds(function: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    began = clock()
    function()
    return (clock() - began) / 1e9


def processor(function: Callable[[], object]) -> float:
    """Seconds of a processor that one call takes: what else runs on the machine counts little."""
    began = time.process_time_ns()
    function()
    return (time.process_time_ns() - began) / 1e9


@contextmanager
def scratch() -> Generator[str]:
    """A directory for cassettes that goes away."""
    path = tempfile.mkdtemp(prefix="replay-bench-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def main(rows: Callable[[], list[Row]]) -> None:
    """The body of each `benchmarks.p<n>`: its rows as JSON on standard output."""
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not ours
    found = json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows()])
    os.write(out, found.encode() + b"\n")
    sys.stdout.flush()
