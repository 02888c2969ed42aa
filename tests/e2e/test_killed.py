"""Kill -9 in the middle of a recording: what had returned is there, and replays to the cut."""

from __future__ import annotations

import faulthandler
import json
import random
import re
import signal
from pathlib import Path

import pytest

import replay
from benchmarks.killed import kill, killed, unpacked
from tests.support.e2e import cli, cli_json, error_line, record, shown, write

STREAMED = """
import json, os, httpx
BASE = os.environ["AGENT_BASE_URL"]
with httpx.Client(base_url=BASE) as client:
    for number in range(12):
        print("got", client.post("/echo", json={"n": number}).json()["id"], flush=True)
        request = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        with client.stream("POST", "/v1/chat/completions", json=request) as response:
            for line in response.iter_lines():
                print("line", len(line), flush=True)
"""
THREADED = """
import os
from concurrent.futures import ThreadPoolExecutor
import requests
BASE = os.environ["AGENT_BASE_URL"]

def call(number):
    found = requests.post(BASE + "/echo", json={"n": number}).json()["id"]
    print("got", found, flush=True)

with ThreadPoolExecutor(4) as pool:
    list(pool.map(call, range(60)))
"""
ASYNC = """
import asyncio, os, httpx
BASE = os.environ["AGENT_BASE_URL"]

async def work(client, worker):
    for number in range(12):
        response = await client.post("/echo", json={"n": [worker, number]})
        print("got", response.json()["id"], flush=True)
        await asyncio.sleep(0.001)

async def main():
    async with httpx.AsyncClient(base_url=BASE) as client:
        await asyncio.gather(*(work(client, worker) for worker in range(5)))

asyncio.run(main())
"""
PROGRAMS = {"streamed": STREAMED, "threaded": THREADED, "async": ASYNC}


@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_at_random(name: str, server_url: str, tmp_path: Path) -> None:
    kill_often(name, 3, server_url, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_often(name: str, server_url: str, tmp_path: Path) -> None:
    kill_often(name, 34, server_url, tmp_path)


def witnessed(times: int, directory: Path) -> None:
    """Streams, threads and tasks in one agent, killed at random; nothing is missing that its server saw delivered."""
    found = kill(times, directory)
    assert (found.kills, found.readable, found.replayed, found.missing) == (times, times, times, 0), found
    print(f"{times} killed, {found.delivered} responses delivered, none missing")


def test_killed_with_a_witness(tmp_path: Path) -> None:
    witnessed(2, tmp_path)


@pytest.mark.torture
def test_killed_often_with_a_witness(tmp_path: Path) -> None:
    faulthandler.cancel_dump_traceback_later()  # minutes are expected
    witnessed(100, tmp_path)


def kill_often(name: str, times: int, url: str, directory: Path) -> None:
    program = write(directory / f"{name}.py", PROGRAMS[name])
    whole = record(program, directory / "whole.cassette", url=url)
    assert (whole.exit_code, replay.run(whole.path).identical) == (0, True)
    size = unpacked(whole.path)
    for number in range(times):
        path = directory / f"{number}.cassette"
        at = random.randrange(1, size)
        received = None
        while received is None:
            received = killed(program, path, url, at, whole_group=bool(number % 2))
            at = at * 3 // 4
        check(path, received)


def check(path: Path, received: bytes) -> None:
    before = path.read_bytes()
    with replay.load(path) as cassette:
        assert cassette.status == "open"
        assert cassette.outcome is None
        events = list(cassette.events)
    # Whatever the program told us it had got is in the cassette; that it is the same, its replay shows below.
    lines = received[: received.rfind(b"\n") + 1]
    whole = [event for event in events if event.kind == "http" and event.status in ("done", "streamed")]
    assert len(whole) >= lines.count(b"got ")
    done = cli("show", path)
    assert (done.returncode, done.stderr) == (0, b""), shown(done)
    assert "unfinished" in done.stdout.decode()
    assert cli_json("show", path)["status"] == "open"
    assert cli("verify", path).returncode == 0

    run = replay.run(path)
    assert run.identical, (run, run.stderr)
    assert (run.cut, run.exit_code, run.divergence) == (True, None, None)
    assert run.stdout.startswith(lines), (run.stdout, lines)
    done = cli("run", path)
    assert done.returncode == 0, shown(done)
    said = r"✓ identical up to the cut: \d+ events?; the recording stops there" if events else "nothing to compare"
    assert re.search(said, done.stdout.decode())
    assert path.read_bytes() == before


def test_killed_before_anything_happened(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "import posix\nposix.kill(posix.getpid(), 9)\n")
    recorded = record(program, tmp_path / "x.cassette")
    assert recorded.exit_code == 128 + signal.SIGKILL
    assert b"unfinished" in recorded.stderr
    document = cli_json("show", recorded.path)
    assert (document["status"], [event for event in document["events"] if event["kind"] != "env"]) == ("open", [])
    found = json.loads(cli("run", recorded.path, "--json").stdout)
    assert found["divergence"] is None


def test_killed_within_a_call(tmp_path: Path) -> None:
    """An outcome that was never recorded is where the replay ends."""
    source = """
import os, signal, replay

@replay.tool
def pay(amount):
    if amount == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return amount

for amount in range(5):
    print(pay(amount), flush=True)
"""
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout) == (137, b"0\n1\n2\n")
    run = replay.run(recorded.path)
    assert (run.identical, run.cut, run.stdout) == (True, True, b"0\n1\n2\n")
    with replay.load(recorded.path) as cassette:
        paid = [event for event in cassette.events if event.kind == "tool"]
    assert [event.response for event in paid] == [0, 1, 2, None]
    assert [event.status for event in paid] == ["done"] * 3 + ["open"]


@pytest.mark.parametrize(
    "end",
    ["os._exit(3)", "sys.exit(3)", "raise SystemExit(3)", "1 / 0"],
)
def test_other_ends(end: str, tmp_path: Path) -> None:
    """Every way to end in which the program has a say is told from a kill."""
    source = f"import os, sys, replay\n@replay.tool\ndef pay(): return 1\nprint(pay(), flush=True)\n{end}\n"
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert recorded.stdout == b"1\n"
    assert b"unfinished" not in recorded.stderr
    run = replay.run(recorded.path)
    assert (run.identical, run.cut, run.stdout) == (True, False, b"1\n")
    assert run.exit_code == recorded.exit_code == (1 if end == "1 / 0" else 3)


def test_a_crash(tmp_path: Path) -> None:
    """The replay crashes like the recording; nobody is left to give a verdict, and that is what it says."""
    source = "import os, replay\n@replay.tool\ndef pay(): return 1\nprint(pay(), flush=True)\nos.abort()\n"
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout) == (128 + signal.SIGABRT, b"1\n")
    assert b"unfinished" in recorded.stderr
    assert "ended by signal 6 before" in error_line(cli("run", "-q", recorded.path), "not-replayable")
