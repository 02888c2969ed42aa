"""`replay doctor` names the lines that read what isn't recorded, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replay.demo.server import environment
from tests.support.e2e import cli, shown, write
from tests.support.plugin import AGENTS

PLANTED = """
import ctypes, resource, threading, time, random

class Task:
    def __init__(self, name):
        self.name = name

def usage():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime

def tell(what):
    return len(f"value {what}") > 0

started, chance = time.time(), random.random()
tasks = {Task(str(n)) for n in range(30)}                         # planted
order = [task.name for task in tasks]
total = usage() + 1
now = ctypes.CDLL(None).clock()                                   # planted
later = now + 1
me = threading.get_native_id()
tell(id(usage))                                                   # planted
print("done", started < time.time())
"""


def test_planted_inputs_are_found_and_nothing_else(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", PLANTED)
    done = cli("doctor", "--json", "--", sys.executable, program, cwd=tmp_path)
    assert done.returncode == 1, shown(done)
    document = json.loads(done.stdout)
    lines = [number for number, line in enumerate(PLANTED.splitlines(), 1) if "# planted" in line]
    found = {finding["site"]: finding for finding in document["findings"]}
    assert set(found) == {f"{program}:{line}" for line in lines}
    sets = found[f"{program}:{lines[0]}"]
    assert "hashed by address" in sets["hint"]
    assert sets["expression"].startswith("tasks = {Task")
    assert sets["recorded"] != sets["replayed"]
    assert "C library" in found[f"{program}:{lines[1]}"]["hint"]
    assert document["sound"] is False
    assert done.stderr == b"done True\n"
    assert os.listdir(tmp_path) == ["p.py"]


def test_what_it_says(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "x = id(object)\nprint(id(x))\n")
    done = cli("doctor", "--", sys.executable, program)
    assert done.returncode == 1, shown(done)
    said = done.stdout.decode()
    assert "first causes only:" in said
    assert f"  {program}:1  x = id(object)\n" in said
    assert "✗ diverged at event 0" in said


@pytest.mark.parametrize("agent", ["functions", "openai_async", "requests_agent"])
def test_a_sound_agent_has_nothing(agent: str, server_url: str) -> None:
    done = cli("doctor", "--", sys.executable, AGENTS / f"{agent}.py", env=environment(server_url))
    assert done.returncode == 0, shown(done)
    assert "2 replays identical; no line had another value" in done.stdout.decode()


def test_what_cannot_be_judged(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "print(1)\n")
    done = cli("doctor", "--", sys.executable, "-I", program)
    assert done.returncode == 125, shown(done)
    assert b"[not-recorded]" in done.stderr


def test_of_the_environment() -> None:
    done = cli("doctor")
    assert done.returncode == 0, shown(done)
    said = done.stdout.decode()
    assert "  httpx " in said
    assert f"cpython {sys.version.split()[0]}" in said
    document = json.loads(cli("doctor", "--json").stdout)
    assert {"name": "aiohttp", "state": "seam"}.items() <= next(
        each for each in document["libraries"] if each["name"] == "aiohttp"
    ).items()


PAST_PYTHON = """
import _socket, os, posix, sys
s = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
s.connect_ex(("127.0.0.1", 9))
posix.close(posix.open(sys.argv[1], 0))
"""


def test_an_audit_names_what_goes_past_python(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", PAST_PYTHON)
    other = write(tmp_path / "data.txt", "data")
    words = ("--", sys.executable, program, other)
    without = cli("record", "-o", tmp_path / "a.cassette", *words)
    assert b"blind spot" not in without.stderr, shown(without)
    done = cli("record", "--audit", "-o", tmp_path / "b.cassette", *words)
    assert done.returncode == 0, shown(done)
    said = done.stderr.decode()
    assert f"connection: socket.connect ('127.0.0.1', 9) (audit) at {program}:4" in said
    assert f"file read: {other} (audit) at {program}:5" in said
    assert "2 blind spots" in said


def test_native_libraries_are_named_once(tmp_path: Path) -> None:
    write(tmp_path / "duckdb.py", "")
    program = write(tmp_path / "p.py", "import duckdb\nimport duckdb\nprint(1)\n")
    done = cli("record", "-o", tmp_path / "x.cassette", "--", sys.executable, program)
    said = done.stderr.decode()
    assert (
        f"  native library: duckdb: reads and writes files, and has a clock and a thread pool of its own at {program}:1"
        in said
    )
    again = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, check=True)
    assert again.stdout == b"1\n"


def test_a_crash_is_said(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "print(1)\nraise LookupError('gone')\n")
    done = cli("doctor", "--", sys.executable, program, cwd=tmp_path)
    assert (
        b"! the program ended with exit code 1 (LookupError): what it does behind that wasn't examined" in done.stdout
    )
    found = json.loads(cli("doctor", "--json", "--", sys.executable, program, cwd=tmp_path).stdout)
    assert (found["exit_code"], found["exception"]) == (1, "LookupError")
