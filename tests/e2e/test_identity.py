"""A replay is the same execution: unmodified programs on real SDKs, recorded once, replayed with the server gone."""

from __future__ import annotations

import faulthandler
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import replay
from tests.support.e2e import PROGRAMS, Recorded, cli, record_agent, shown

EXTRA = ("httpx_agent", "httpx2_agent")
Note = Callable[[str, object], None]


def problem(recorded: Recorded) -> Any:
    """Replays it; None where that was the same execution."""
    run = replay.run(recorded.path)
    same = run.identical and run.stdout == recorded.stdout and run.exit_code == recorded.exit_code
    return None if same else (run, run.stderr[-2000:], run.stdout == recorded.stdout)


def replayed(recorded: Recorded, times: int) -> list[Any]:
    """What was wrong with those of `times` replays that were not the same execution."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = list(pool.map(problem, [recorded] * times))
    return [wrong for wrong in found if wrong is not None]


def measure(name: str, times: int, directory: Path, note: Note) -> None:
    recorded, other = (record_agent(name, _fresh(directory / side)) for side in ("one", "other"))
    # Really nondeterministic: else the replays would prove nothing.
    assert recorded.stdout != other.stdout
    assert _contents(recorded) != _contents(other)
    began = time.perf_counter()
    wrong = replayed(recorded, times)
    seconds = time.perf_counter() - began
    with replay.load(recorded.path) as cassette:
        events = len(cassette.events)
        assert not cassette.blind_spots
        assert not cassette.gaps
    row = {"program": name, "events": events, "identical": times - len(wrong), "of": times, "seconds": f"{seconds:.1f}"}
    note(f"table: replays identical to their recording, of {times}", row)
    assert not wrong


@pytest.mark.parametrize("name", [*PROGRAMS, *EXTRA])
def test_replays_are_identical(name: str, tmp_path: Path, record_property: Note) -> None:
    measure(name, 3, tmp_path, record_property)


@pytest.mark.torture
@pytest.mark.parametrize("name", PROGRAMS)
def test_fifty_replays_are_identical(name: str, tmp_path: Path, record_property: Note) -> None:
    faulthandler.cancel_dump_traceback_later()  # minutes are expected
    measure(name, 50, tmp_path, record_property)


def test_through_the_console_script(tmp_path: Path) -> None:
    recorded = record_agent("openai_sync", tmp_path)
    assert b"events recorded" in recorded.stderr
    done = cli("run", recorded.path)
    assert done.returncode == 0, shown(done)
    assert done.stdout.startswith(recorded.stdout)
    verdict = done.stdout.removeprefix(recorded.stdout).decode()
    assert verdict.startswith("✓ identical: ")
    assert verdict.count("\n") == 1
    many = cli("run", recorded.path, "--times", "2")
    assert (many.returncode, many.stdout.count(b"\n")) == (0, 1), shown(many)
    assert b"2 times" in many.stdout
    for command in ("show", "verify", "ls"):
        read = cli(command, recorded.path)
        assert (read.returncode, read.stderr) == (0, b""), shown(read)


def _fresh(path: Path) -> Path:
    path.mkdir()
    return path


def _contents(recorded: Recorded) -> list[Any]:
    with replay.load(recorded.path) as cassette:
        return [(event.kind, event.name, event.request) for event in cassette.events if event.kind != "output"]
