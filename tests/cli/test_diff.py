"""`replay diff` on real files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay_cli import exits
from tests.cli.test_reading import document, replay

ROOT = Path(__file__).parents[2]

RECORD = """
import os, time, random, replay

SAYS = os.environ["POLICY"]  # before the recording begins

@replay.tool(effect="read")
def policy(): return SAYS

@replay.tool(effect="write")
def refund(amount): return {"id": random.getrandbits(64), "at": time.time()}

with replay.record("run.cassette"):
    found = policy()
    for n in range(len(found)):
        refund(5)
    print("\\x1b[2Jdone", found)
"""


def recorded(path: Path, policy: str) -> Path:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "POLICY": policy}
    run = [sys.executable, "-c", RECORD]
    subprocess.run(run, check=True, stdout=subprocess.PIPE, cwd=path.parent, env=environment)
    return (path.parent / "run.cassette").rename(path)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return recorded(tmp_path / "good.cassette", "x")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return recorded(tmp_path / "bad.cassette", "xx")


def test_two_runs_that_are_the_same(good: Path, tmp_path: Path) -> None:
    other = recorded(tmp_path / "other.cassette", "x")
    done = replay("diff", good, other)
    assert (done.returncode, done.stderr) == (exits.SAME, "")
    assert done.stdout.startswith("✓ the same: ")
    assert "only in times, ids or random numbers" in done.stdout
    found = document("diff", good, other)
    assert (found["identical"], found["roots"], found["inherited"]) == (True, [], 0)


def test_one_cause_and_what_follows(good: Path, bad: Path) -> None:
    done = replay("diff", good, bad, COLUMNS="120")
    assert (done.returncode, done.stderr) == (exits.DIFFERENT, "")
    first, cause, change, *rest = done.stdout.splitlines()
    assert first.startswith("✗ 1 cause, and 1 later difference that follows (1 differs only in times")
    assert " ".join(cause.split()) == "1 input a:0 b:0 tool: policy: value; 1 step follows"
    assert change.strip() == "value: 'x' -> 'xx'"
    assert any("—" in line and "refund(amount=5)" in line for line in rest)  # only one of them did it twice
    assert "\x1b" not in done.stdout
    found = document("diff", good, bad, code=exits.DIFFERENT)
    (root,) = found["roots"]
    assert (root["a"], root["b"], root["class"], root["changes"]) == (0, 0, "input", {"value": ["x", "xx"]})
    assert (found["identical"], found["inherited"], found["surroundings"]) == (False, 1, {})


def test_what_cannot_be_read_is_not_judged(good: Path, bad: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.cassette"
    torn.write_bytes(bad.read_bytes()[:-40])
    done = replay("diff", good, torn)
    assert done.returncode == exits.CANNOT_JUDGE
    assert "torn.cassette" in done.stderr
    assert replay("diff", good, tmp_path / "none.cassette").returncode == exits.CANNOT_JUDGE
    assert replay("diff", good).returncode == exits.USAGE
