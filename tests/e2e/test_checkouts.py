"""One recording, two checkouts of the program: which of them runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.e2e import cli, shown

PROGRAM = """
import os, time, helper
print(helper.SAYS, open("notes.txt").read(), os.getcwd(), time.time())
"""


@pytest.fixture
def checkouts(tmp_path: Path) -> tuple[Path, Path]:
    """The second one has the recording, and no notes."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    (one / "agent.py").write_text(PROGRAM)
    (one / "helper.py").write_text("SAYS = 'first'\n")
    (one / "notes.txt").write_text("a note")
    shutil.copytree(one, other)
    (other / "notes.txt").unlink()
    done = cli("record", "-o", str(other / "run.cassette"), "--", sys.executable, "agent.py", cwd=one)
    assert done.returncode == 0, shown(done)
    return one, other


def test_a_command_means_the_program_that_lies_here(checkouts: tuple[Path, Path]) -> None:
    _, other = checkouts
    command = ("run", "run.cassette", "--", sys.executable, "agent.py")
    done = cli(*command, cwd=other)
    assert done.returncode == 0, shown(done)
    (other / "helper.py").write_text("SAYS = 'second'\n")
    done = cli(*command, cwd=other)
    assert done.returncode == 1, shown(done)
    assert b"{+second+}" in done.stdout or b"'second " in done.stdout, shown(done)


def test_without_one_the_recorded_program_runs_and_that_is_said(checkouts: tuple[Path, Path]) -> None:
    one, other = checkouts
    (other / "helper.py").write_text("SAYS = 'second'\n")
    done = cli("run", "run.cassette", cwd=other)
    assert done.returncode == 0, shown(done)
    said = f"replay: {one / 'agent.py'} was run, where it was recorded; the agent.py here: -- python agent.py"
    assert said in done.stderr.decode()
    assert b"was run, where" not in cli("run", str(other / "run.cassette"), cwd=one).stderr
