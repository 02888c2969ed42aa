"""A while of fuzzing; `make fuzz` does it for ten minutes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from replay.cassette import keyring
from tests.fuzz import fuzzing, imports

ROOT = Path(__file__).parents[2]


def test_whatever_is_done_to_a_cassette(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keyring.VARIABLE, "")
    first = random.randrange(2**40)
    found = [f"--seed {number}\n{trace}" for number, trace in fuzzing.findings(iter(range(first, first + 250)))]
    assert not found, found[0]


@pytest.mark.torture
@pytest.mark.parametrize("bomb", imports.BOMBS, ids=lambda bomb: bomb.name)
def test_short_files_that_say_long_things(bomb: imports.Bomb, tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(bomb())
    fuzzing.limited(lambda: imports.read_all(tmp_path / "bomb"))


def test_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.fuzzing", "--minutes", "0.02"],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "findings" in done.stdout, done.stderr
