"""TLS, proxies, odd framing, errors: recorded, a program gets what it would get anyway; replayed, it gets it again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from replay.launch import run
from tests.conformance.awkward_server import AwkwardServer

ROOT = Path(__file__).parents[2]
_RECORD = "import sys; from replay.launch import record_command; record_command(sys.argv[2:], sys.argv[1])"
_CHANCE = re.compile(r"[0-9a-f]{32}")
_SECRET = re.compile(r"(?<=http://)[^@/ ]*(?=@)")  # a proxy's user and password, in an error's text: replaced on disk
_RACES = ("raced:", "group:")


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _without_chance(output: str) -> list[str]:
    return [_CHANCE.sub("#", line) for line in output.splitlines() if not line.startswith(_RACES)]


@pytest.mark.parametrize("program", ["awkward_sync", "awkward_async"])
def test_awkward(program: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.cassette")
    with AwkwardServer() as server:
        command = [sys.executable, "-m", f"tests.conformance.{program}", *server.ports]
        unrecorded = _output(command)
        recorded = _output([sys.executable, "-c", _RECORD, path, *command])
    assert _without_chance(recorded) == _without_chance(unrecorded)
    cassette = load(path)
    assert [spot.what for spot in cassette.blind_spots if spot.what != "file read"] == []
    assert not [event for event in cassette.events if event.kind == "gap"]
    replayed = run(path)
    assert (replayed.divergence, replayed.escapes, replayed.gap) == (None, (), None)
    assert _SECRET.sub("#", replayed.stdout.decode()) == _SECRET.sub("#", recorded)
    if program == "awkward_sync":
        (forgotten,) = [event for event in cassette.events if "/forgotten" in event.name]
        assert (forgotten.effect, forgotten.body, forgotten.response) == ("write", b"nobody waits", None)
