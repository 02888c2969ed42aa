"""`replay debug`: forward and back over events, values in the agent's own frame, when something began."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from replay import load
from replay.model.errors import UsageError
from replay.timeline.session import Session
from replay_cli.debugging import Debugger, split
from tests.support import e2e

_AGENT = """
import random, time
import replay

calls = []

@replay.tool(effect="write")
def refund(order, amount):
    return {"ok": amount}

class Customer:
    def __repr__(self):
        return "Customer()"

def step(number, state):
    answer = refund(f"o{number}", number)
    state["total"] += answer["ok"]
    state["draws"].append(random.random())

def main():
    state, customer = {"total": 0, "draws": []}, Customer()
    with open("notes.txt", "w") as notes:
        for number in range(STEPS):
            print(number, time.time() > 0, file=notes, flush=True)
            step(number, state)
    print("done", state["total"])

main()
"""


def _recorded(directory: Path, steps: int = 8, source: str = _AGENT) -> Path:
    program = e2e.write(directory / "agent.py", source.replace("STEPS", str(steps)))
    path = directory / "agent.cassette"
    done = e2e.cli("record", "-o", path, "--", sys.executable, program, cwd=directory)
    assert done.returncode == 0, e2e.shown(done)
    return path


def _refunds(path: Path) -> list[int]:
    events = e2e.cli_json("show", path)["events"]
    return [event["id"] for event in events if event["name"] == "refund"]


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _recorded(tmp_path_factory.mktemp("debug"))


def _said(cassette: Path, text: str) -> list[dict[str, Any]]:
    """The documents of these commands."""
    with Session(cassette) as session:
        debugger = Debugger(session, json=True)
        try:
            return [debugger.answer(line).document for line in split(text)]
        finally:
            debugger.close()


def test_forward_and_back_and_what_is_there(cassette: Path) -> None:
    third = _refunds(cassette)[3]
    there, value, total, back, again, before = _said(
        cassette, f"goto {third}; print number; print state['total']; back 4; goto {third}; print number at 0"
    )
    assert (there["event"], there["differs"], there["back"]) == (third, False, "checkpoints")
    assert there["source"] == 'answer = refund(f"o{number}", number)'
    assert [each["function"] for each in there["stack"]] == ["step", "main", "<module>"]
    assert (value["value"], value["type"]) == ("3", "int")
    assert total["value"] == "3"  # 0 + 1 + 2
    assert back["event"] < third
    assert again == there
    assert "NameError" in before["error"]


def test_a_name_that_the_frame_does_not_know_is_its_callers(cassette: Path) -> None:
    at = _refunds(cassette)[2]
    customer, up, names, down = _said(cassette, f"goto {at}; print customer; up; locals; down")[1:]
    assert customer["value"] == "Customer()"
    assert up["function"] == "main"
    assert names["locals"]["number"] == "2"
    assert down["function"] == "step"


def test_going_back_is_the_same_execution(cassette: Path) -> None:
    """Whichever way one came: what is drawn by chance, and what is in files and behind their positions."""
    asked = "state['draws'], state['total'], open('notes.txt').read(), notes.tell()"
    with Session(cassette) as session:
        straight: dict[int, str] = {}
        for event in session.events:
            session.goto(event)
            straight[event] = session.evaluate(asked).text
        for event in (*session.events[::-3], *session.events[::5]):
            session.goto(event)
            assert (session.position, session.evaluate(asked).text) == (event, straight[event])
        session.goto(session.total)
        session.forward()
        assert session.end is not None
        assert (session.end.what, session.executions) == ("the program ends, as recorded", 1)


def test_nothing_of_an_expression_stays(cassette: Path) -> None:
    at = _refunds(cassette)[4]
    effects = (
        "state.clear(); ", "[calls.append(1), notes.write('x'), notes.flush(), open('notes.txt', 'w').close()]",
        "__import__('random').seed(1)", "__import__('os')._exit(3)", "__import__('sys').exit(4)", "globals().clear()",
    )  # fmt: skip
    with Session(cassette) as session:
        session.goto(at)
        before = session.evaluate("state, calls, notes.tell(), open('notes.txt').read()").text
        for effect in effects:
            session.evaluate(effect)
        assert session.evaluate("state, calls, notes.tell(), open('notes.txt').read()").text == before
        session.goto(session.total)
        session.forward()
        assert session.end is not None
        assert not session.end.differs, session.end


def test_an_expression_reaches_nothing_outside(cassette: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    (said,) = _said(cassette, f"print __import__('os').mkdir({str(there)!r})")
    assert "EscapeRefused" in said["error"]
    assert not there.exists()


def test_an_expression_that_fails_says_so_in_a_line(cassette: Path) -> None:
    at = _refunds(cassette)[1]
    errors = {
        "nobody": "NameError: name 'nobody' is not defined",
        "1 +": "SyntaxError",
        "state['x']": "KeyError: 'x'",
        "[1 for _ in iter(int, 1)]": "ended: it ran longer than 0.5 s",
        "__import__('os')._exit(1)": "ended the process",
    }
    text = "; ".join(f"print {expression}" for expression in errors)
    done = e2e.cli("debug", cassette, "--seconds", "0.5", "-c", f"goto {at}", "-c", text)
    said = done.stdout.decode().splitlines()[-len(errors) :]
    for line, error in zip(said, errors.values(), strict=True):
        assert line.startswith("✗ "), e2e.shown(done)
        assert error in line, e2e.shown(done)
    assert done.returncode == 125
    assert b"Traceback" not in done.stdout + done.stderr


def test_when_something_became_true(cassette: Path) -> None:
    refunds = _refunds(cassette)
    (found,) = _said(cassette, "when state['total'] >= 6")
    first = refunds[3] + 1  # 0 + 1 + 2 + 3, seen at the first stop behind that refund
    with Session(cassette) as session:
        session.goto(first)
        assert found["event"] == session.position
    assert found["here"]["event"] == found["event"]
    (scanned,) = _said(cassette, "when --scan state['total'] >= 6")
    assert scanned["event"] == found["event"]
    assert scanned["asked"] > found["asked"]


def test_what_comes_and_goes_needs_a_scan(cassette: Path) -> None:
    done = e2e.cli("debug", cassette, "-c", "when number == 2", "-c", "when --scan number == 2; print number")
    said = done.stdout.decode()
    assert done.returncode == 0, e2e.shown(done)
    assert "whether it was before: when --scan number == 2" in said
    assert "number == 2 is true at event" in said
    assert said.splitlines()[-1] == "2"


def test_a_program_that_goes_another_way_can_be_looked_at_there(tmp_path: Path) -> None:
    path = _recorded(tmp_path)
    program = tmp_path / "agent.py"
    program.write_text(program.read_text().replace('refund(f"o{number}", number)', 'refund(f"o{number}", number % 5)'))
    at = _refunds(path)[5]
    assert e2e.cli("debug", path, "-c", "end").returncode == 1
    there, value, end, back = _said(path, f"goto {at + 2}; print number, number % 5; end; back")
    assert (there["event"], there["differs"]) == (at, True)
    assert "goes another way: tool refund" in there["why"]
    assert value["value"] == "(5, 0)"
    assert end["differs"]
    assert back["event"] < at
    assert not back["differs"]


def test_threads_are_executed_again_from_the_beginning(tmp_path: Path) -> None:
    source = """
import threading, replay

@replay.tool
def look(name):
    return name

def work(name):
    for number in range(3):
        look(f"{name}{number}")

threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
for thread in threads: thread.start()
for thread in threads: thread.join()
look("end")
"""
    path = _recorded(tmp_path, source=source)
    with Session(path) as session:
        asked = {event.id: event.request for event in load(path).events}
        for event in (session.events[-1], *session.events[::-2]):
            session.goto(event)
            assert session.position == event
            value = session.evaluate("name, number") if session.stack()[0].function == "work" else None
            assert value is None or f"{value.text[2]}{value.text[-2]}" in str(asked[event])
        assert session.executions > 1
        assert session.evaluate("len(threads)").error is None


def test_an_event_loop_is_stepped_through(tmp_path: Path) -> None:
    source = """
import asyncio, replay

seen = []

@replay.tool
async def look(name):
    await asyncio.sleep(0.001)
    return name

async def work(name):
    for number in range(3):
        seen.append(await look(f"{name}{number}"))

async def main():
    await asyncio.gather(*map(work, "abc"))

asyncio.run(main())
"""
    path = _recorded(tmp_path, source=source)
    with Session(path) as session:
        straight: list[str] = []
        for event in session.events:
            session.goto(event)
            straight.append(session.evaluate("seen, name, number").text)
        for event, value in list(zip(session.events, straight, strict=True))[::-1]:
            session.goto(event)
            assert session.evaluate("seen, name, number").text == value
        assert session.executions == 1


def test_lines_come_through_a_pipe_too(cassette: Path) -> None:
    done = e2e.cli("debug", cassette, stdin=b"goto 5\nback; n 2\nwatch state['total']\nb\nquit\nprint nobody\n")
    assert done.returncode == 0, e2e.shown(done)
    assert b"  state['total'] = " in done.stdout


def test_the_recording_is_asked_at_the_present_event(cassette: Path) -> None:
    at = _refunds(cassette)[1]
    show, effects, memory = _said(cassette, f"goto {at}; show; effects; memory")[1:]
    assert (show["document"]["id"], show["exit_code"]) == (at, 0)
    assert len(effects["document"]["effects"]) >= 8
    assert memory["exit_code"] == 0


def test_what_it_does_not_understand(cassette: Path) -> None:
    for line in ("fly 3", "goto", "goto x", "print", "when", "next -1"):
        with pytest.raises(UsageError):
            _said(cassette, line)
    done = e2e.cli("debug", cassette, "-c", "fly 3")
    assert done.returncode == 129, e2e.shown(done)
    assert done.stderr.decode().endswith("[usage]\n")


def test_terminal_escapes_in_values_do_not_reach_the_terminal(cassette: Path) -> None:
    done = e2e.cli("debug", cassette, "-c", r"print __import__('pathlib').Path('\x1b]0;x\x07'), print('\x1b[2J')")
    assert b"\x1b" not in done.stdout, e2e.shown(done)


def test_interrupting_ends_all_processes(tmp_path: Path) -> None:
    path = _recorded(tmp_path)
    words = [e2e.REPLAY, "debug", str(path), "--seconds", "300"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"goto 3\nprint __import__('os').write(2, b'') or open('begun', 'w').close()\n")
        process.stdin.write(b"print 'before'\nprint [1 for _ in iter(int, 1)]\n")
        process.stdin.flush()
        while b"before" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert process.returncode == 130
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and str(tmp_path / "agent.py") in _command_of(pid)]
    assert left == []


def _command_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def test_the_document_of_a_whole_session(cassette: Path) -> None:
    found = e2e.cli_json("debug", cassette, "-c", "goto 2; end")
    assert set(found) == {"cassette", "events", "commands", "end"}
    assert found["end"] == {"event": found["events"] - 1, "what": "the program ends, as recorded", "differs": False}
    assert json.dumps(found)
