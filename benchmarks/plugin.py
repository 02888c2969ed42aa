"""PLUGIN: what every run of pytest pays for the plugin where it isn't used: importing its module, after pytest's."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.harness import Row, Timing, main

ROUNDS = 15
PROMISED = 5.0
_TIMED = """
import sys, time, pytest
began = time.perf_counter()
import replay.pytest_plugin.hooks
print(time.perf_counter() - began)
"""


def rows() -> list[Row]:
    ours = Timing({"ours": _took}, ROUNDS)["ours"] * 1000
    met = ours <= PROMISED
    return [Row("PLUGIN", "import of the pytest plugin", "ms", ours, None, None, "", f"{ours:.1f} ms", "≤ 5 ms", met)]


def _took() -> float:
    done = subprocess.run([sys.executable, "-c", _TIMED], check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    main(rows)
