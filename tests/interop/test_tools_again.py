"""Tools of published runs executed again: how many answer what the transcript has (docs/import.md)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "fixtures" / "agents" / "tools_again.py"
SAMPLE = Path(__file__).parents[2] / "fixtures" / "transcripts"
DATA = Path(os.environ.get("REPLAY_EVAL_DATA", SAMPLE))
TAU = os.environ.get("REPLAY_TAU_BENCH", "")

EXACT, CONTROLLED = 0.892, 0.938
"""What was attained on 36,819 calls of the same archive: byte for byte, and but for clocks, sets and libraries."""


def again(*words: str | Path, code: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, PROGRAM, "--json", *words], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    print(done.stdout)
    return found


def shares(told: dict[str, int]) -> tuple[float, float]:
    return told["exact"] / told["calls"], 1 - told.get("differs", 0) / told["calls"]


def test_what_answers_as_it_did_and_what_does_not() -> None:
    told = again(SAMPLE / "agentdojo" / "runs" / "gpt-4o-mini-2024-07-18" / "workspace", code=1)["AgentDojo"]
    assert (told["calls"], told["clock"], told["differs"]) == (13, 1, 1)  # the list of files was corrected later


def test_where_the_tools_are_missing_it_says_so() -> None:
    words = [sys.executable, "-S", str(PROGRAM), str(SAMPLE / "tau_bench")]  # without installed packages
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "tau-bench: No module named 'tau_bench'; see --help" in done.stderr


@pytest.mark.torture
def test_agentdojo() -> None:
    told = again(DATA / "agentdojo" / "runs", code=1)["AgentDojo"]
    assert told["calls"] >= 100
    exact, controlled = shares(told)
    assert exact >= EXACT
    assert controlled >= CONTROLLED


@pytest.mark.torture
@pytest.mark.skipif(not TAU, reason="tau-bench isn't in the package index: REPLAY_TAU_BENCH=its checkout")
def test_tau_bench() -> None:
    told = again(DATA / "tau_bench", "--tau-bench", TAU, code=0)["tau-bench"]
    assert shares(told) == (1.0, 1.0)
