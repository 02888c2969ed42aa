"""Programs that leave to chance what can be left: recorded often, and each recording replayed often, with no server."""

from __future__ import annotations

import faulthandler
from pathlib import Path

import pytest

from replay.demo.server import environment, spawn
from tests.support.torture import Note, Often, measure, often, record_many

PROGRAMS = Path(__file__).parents[2] / "fixtures" / "programs"
ERRORS = {"retries": 0.5}
"""How often the model fails; nothing else needs more than a few failures."""
NAMES = ("async_storm", "thread_storm", "mixed_storm", "stream_fan_out", "process_fan_out", "retries", "planner")
WAYS = {"answered": False, "run": True}
"""Of the tools of a program, at its replay: `run_tools`."""


def torture(name: str, times: Often, directory: Path, note: Note) -> None:
    with spawn(errors=ERRORS.get(name, 0.06)) as url:
        recordings = record_many(PROGRAMS / f"{name}.py", directory, times.recordings, environment(url))
    measure("replays of programs that leave everything to chance", name, recordings, times.replays, note)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample(name: str, tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    torture(name, often(pytestconfig, 2, 1), tmp_path, record_property)


@pytest.mark.torture
@pytest.mark.parametrize("name", NAMES)
def test_in_full(name: str, tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    faulthandler.cancel_dump_traceback_later()  # minutes are expected
    torture(name, often(pytestconfig, 20, 5), tmp_path, record_property)


def tools(times: Often, directory: Path, note: Note) -> None:
    """Both ways of replaying the same recordings."""
    with spawn(errors=0.06) as url:
        recordings = record_many(PROGRAMS / "tool_storm.py", directory, times.recordings, environment(url))
    for way, run_tools in WAYS.items():
        title = "replays of tools in which everything happens"
        measure(title, f"tool_storm, {way}", recordings, times.replays, note, run_tools=run_tools)


def test_a_sample_of_tools(tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    tools(often(pytestconfig, 2, 1), tmp_path, record_property)


@pytest.mark.torture
def test_tools_in_full(tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    faulthandler.cancel_dump_traceback_later()
    tools(often(pytestconfig, 20, 5), tmp_path, record_property)


def naps(directory: Path, seconds: float, note: Note) -> None:
    """A back-off of so many seconds, replayed in a fraction of it."""
    with spawn(errors=ERRORS["retries"]) as url:
        variables = {**environment(url), "FINAL_NAP": str(seconds)}
        recordings = record_many(PROGRAMS / "retries.py", directory, 1, variables)
    measure("time that passes while sleeping is not waited for", f"{seconds:.0f} s of back-off", recordings, 1, note)


@pytest.mark.torture
def test_a_minute_of_back_off(tmp_path: Path, record_property: Note) -> None:
    faulthandler.cancel_dump_traceback_later()
    naps(tmp_path, 60, record_property)
