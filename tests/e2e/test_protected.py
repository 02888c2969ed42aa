"""Recordings that are encrypted: the host that records can't read them, and whoever has the identity replays them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPLAY = Path(sys.executable).with_name("replay")
CANARY = "canary-4711"

PROGRAM = f"""
import os, signal, subprocess, sys, time
import replay

@replay.tool
def look(number):
    return "{CANARY}" + "!" * number

print(look(3), time.time(), sys.argv[1:])
if sys.argv[1:] == ["child"]:
    pid = os.fork()
    if pid == 0:
        print(look(5), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
if sys.argv[1:] == ["parent"]:
    subprocess.run([sys.executable, sys.argv[0], "child"], check=True)
if sys.argv[1:] == ["killed"]:
    for number in range(40):
        print(len(look(number)), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""

BLOCK = f"""
import replay, time

@replay.tool
def look(): return "{CANARY}"

with replay.record("block.cassette"):
    print(look(), time.time())
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "block.py").write_text(BLOCK)
    cli(tmp_path, "keygen", "--age", "identity")
    (tmp_path / "to").write_text(cli(tmp_path, "keygen", "--age", "second").stdout.strip() + "\n")
    lines = (tmp_path / "identity").read_text().splitlines()
    with (tmp_path / "to").open("a") as file:
        file.write(lines[1].rpartition(" ")[2] + "\n")
    return tmp_path


def cli(where: Path, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("REPLAY_")} | more
    return subprocess.run([REPLAY, *args], cwd=where, env=env, capture_output=True, text=True, check=False, timeout=100)


def no_canary_in(where: Path) -> None:
    for path in where.rglob("*"):
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts:
            assert CANARY.encode() not in path.read_bytes(), path


def test_a_program_and_its_children(place: Path) -> None:
    done = cli(place, "record", "--encrypt", "to", "-o", "x.cassette", "--", sys.executable, "program.py", "parent")
    assert done.returncode == 0, done.stderr
    assert "recorded, and encrypted" in done.stderr
    assert sorted(path.name for path in place.rglob("*.cassette")) == ["1.cassette", "1.cassette", "x.cassette"]
    no_canary_in(place)
    for name in ("x.cassette", "x.d/1.cassette", "x.d/1.d/1.cassette"):
        done = cli(place, "run", name)
        assert (done.returncode, done.stdout) == (125, "")
        assert "[cassette-encrypted]" in done.stderr
        done = cli(place, "run", name, "--identity", "identity")
        assert done.returncode == 0, done.stderr
        assert CANARY in done.stdout
        assert "identical" in done.stdout
    shown = json.loads(cli(place, "show", "x.cassette", "--json", REPLAY_IDENTITY="second").stdout)
    assert shown["status"] == "sealed"
    assert [event["response"] for event in shown["events"] if event["kind"] == "tool"] == [f"{CANARY}!!!"]
    assert "is encrypted" in cli(place, "ls", ".", "--json").stdout
    assert "program.py" in cli(place, "ls", ".", "--identity", "identity", "--json").stdout
    assert cli(place, "verify", "x.cassette", "--identity", "identity").returncode == 0
    no_canary_in(place)


READERS = [
    ["show", "x.cassette"], ["diff", "x.cassette", "x.cassette"], ["scan", "x.cassette"], ["memory", "x.cassette"],
    ["effects", "x.cassette"], ["triage", "x.cassette"], ["expect", "x.cassette", "exit == 0"],
    ["baseline", "learn", "x.cassette", "-o", "base.yaml"], ["repair", "x.cassette", "-o", "y.cassette"],
    ["tree", "."],
]  # fmt: skip


def test_whoever_has_the_identity_asks_what_they_like(place: Path) -> None:
    cli(place, "record", "--encrypt", "to", "-o", "x.cassette", "--", sys.executable, "program.py", "parent")
    for command in READERS:
        closed = cli(place, *command)
        assert "[cassette-encrypted]" in closed.stderr or "is encrypted" in closed.stdout, (command, closed)
        opened = cli(place, *command, "--identity", "identity")
        assert opened.returncode == 0, (command, opened)


def test_killed(place: Path) -> None:
    """What had returned is there, for who has the identity; the host has lost it all the same."""
    done = cli(place, "record", "--encrypt", "to", "-o", "x.cassette", "--", sys.executable, "program.py", "killed")
    assert done.returncode == 137
    received = len(done.stdout.splitlines())
    assert received == 41
    no_canary_in(place)
    assert cli(place, "show", "x.cassette").returncode == 125
    shown = json.loads(cli(place, "show", "x.cassette", "--json", "--identity", "identity").stdout)
    assert shown["status"] == "open"
    assert sum(event["kind"] == "tool" for event in shown["events"]) == 41
    done = cli(place, "run", "x.cassette", "--identity", "identity", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["cut"] is True


def test_a_block_signed_and_encrypted(place: Path) -> None:
    (place / "pyproject.toml").write_text('[tool.replay]\nencrypt = ["to"]\nsign = "key"\n')
    cli(place, "keygen", "key")
    done = subprocess.run([sys.executable, "block.py"], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    no_canary_in(place)
    assert cli(place, "verify", "block.cassette").returncode == 125
    done = cli(place, "verify", "block.cassette", "--identity", "second", "--key", "key.pub")
    assert done.returncode == 0, done.stderr
    assert "the key that was given" in done.stdout
    assert cli(place, "run", "block.cassette", "--identity", "identity").returncode == 0


def test_a_program_signed_and_encrypted(place: Path) -> None:
    cli(place, "keygen", "key")
    done = cli(
        place, "record", "--sign", "key", "--encrypt", "to", "-o", "x.cassette", "--", sys.executable, "program.py"
    )
    assert done.returncode == 0, done.stderr
    done = cli(place, "verify", "x.cassette", "--identity", "identity", "--key", "key.pub")
    assert done.returncode == 0, done.stderr


def test_keys_that_are_wrong_are_known_before_the_program_begins(place: Path) -> None:
    done = cli(place, "record", "--encrypt", "age1nobody", "--", sys.executable, "program.py")
    assert (done.returncode, done.stdout) == (125, "")
    assert "[key-unusable]" in done.stderr
    done = cli(place, "record", "--encrypt", "identity", "--", sys.executable, "program.py")
    assert (done.returncode, done.stdout) == (125, "")


def test_blind_spots_of_what_nobody_here_can_read(place: Path) -> None:
    (place / "blind.py").write_text("import ctypes\nctypes.CDLL(None).getpid()\n")
    done = cli(place, "record", "--encrypt", "to", "-o", "b.cassette", "--", sys.executable, "blind.py")
    assert "b.cassette: 0 events recorded, and encrypted\n" in done.stderr
    assert "native call: getpid" in done.stderr
    done = cli(place, "--json", "record", "--encrypt", "to", "-o", "c.cassette", "--", sys.executable, "blind.py")
    told = json.loads(done.stderr)
    assert (told["events"], told["gaps"], told["blind_spots"], told["finished"]) == (0, 0, 1, True)
