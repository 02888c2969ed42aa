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


def rows() -> list[Row]:
    with scratch() as path:
        cassette = f"{path}/long.cassette"
        last = write(cassette)
        asked = {
            "context": ["context", cassette, str(last)],
            "memory --at": ["memory", cassette, "--at", str(EVENTS - 10)],
            "effects": ["effects", cassette],
        }
        start = [sys.executable, "-m", "replay_cli", "--version"]
        cases: dict[str, Callable[[], float]] = {"start": partial(_took, start)}
        for name, words in asked.items():
            cases[name] = partial(_took, [sys.executable, "-m", "replay_cli", "--json", *words])
        timing = Timing(cases, ROUNDS)
        return [
            Row(
                "P11",
                f"{name}, {EVENTS} events, of a processor",
                "s",
                timing[name],
                timing["start"],
                None,
                "",
                f"{timing[name]:.2f} s",
                f"≤ {PROMISED} s",
                timing[name] <= PROMISED,
            )
            for name in asked
        ]


def _took(command: list[str]) -> float:
    """Seconds of a processor: these commands wait for nothing."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main(rows)
