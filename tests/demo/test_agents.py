"""The programs that get recorded: they run, no run is like another, and traces have nothing that can't be repeated."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from replay.demo.server import environment
from tests.support.plugin import AGENTS

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(path.name for path in AGENTS.glob("*.py") if "PROMPT = " in path.read_text())
"""Those that ask the server; the others have tests of their own."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_runs_differ(name: str, server_url: str) -> None:
    source = (AGENTS / name).read_text()
    assert len(re.findall(r'^PROMPT = ".*"$', source, re.MULTILINE)) == 1
    variables = {**environment(server_url), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(AGENTS / name)]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)
        for _ in range(2)
    ]
    outputs: list[str] = []
    for run in runs:
        output, errors = run.communicate()
        assert (run.returncode, errors) == (0, "")
        assert " at 0x" not in output
        assert str(ROOT) not in output
        assert server_url not in output
        outputs.append(output)
    assert outputs[0] != outputs[1]
