"""`replay run C --debugpy PORT`: an editor's debugger in a replay, over a socket, and the verdict it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import e2e
from tests.support.dap import Editor

_AGENT = """
import replay

@replay.tool(effect="write")
def refund(order, amount):
    return {"ok": amount}

def work(number):
    import logging, random, time, uuid, threading, queue
    logging.getLogger("agent").warning("order %s at %s", number, time.time())
    lock = threading.Lock()
    with lock:
        answer = refund(f"o{number}", number)
    return answer["ok"], random.random(), str(uuid.uuid4())

async def concurrently():
    import asyncio
    await asyncio.sleep(0.001)
    return await asyncio.gather(asyncio.sleep(0.002, "late"), asyncio.sleep(0.001, "early"))

def main():
    import asyncio, threading
    results = [work(number) for number in range(3)]
    thread = threading.Thread(target=lambda: results.append(work(3)))
    thread.start()
    thread.join()
    print(results, asyncio.run(concurrently()))

main()
"""


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("debugpy")
    program = e2e.write(directory / "agent.py", _AGENT)
    path = directory / "agent.cassette"
    done = e2e.cli("record", "-o", path, "--", sys.executable, program)
    assert done.returncode == 0, e2e.shown(done)
    return path


@contextmanager
def _replay(cassette: Path, *words: str) -> Generator[tuple[subprocess.Popen[bytes], Editor]]:
    """A replay that waits for a debugger, and one who is connected to it."""
    command = [e2e.REPLAY, "run", str(cassette), "--debugpy", "0", *words]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline().decode()
            assert said.startswith("replay: waiting for a debugger at 127.0.0.1:"), said
            with Editor("127.0.0.1", int(said.rpartition(":")[2])) as editor:
                yield process, editor
        finally:
            process.terminate()


def _end(process: subprocess.Popen[bytes]) -> str:
    out, err = process.communicate(timeout=60)
    return f"exit {process.returncode}\n{out.decode()}\n{err.decode()}"


def _line(text: str) -> int:
    return 1 + next(number for number, line in enumerate(_AGENT.split("\n")) if text in line)


def test_an_editor_stops_looks_steps_and_goes_on(cassette: Path) -> None:
    program = str(cassette.with_name("agent.py"))
    with _replay(cassette) as (process, editor):
        editor.attach({program: [_line('return answer["ok"]')]})
        for number in range(4):  # the last one in a thread
            stopped = editor.stopped()
            assert stopped["frames"][0]["name"] == "work"
            assert editor.value("number, answer", stopped) == f"({number}, {{'ok': {number}}})"
            if number == 0:
                editor.go(stopped, "next")
                stopped = editor.stopped()
            editor.go(stopped)
        said = _end(process)
    assert "✓ identical" in said, said
    assert "exit 0" in said, said


def test_it_stops_at_an_event_before_it_happens(cassette: Path) -> None:
    events = e2e.cli_json("show", cassette)["events"]
    at = [event["id"] for event in events if event["name"] == "refund"][2]
    with _replay(cassette, "--at", str(at)) as (process, editor):
        editor.attach({})
        stopped = editor.stopped()
        first = stopped["frames"][0]
        assert (first["name"], first["line"]) == ("work", _line("answer = refund"))
        assert editor.value("number", stopped) == "2"
        editor.go(stopped, "next")
        stopped = editor.stopped()
        assert editor.value("answer", stopped) == "{'ok': 2}"
        editor.go(stopped)
        said = _end(process)
    assert "✓ identical" in said, said


def test_it_stops_where_the_program_goes_another_way(tmp_path: Path, cassette: Path) -> None:
    program = e2e.write(tmp_path / "agent.py", _AGENT.replace('f"o{number}", number)', 'f"o{number}", number % 2)'))
    with _replay(cassette, "--", sys.executable, str(program)) as (process, editor):
        editor.attach({})
        stopped = editor.stopped()
        assert editor.value("number, number % 2", stopped) == "(2, 0)"
        editor.go(stopped)
        said = _end(process)
    assert "exit 1" in said, said
    assert "✗ diverged" in said, said


def test_what_is_typed_there_does_not_get_out(cassette: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    with _replay(cassette, "--at", "0") as (process, editor):
        editor.attach({})
        stopped = editor.stopped()
        frame = stopped["frames"][0]["id"]
        asked = f"__import__('os').mkdir({str(there)!r})"
        assert "EscapeRefused" in editor.ask("evaluate", expression=asked, frameId=frame)["result"]
        editor.go(stopped)
        said = _end(process)
    assert not there.exists()
    assert "escape refused" in said, said


@pytest.mark.parametrize("address", ["0.0.0.0:5678", "example.com:5678", "x", "127.0.0.1:99999"])
def test_it_listens_on_loopback_only(cassette: Path, address: str) -> None:
    done = e2e.cli("run", cassette, "--debugpy", address)
    assert done.returncode == 129, e2e.shown(done)


@pytest.mark.parametrize("words", [["--at", "1"], ["--debugpy", "0", "--pdb", "1"], ["--debugpy", "0", "--times", "2"]])
def test_what_does_not_go_together(cassette: Path, words: list[str]) -> None:
    done = e2e.cli("run", cassette, *words)
    assert done.returncode == 129, e2e.shown(done)


def test_without_debugpy_nothing_is_run(cassette: Path, tmp_path: Path) -> None:
    e2e.write(tmp_path / "debugpy.py", "raise ImportError('broken')")
    done = e2e.cli("run", cassette, "--debugpy", "0", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 125, e2e.shown(done)
    assert b"agent-replay[debugpy]" in done.stderr, e2e.shown(done)
