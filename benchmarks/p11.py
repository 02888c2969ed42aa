"""P11: questions about an incident, asked of a recording of ten thousand events by whole commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from benchmarks.harness import Row, Timing, main, scratch
from benchmarks.incidents import EVENTS, write

ROUNDS = 5
PROMISED = 0.3
LENGTHS = (1_000, 10_000, 100_000)
FLAT = 1.2
"""What `context` may take in the longest of these runs, of what it takes in the shortest."""


def rows() -> list[Row]:
    with scratch() as path:
        cassette = f"{path}/long.cassette"
        last = write(cassette)
        asked = {
            "context": (PROMISED, ["context", cassette, str(last)]),
            "memory --at": (PROMISED, ["memory", cassette, "--at", str(EVENTS - 10)]),
            "effects": (PROMISED, ["effects", cassette]),
            "why": (1.0, ["why", cassette, str(last + 1)]),
        }
        cases: dict[str, Callable[[], float]] = {"start": partial(_took, ["--version"])}
        for name, (_, words) in asked.items():
            cases[name] = partial(_took, ["--json", *words])
        for length in LENGTHS:
            file = f"{path}/{length}.cassette"
            cases[f"{length}"] = partial(_took, ["--json", "context", file, str(write(file, length, kept=8))])
        timing = Timing(cases, ROUNDS)
        found = [
            _row(f"{name}, {EVENTS} events, of a processor", timing, name, f"≤ {most} s", timing[name] <= most)
            for name, (most, _) in asked.items()
        ]
        flat = timing[str(LENGTHS[-1])] <= FLAT * timing[str(LENGTHS[0])]
        return found + [
            _row(f"context at the end of {length} events", timing, f"{length}", f"≤ {FLAT}x from first to last", flat)
            for length in LENGTHS
        ]


def _row(what: str, timing: Timing, name: str, promised: str, met: bool) -> Row:
    return Row("P11", what, "s", timing[name], timing["start"], None, "", f"{timing[name]:.2f} s", promised, met)


def _took(words: list[str]) -> float:
    """Seconds of a processor: these commands wait for nothing."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "replay_cli", *words], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main(rows)
