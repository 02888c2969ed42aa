"""P10: whole processes. Agents with a model that takes 50 ms, with and without `replay record`; and start-up."""

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

AGENTS = {
    name: str(Path(__file__).with_name(file))
    for name, file in (("openai", "agent.py"), ("LangGraph", "graph_agent.py"))
}
ROUNDS = 5
_NOWHERE = subprocess.DEVNULL
REPLAY = str(Path(sys.executable).with_name("replay"))
STEPS = 100
HOW = ("bare", "ours")
NOW = "import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))"


def rows() -> list[Row]:
    with scratch() as path, served(0.05) as url:
        made = iter(range(10**6))

        def recorded(how: str, command: list[str]) -> list[str]:
            if how == "bare":
                return command
            return [REPLAY, "-q", "record", "-o", f"{path}/{next(made)}.cassette", "--", *command]

        def whole(how: str, command: list[str]) -> float:
            ready = recorded(how, command)
            return seconds(lambda: subprocess.run(ready, check=True, stdout=_NOWHERE, stderr=_NOWHERE))

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

        nothing = [sys.executable, "-c", "pass"]
        starts = Timing({how: partial(whole, how, nothing) for how in HOW}, 9)
        insides = Timing({how: partial(inside, how) for how in HOW}, 9)
        found: list[Row] = []
        for name, program in AGENTS.items():
            report = f"{path}/report"
            during: dict[str, list[float]] = {how: [] for how in HOW}

            def agent(
                how: str, program: str = program, report: str = report, during: dict[str, list[float]] = during
            ) -> float:
                took = whole(how, [sys.executable, program, url, str(STEPS), report])
                during[how].append(json.loads(Path(report).read_text())["work"] / 1e9)
                return took

            timing = Timing({how: partial(agent, how) for how in HOW}, ROUNDS)
            found += [_agent(f"{name}, whole", timing), _agent(f"{name}, its loop", _of(during))]
    return [
        *found,
        _start_up("more to start and end, whole command", starts.least_more("ours", "bare")),
        _start_up("more to the program's first line", insides.least_more("ours", "bare")),
    ]


def _agent(what: str, timing: Timing) -> Row:
    """Runs take turns; the median of what each pair of them says."""
    more = timing.ratio("ours", "bare") - 1
    said, promised = f"{more:+.1%}", "≤ 2 % of wall time"
    what = f"{what}, {STEPS} calls of 50 ms"
    return Row("P10", what, "s", timing["ours"], timing["bare"], None, "", said, promised, more <= 0.02)


def _start_up(what: str, took: float) -> Row:
    return Row("P10", what, "ms", took * 1e3, None, None, "", f"{took * 1e3:.0f} ms", "≤ 100 ms", took <= 0.1)


def _of(samples: dict[str, list[float]]) -> Timing:
    made = Timing({}, 0)
    made.samples = samples
    return made


if __name__ == "__main__":
    main(rows)
