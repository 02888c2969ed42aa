"""`replay scan` and `replay record --redact`: what they find, what they print, and what they exit with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay.cassette.writer import Writer
from replay_cli import exits

REPLAY = Path(sys.executable).with_name("replay")
KEY = "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"


def _replay(cwd: Path, *args: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "80", "REPLAY_DIR": "", **more}
    return subprocess.run([REPLAY, *args], capture_output=True, text=True, cwd=cwd, env=env, check=False)


def _cassette(path: Path, *texts: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Writer.create(path, {})
    writer.lane(0, "m")
    for text in texts:
        writer.event(0, "tool", "f", "read", 0, None, text, None, None, None, 0, 0, None)
    writer.end({})
    writer.seal()
    writer.close()
    return path


def test_found(tmp_path: Path) -> None:
    _cassette(tmp_path / "x.cassette", "plain", f"by {KEY}")
    _cassette(tmp_path / "x.d" / "1.cassette", "bob@example.com")
    done = _replay(tmp_path, "scan", "x.cassette")
    assert done.returncode == exits.DIFFERENT
    assert done.stdout.splitlines() == [
        "x.cassette: event 1, event: github: ghp_… (40 bytes)",
        "x.d/1.cassette: event 0, event: email: bob… (15 bytes)",
        "2 files searched, 2 secrets found",
    ]
    told = json.loads(_replay(tmp_path, "scan", ".", "--json").stdout)
    assert told["files"] == 2
    assert [leak["path"] for leak in told["found"]] == ["x.cassette", "x.d/1.cassette"]
    assert KEY not in json.dumps(told)


def test_none(tmp_path: Path) -> None:
    _cassette(tmp_path / "x.cassette", "plain")
    done = _replay(tmp_path, "scan", "x")
    assert (done.returncode, done.stdout) == (exits.SAME, "1 file searched, 0 secrets found\n")
    assert _replay(tmp_path, "scan", "-q").stdout == ""


def test_files_that_can_t_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.cassette").write_bytes(b"\0not one")
    done = _replay(tmp_path, "scan", ".")
    assert done.returncode == exits.CANNOT_JUDGE
    assert "[cassette-foreign]" in done.stderr
    _cassette(tmp_path / "x.cassette", KEY)
    assert _replay(tmp_path, "scan", ".").returncode == exits.DIFFERENT, "one that is found is found"
    assert _replay(tmp_path, "scan", "nowhere").returncode == exits.CANNOT_JUDGE


def test_rules(tmp_path: Path) -> None:
    _cassette(tmp_path / "x.cassette", "plain ORD-17")
    (tmp_path / "rules.toml").write_text("regex = { order = 'ORD-[0-9]+' }\n")
    done = _replay(tmp_path, "scan", "x.cassette", "--redact", "rules.toml")
    assert "order: O… (6 bytes)" in done.stdout
    assert _replay(tmp_path, "scan", "x.cassette", REPLAY_REDACT="rules.toml").returncode == exits.DIFFERENT
    (tmp_path / "pyproject.toml").write_text("[tool.replay]\nredact = 'rules.toml'\n")
    assert _replay(tmp_path, "scan", "x.cassette").returncode == exits.DIFFERENT
    (tmp_path / "rules.toml").write_text("regecks = {}\n")
    assert _replay(tmp_path, "scan", "x.cassette").returncode == exits.USAGE


PROGRAM = """
import json, os, subprocess, sys
import replay

@replay.tool
def find(order):
    return {"order": order, "customer": {"name": "Zoe Quick"}}

print(find("ORD-17"))
print(json.dumps(find("ORD-18")))
if len(sys.argv) == 1:
    print(subprocess.run([sys.executable, __file__, "child"], capture_output=True, text=True).stdout)
"""


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_recording_with_rules(tmp_path: Path, how: str) -> None:
    """Children have the same rules, and what is recorded replays."""
    (tmp_path / "agent.py").write_text(PROGRAM)
    (tmp_path / "rules.toml").write_text("json = ['customer.name']\nregex = { order = 'ORD-[0-9]+' }\n")
    flags = ["--redact", "rules.toml"] if how == "flag" else []
    command = ["record", "-o", "x.cassette", *flags, "--", sys.executable, "agent.py"]
    done = _replay(tmp_path, *command, **({} if flags else {"REPLAY_REDACT": "rules.toml"}))
    assert "ORD-17" in done.stdout, "the program has what is so"
    assert _replay(tmp_path, "scan", "x.cassette", "--redact", "rules.toml").returncode == exits.SAME
    searched = [path.read_bytes() for path in tmp_path.rglob("*.cassette")]
    assert len(searched) == 2
    assert not any(b"ORD-1" in data or b"Quick" in data for data in searched)
    again = _replay(tmp_path, "run", "x.cassette")
    assert again.returncode == exits.SAME, again.stdout + again.stderr
    shown = _replay(tmp_path, "show", "x.cassette")
    assert "ORD-17" not in shown.stdout


def test_nothing_starts_with_rules_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("print('started')")
    done = _replay(tmp_path, "record", "--redact", "none.toml", "--", sys.executable, "agent.py")
    assert (done.returncode, done.stdout) == (exits.USAGE, "")
