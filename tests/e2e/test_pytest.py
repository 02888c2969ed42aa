"""pytest as a user starts it, recorded and replayed; what it keeps on the disk for itself is no input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.e2e import cli, cli_json, shown, snapshot, write

TESTS = {
    "one that passes": "import time\ndef test_time(tmp_path): assert time.time() > 0 and not [*tmp_path.iterdir()]\n",
    "one that fails": """
import inspect, time
def helper():
    return time.time()
def test_time():
    print(inspect.getmodule(inspect.currentframe()).__name__)
    assert time.time() == helper(), inspect.getsource(helper)
""",
}


def environment() -> dict[str, str]:
    """With Python's default about bytecode, and without the plugins that are installed for our own tests."""
    ours = ("PYTEST", "PYTHONDONT")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**inherited, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_replays(tmp_path: Path, name: str) -> None:
    write(tmp_path / "test_it.py", TESTS[name])
    command = [sys.executable, "-m", "pytest", "-q", "test_it.py"]
    env = environment()
    times = 2 if name == "one that passes" else 1
    for number in range(times):  # what pytest has kept from the first run must not matter to the second
        path = f"{number}.cassette"
        recorded = cli("record", "-o", path, "--", *command, cwd=tmp_path, env=env)
        assert name == "one that passes" or b"<built-in function time>" in recorded.stdout, recorded.stdout
        assert recorded.returncode == (name == "one that fails"), shown(recorded)
        before = snapshot(tmp_path)
        replayed = cli("run", path, cwd=tmp_path, env=env)
        assert replayed.returncode == 0, shown(replayed)
        assert replayed.stdout.startswith(recorded.stdout), shown(replayed)
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize("setting", [{}, {"PYTHONDONTWRITEBYTECODE": "1"}], ids=["default", "set"])
def test_the_setting_is_as_recorded_and_no_bytecode_is_written(tmp_path: Path, setting: dict[str, str]) -> None:
    write(tmp_path / "other.py", "import sys; VALUE = sys.dont_write_bytecode, sys.flags.dont_write_bytecode")
    name = "PYTHONDONTWRITEBYTECODE"
    write(tmp_path / "main.py", f"import os, other; print(other.VALUE, os.environ.get({name!r}))")
    env = environment()
    recorded = cli("record", "-o", "x.cassette", "--", sys.executable, "main.py", cwd=tmp_path, env={**env, **setting})
    assert recorded.stdout.decode().startswith("(True, 1)" if setting else "(False, 0)")
    cache = tmp_path / "__pycache__"
    if cache.exists():
        for file in cache.iterdir():
            file.unlink()
        cache.rmdir()
    for here in ({}, {name: "1"}):  # what is set where it is replayed doesn't matter
        done = cli_json("run", "x.cassette", cwd=tmp_path, env={**env, **here})
        assert done["identical"], done
        assert not cache.exists()


def test_a_block_inside_a_test(tmp_path: Path) -> None:
    """Around it pytest looks for the user's name, which the machine may ask a service for."""
    block = "with replay.record('x.cassette'): print(time.time())"
    write(tmp_path / "test_it.py", f"import replay, time\ndef test_it(tmp_path):\n    {block}\n")
    env = {name: value for name, value in environment().items() if name not in ("LOGNAME", "USER", "LNAME", "USERNAME")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
    before = snapshot(tmp_path)
    assert cli_json("run", "x.cassette", cwd=tmp_path, env=env)["identical"]
    assert snapshot(tmp_path) == before
