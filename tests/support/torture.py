"""Record a program many times, replay each recording many times, count what was the same: options and measuring."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from replay.launch import run
from replay.model.errors import ReplayError
from tests.support.programs import Recorded, explained, record

Note = Callable[[str, object], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--recordings K --replays N`: how often, in place of what a test takes by default."""
    group = parser.getgroup("torture")
    for name, what in (("recordings", "record each program that often"), ("replays", "replay each recording so often")):
        group.addoption(f"--{name}", type=int, default=None, metavar="N", help=what)


@dataclass(frozen=True, slots=True)
class Often:
    """How often a program is recorded, and how often each recording is replayed."""

    recordings: int
    replays: int


def often(config: pytest.Config, recordings: int, replays: int) -> Often:
    """What the command line says, else these."""
    given = (cast("int | None", config.getoption(name)) for name in ("recordings", "replays"))
    return Often(
        *(default if asked is None else asked for asked, default in zip(given, (recordings, replays), strict=True))
    )


@dataclass(frozen=True, slots=True)
class Timed:
    """A recording, and how many seconds its process took."""

    recorded: Recorded
    seconds: float


def record_many(program: Path, directory: Path, times: int, variables: Mapping[str, str]) -> list[Timed]:
    """Records a program `times` times; it has to end well, and to print something else at least once."""
    found: list[Timed] = []
    source = program.read_text()
    for number in range(times):
        began = time.perf_counter()
        one = record(directory, source, variables=variables, name=f"{program.stem}_{number}")
        found.append(Timed(one, time.perf_counter() - began))
        assert one.exit_code == 0, one.stderr.decode()
        assert one.finished
    # Really nondeterministic: else identical replays would prove nothing.
    assert times == 1 or len({one.recorded.stdout for one in found}) > 1
    return found


def wrong(recorded: Recorded, run_tools: bool | None = None) -> tuple[str | None, float]:
    """Replays it: what wasn't the same execution, None where all was; and the seconds it took."""
    began = time.perf_counter()
    try:
        found = run(recorded.path, run_tools=run_tools)
    except ReplayError as error:
        return f"{recorded.path}: {error}", time.perf_counter() - began
    seconds = time.perf_counter() - began
    alike = (found.stdout, found.exit_code) == (recorded.stdout, recorded.exit_code)
    if found.stderr != recorded.stderr:  # what a child process writes past the program is a blind spot, and not written
        with recorded.cassette() as cassette:
            alike = alike and any(spot.what == "process output" for spot in cassette.blind_spots)
    return (None if found.identical and alike else f"{recorded.path}: {explained(found)}"), seconds


def measure(
    title: str, name: str, recordings: Sequence[Timed], replays: int, note: Note, run_tools: bool | None = None
) -> None:
    """Replays each of `recordings` that often, notes a row for the table, and fails unless all were identical."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        recorded = [one.recorded for one in recordings] * replays
        found = list(pool.map(wrong, recorded, [run_tools] * len(recorded)))
    problems = [problem for problem, _ in found if problem is not None]
    same = len(found) - len(problems)
    row = {
        "program": name,
        "recordings": len(recordings),
        "replays": replays,
        "identical": f"{same} of {len(found)}",
        "share": f"{same / len(found):.1%}",
        "recorded in": f"{_mean([one.seconds for one in recordings]):.2f} s",
        "replayed in": f"{_mean([seconds for _, seconds in found]):.2f} s",
    }
    note(f"table: {title}", row)
    assert not problems, problems[0]


def _mean(seconds: Sequence[float]) -> float:
    return sum(seconds) / len(seconds)
