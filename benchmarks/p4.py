"""P4: bytes, memory and time at exit of W1 (`benchmarks/w1.py`): N steps, 1 KB answer and 4 KB tool result each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness import Row, Timing, main, scratch
from benchmarks.model import served
from replay import launch
from replay.cassette.reader import Reader

PROGRAM = str(Path(__file__).with_name("w1.py"))
MB = 1e6


class _Runs:
    """What was seen of each run, by case."""

    def __init__(self, url: str, path: str) -> None:
        self._url = url
        self._path = path
        self.resident: dict[str, float] = {}
        self._count = 0

    def run(self, how: str, count: int) -> float:
        """Run it; seconds from its last line to the end of everything, sealing too."""
        self._count += 1
        report = f"{self._path}/report{self._count}"
        command = [sys.executable, PROGRAM, self._url, str(count), report]
        if how == "ours":
            launch.record_command(command, f"{self._path}/{count}-{self._count}.cassette", output="discard")
            self.cassette = f"{self._path}/{count}-{self._count}.cassette"
        else:
            subprocess.run([*command, *(["vcr"] if how == "vcr" else [])], check=True)
        over = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        found = json.loads(Path(report).read_text())
        self.resident[how] = found["kb"] / 1000
        self.yaml = report + ".yaml"
        return float((over - found["end"]) / 1e9)


def rows() -> list[Row]:
    with scratch() as path, served() as url:
        runs = _Runs(url, path)
        unsealed: dict[int, int] = {}
        sealed: dict[int, int] = {}
        for count in (100, 200):
            runs.run("ours", count)
            unsealed[count], sealed[count] = _sizes(runs.cassette)
        timing = Timing({"bare": lambda: runs.run("bare", 200), "ours": lambda: runs.run("ours", 200)}, 5)
        runs.run("vcr", 200)
        peer = os.path.getsize(runs.yaml) / MB
    unique = 200 * 5000 / MB
    growth = unsealed[200] / unsealed[100]
    more = runs.resident["ours"] - runs.resident["bare"]
    late = timing.least_more("ours", "bare")
    whole, packed = unsealed[200] / MB, sealed[200] / MB
    by = "vcrpy"
    return [
        Row("P4", "W1, N=200, unsealed", "MB", whole, unique, peer, by, f"{whole:.2f} MB", "≤ 1.5 MB", whole <= 1.5),
        Row("P4", "W1, N=200, sealed", "MB", packed, unique, peer, by, f"{packed:.2f} MB", "≤ 0.45 MB", packed <= 0.45),
        Row("P4", "bytes(200) / bytes(100)", "x", growth, None, None, "", f"{growth:.2f}", "≤ 2.1", growth <= 2.1),
        Row(
            "P4",
            f"more memory (without: {runs.resident['bare']:.0f} MB)",
            "MB",
            more,
            None,
            runs.resident["vcr"] - runs.resident["bare"],
            by,
            f"{more:.1f} MB",
            "≤ 15 MB",
            more <= 15,
        ),
        Row(
            "P4",
            "more time at exit, sealed",
            "ms",
            late * 1e3,
            None,
            None,
            "",
            f"{late * 1e3:.0f} ms",
            "≤ 50 ms",
            late <= 0.05,
        ),
    ]


def _sizes(path: str) -> tuple[int, int]:
    """Bytes before sealing (frames of 13 bytes and their payload behind 12 bytes) and after."""
    with Reader.open(path) as reader:
        return 12 + sum(13 + len(payload) for _, _, payload in reader.frames()), os.path.getsize(path)


if __name__ == "__main__":
    main(rows)
