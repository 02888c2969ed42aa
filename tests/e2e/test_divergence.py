"""The first difference stops the replay and is explained; no exception handler can turn it into success."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import replay
from replay.model.event import Event
from tests.support.e2e import (
    PROGRAMS,
    Recorded,
    cli,
    cli_json,
    prompt_of,
    record,
    shown,
    with_prompt,
    write,
)

EXTRA = ("httpx_agent", "httpx2_agent")
MORE = " Answer in French."
Agents = Callable[[str], Recorded]


def says(event: Event, text: str) -> bool:
    """Whether the event's request, with its body, contains the text."""
    body = (event.body or b"").decode(errors="replace")
    return event.kind != "output" and (text in repr(event.request) or text in body)


def first_that_says(recorded: Recorded, text: str) -> Event:
    with replay.load(recorded.path) as cassette:
        return next(event for event in cassette.events if says(event, text))


def line_of(event: Event) -> str:
    return str(event.site).rpartition(":")[2]


@pytest.mark.parametrize("name", [*PROGRAMS, *EXTRA])
def test_another_prompt_in_a_copy(name: str, recorded_agent: Agents, tmp_path: Path) -> None:
    recorded = recorded_agent(name)
    source = recorded.program.read_text()
    prompt = prompt_of(source)
    copy = write(tmp_path / f"{name}.py", with_prompt(source, prompt + MORE))
    right = first_that_says(recorded, prompt)

    run = replay.run(recorded.path, command=[sys.executable, str(copy)])
    assert not run.identical
    assert run.exit_code is None
    found = run.divergence
    assert found is not None
    assert found.event == right.id
    assert found.cause == "code changed"
    assert copy.name in found.why
    assert (found.recorded_site, found.site) == (str(right.site), f"{copy}:{line_of(right)}")
    assert found.expected is not None
    assert found.got is not None
    assert found.expected.what == found.got.what == f"{right.kind} {right.name}"
    both = [f"{side.request!r} {side.body}" for side in (found.expected, found.got)]
    assert [MORE.strip() in side for side in both] == [False, True]
    assert len(found.changes) == 1
    assert MORE.strip() in found.changes[0]
    assert found.candidates[0].event == right.id

    done = cli("run", recorded.path, "--", sys.executable, copy)
    assert done.returncode == 1, shown(done)
    text = done.stdout[done.stdout.index("✗ diverged".encode()) :].decode()
    assert f"✗ diverged at event {right.id}, after " in text
    assert f"  expected: {found.expected.what} in lane {right.lane} at {right.site}\n" in text
    assert f"  got:      {found.got.what} in lane {right.lane} at {found.site}\n" in text
    assert re.search(rf"  what differs .*\n.*{MORE.strip()}", text)
    assert "  likely cause: code changed: " in text
    assert re.search(rf"  nearest recorded:\n    event {right.id}  0\.\d\d  .* changed\n", text)


@pytest.mark.parametrize("name", PROGRAMS)
def test_another_prompt_in_the_same_file(name: str, recorded_agent: Agents) -> None:
    recorded = recorded_agent(name)
    source = recorded.program.read_text()
    prompt = prompt_of(source)
    right = first_that_says(recorded, prompt)
    recorded.program.write_text(with_prompt(source, prompt + MORE))
    try:
        found = cli_json("run", recorded.path, code=1)
    finally:
        recorded.program.write_text(source)
    assert (found["identical"], found["exit_code"]) == (False, None)
    divergence = found["divergence"]
    assert (divergence["event"], divergence["cause"]) == (right.id, "code changed")
    assert divergence["site"] == divergence["recorded_site"] == str(right.site)
    assert MORE.strip() in json.dumps(divergence["got"])


@pytest.mark.parametrize("name", PROGRAMS)
def test_lenient_answers_and_counts(name: str, recorded_agent: Agents, tmp_path: Path) -> None:
    recorded = recorded_agent(name)
    source = recorded.program.read_text()
    prompt = prompt_of(source)
    copy = write(tmp_path / f"{name}.py", with_prompt(source, prompt + MORE))
    run = replay.run(recorded.path, command=[sys.executable, str(copy)], match="lenient")
    with replay.load(recorded.path) as cassette:
        said = sum(says(event, prompt) for event in cassette.events)
    assert (run.divergence, len(run.drift)) == (None, said)
    assert all(MORE.strip() in drift.change and str(copy) in str(drift.site) for drift in run.drift)
    first = run.drift[0].event
    assert first == first_that_says(recorded, prompt).id
    assert run.evidence_until is not None
    assert run.evidence_until > first
    assert not run.identical
    assert (run.stdout, run.exit_code) == (recorded.stdout, 0)


def test_lenient_in_the_console(recorded_agent: Agents, tmp_path: Path) -> None:
    recorded = recorded_agent("functions")
    source = recorded.program.read_text()
    copy = write(tmp_path / "functions.py", with_prompt(source, "Refund nothing"))
    done = cli("run", "--match", "lenient", recorded.path, "--", sys.executable, copy)
    assert done.returncode == 0, shown(done)
    assert "~ not the same execution" in done.stdout.decode()
    text = done.stdout.decode()
    assert re.search(r"  drift: \d+ requests differed", text)
    assert re.search(r"\n    event \d+  \w+ .* at .*functions.py:\d+: ~ .*Refund nothing", text)
    assert re.search(r"\n  evidence up to event \d+: ", text)


SWALLOWS = """
import os, sys, threading
import httpx, openai, replay
PROMPT = "Refund what is due."
BASE = os.environ["AGENT_BASE_URL"]


@replay.tool
def pay(words):
    return len(words)


def ask():
    client = openai.OpenAI(base_url=BASE + "/v1", api_key="none", max_retries=5)
    message = {"role": "user", "content": PROMPT}
    return client.chat.completions.create(model="gpt-5-mini", messages=[message]).choices[0].message.content


def fetch():
    for attempt in range(5):
        try:
            return httpx.post(BASE + "/echo", json={"prompt": PROMPT}).json()
        except BaseException as error:
            print("attempt", attempt, type(error).__name__)


def in_thread(function):
    def work():
        try:
            function()
        except BaseException:
            pass
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


CALLS = {"pay": lambda: pay(PROMPT), "ask": ask, "fetch": fetch}
for how in (lambda function: function(), in_thread):
    try:
        how(CALLS[sys.argv[1]])
    except BaseException:
        pass
    finally:
        print("tried")
sys.exit(0)
"""


@pytest.mark.parametrize("call", ["pay", "ask", "fetch"])
def test_swallowing_does_not_help(call: str, server_url: str, tmp_path: Path) -> None:
    program = write(tmp_path / "swallows.py", SWALLOWS)
    recorded = record(program, tmp_path / "x.cassette", url=server_url, arguments=[call])
    assert (recorded.exit_code, recorded.stdout) == (0, b"tried\ntried\n")
    assert replay.run(recorded.path).identical
    program.write_text(with_prompt(SWALLOWS, "Refund it twice."))
    found = cli_json("run", recorded.path, code=1)
    assert (found["identical"], found["divergence"]["cause"]) == (False, "code changed")


def test_swallowed_in_tasks(server_url: str, tmp_path: Path) -> None:
    source = """
import asyncio, os, httpx
PROMPT = "one"
async def call(client, number):
    try:
        await client.post("/echo", json={"prompt": PROMPT, "number": number})
    except BaseException:
        return None
async def main():
    async with httpx.AsyncClient(base_url=os.environ["AGENT_BASE_URL"]) as client:
        await asyncio.gather(*(call(client, n) for n in range(5)), return_exceptions=True)
asyncio.run(main())
"""
    program = write(tmp_path / "tasks.py", source)
    recorded = record(program, tmp_path / "x.cassette", url=server_url)
    assert replay.run(recorded.path).identical
    program.write_text(with_prompt(source, "two"))
    found = cli_json("run", recorded.path, code=1)
    assert (found["divergence"]["event"], found["divergence"]["cause"]) == (
        first_that_says(recorded, "one").id,
        "code changed",
    )


ORDERED = """
import replay


@replay.tool
def lookup(order):
    return {"order": order}


@replay.tool
def pay(order):
    return "paid " + order


print(lookup("A-1"))
print(pay("A-1"))
print(lookup("A-2"))
"""


FIRST, SECOND = ORDERED.splitlines()[-3:-1]


def test_another_order_of_calls(tmp_path: Path) -> None:
    program = write(tmp_path / "ordered.py", ORDERED)
    recorded = record(program, tmp_path / "x.cassette")
    program.write_text(ORDERED.replace(f"{FIRST}\n{SECOND}", f"{SECOND}\n{FIRST}"))
    found = cli_json("run", recorded.path, code=1)["divergence"]
    assert (found["event"], found["cause"]) == (0, "order")
    assert (found["expected"]["what"], found["got"]["what"]) == ("tool lookup", "tool pay")
    assert found["site"] == f"{program}:{ORDERED.splitlines().index(FIRST) + 1}"
    assert found["candidates"][0]["what"] == "tool pay"


@pytest.mark.parametrize(
    ("old", "new", "event", "reason"),
    [
        ('print(lookup("A-2"))\n', "", 4, "the program ended"),
        ('print(lookup("A-2"))\n', 'print(lookup("A-2"))\npay("A-2")\n', None, "expected takes a lock, got tool pay"),
        ('print(lookup("A-1"))\n', 'print(lookup("A-1"), "!")\n', 1, "output"),
        ('"paid " + order', '"payed " + order', None, ""),
        ("import replay\n", "import replay, time\ntime.time()\n", 0, "reads time.time"),
        ('print(lookup("A-2"))\n', 'print(lookup("A-2"))\nraise SystemExit(3)\n', None, "exit code 3; recorded was 0"),
    ],
    ids=["earlier end", "longer", "output", "body of a tool", "clock", "exit code"],
)
def test_other_changes(tmp_path: Path, old: str, new: str, event: int | None, reason: str) -> None:
    program = write(tmp_path / "ordered.py", ORDERED)
    recorded = record(program, tmp_path / "x.cassette")
    assert ORDERED.count(old) == 1
    program.write_text(ORDERED.replace(old, new))
    run = replay.run(recorded.path)
    if not reason:  # what a tool does inside is not re-run
        assert run.identical
        return
    assert run.divergence is not None
    assert run.divergence.event == event
    assert reason in run.divergence.reason
    assert cli("run", "-q", recorded.path).returncode == 1


def test_an_input_that_nobody_recorded(tmp_path: Path) -> None:
    """Same code, but C code tells it something else: named as what it is."""
    source = """
import ctypes
import replay


@replay.tool
def pay(order):
    return order


pay(ctypes.CDLL(None).getpid())
"""
    program = write(tmp_path / "reads.py", source)
    recorded = record(program, tmp_path / "x.cassette", cwd=tmp_path)
    assert b"getpid" in recorded.stderr
    run = replay.run(recorded.path)
    assert run.divergence is not None
    assert run.divergence.cause == "unrecorded input"
    assert run.blind_spots == 1


def test_until(recorded_agent: Agents) -> None:
    """`--until N` stops before event N, and says identical up to there."""
    recorded = recorded_agent("functions")
    with replay.load(recorded.path) as cassette:
        pay = next(event for event in cassette.events if event.name == "refund")
    run = replay.run(recorded.path, until=pay.id)
    assert (run.identical, run.cut) == (True, True)
    assert run.events <= pay.id
    assert b"refund" not in run.stdout
    assert b"quote" in run.stdout


def test_the_environment_of_the_recording_counts(tmp_path: Path) -> None:
    """A variable that is set otherwise now is no difference: the program gets the recorded one."""
    program = write(tmp_path / "env.py", "import os\nprint(os.environ['MODE'], os.environ.get('OTHER'))\n")
    recorded = record(program, tmp_path / "x.cassette", env={**os.environ, "MODE": "safe"})
    assert recorded.stdout == b"safe None\n"
    done = cli("run", recorded.path, env={**os.environ, "MODE": "fast", "OTHER": "x"})
    assert done.returncode == 0, shown(done)
    assert done.stdout.startswith(recorded.stdout)
