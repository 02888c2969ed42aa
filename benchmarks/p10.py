"""P10: whole processes. An agent with a model that takes 50 ms, with and without `replay record`; and start-up."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.harness import Row, Timing, main, scratch, seconds
from benchmarks.model import served
from replay import launch

PROGRAM = str(Path(__file__).with_name("agent.py"))
_NOWHERE = subprocess.DEVNULL
REPLAY = str(Path(sys.executable).with_name("replay"))
STEPS = 100
NOW = "import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))"


def rows() -> list[Row]:
    with scratch() as path, served(0.05) as url:
        work: dict[str, list[float]] = {"bare": [], "ours": []}
        made = iter(range(10**6))

        def agent(how: str) -> float:
            report = f"{path}/report"
            command = [sys.executable, PROGRAM, url, str(STEPS), report]
            if how == "ours":
                command = [REPLAY, "-q", "record", "-o", f"{path}/{next(made)}.cassette", "--", *command]
            took = seconds(lambda: subprocess.run(command, check=True, stdout=_NOWHERE, stderr=_NOWHERE))
            work[how].append(json.loads(Path(report).read_text())["work"] / 1e9)
            return took

        def start(how: str) -> float:
            command = [sys.executable, "-c", "pass"]
            if how == "ours":
                command = [REPLAY, "-q", "record", "-o", f"{path}/{next(made)}.cassette", "--", *command]
            return seconds(lambda: subprocess.run(command, check=True, stdout=_NOWHERE, stderr=_NOWHERE))

        def inside(how: str) -> float:
            """From the start of the program's process to its first line."""
            out = f"{path}/out"
            command = [sys.executable, "-c", f"{NOW[:-1]}, file=open({out!r}, 'w'))"]
            began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            if how == "ours":
                launch.record_command(command, f"{path}/{next(made)}.cassette", output="discard")
            else:
                subprocess.run(command, check=True)
            return (int(Path(out).read_text()) - began) / 1e9

        starts = Timing({how: partial(start, how) for how in work}, 9)
        insides = Timing({how: partial(inside, how) for how in work}, 9)
        timing = Timing({how: partial(agent, how) for how in work}, 3)
    whole = timing.ratio("ours", "bare") - 1
    during = Timing.ratio(_of(work), "ours", "bare") - 1
    begin, first = starts.least_more("ours", "bare"), insides.least_more("ours", "bare")
    what = f"agent, {STEPS} calls of 50 ms"
    promised = "≤ 2 % of wall time"
    return [
        Row(
            "P10",
            f"{what}, whole",
            "s",
            timing["ours"],
            timing["bare"],
            None,
            "",
            f"{whole:+.1%}",
            promised,
            whole <= 0.02,
        ),
        Row(
            "P10",
            f"{what}, its loop",
            "s",
            _of(work)["ours"],
            _of(work)["bare"],
            None,
            "",
            f"{during:+.1%}",
            promised,
            during <= 0.02,
        ),
        _start_up("more to start and end, whole command", begin),
        _start_up("more to the program's first line", first),
    ]


def _start_up(what: str, took: float) -> Row:
    return Row("P10", what, "ms", took * 1e3, None, None, "", f"{took * 1e3:.0f} ms", "≤ 100 ms", took <= 0.1)


def _of(samples: dict[str, list[float]]) -> Timing:
    made = Timing({}, 0)
    made.samples = samples
    return made


if __name__ == "__main__":
    main(rows)
