"""Tasks, threads and streams on both sides of a fork point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from replay.fork.engine import execute
from replay.fork.plan import Plan, Substitute
from replay.launch import run
from tests.fork.worlds import World, recorded, world

TASKS = """
import asyncio, json, os
import httpx
import replay

order = []

@replay.tool
async def look(name):
    found = (await http.get(f"/orders/{name}")).json()
    await asyncio.sleep(0.001)
    return found

async def worker(http, name):
    found = await look(name)
    order.append(name)
    again = (await http.get(f"/orders/again-{name}-{len(order)}")).json()
    order.append(again["order"])
    return found["total"]

async def main():
    global http
    async with httpx.AsyncClient(base_url=os.environ["BASE"]) as http:
        totals = await asyncio.gather(*(worker(http, name) for name in "abc"))
        async with asyncio.timeout(5):
            said = (await http.get(f"/orders/{'-'.join(order)}-{sum(totals)}")).json()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(0.01)
        assert loop.time() >= began
        print(said["order"], totals, flush=True)

asyncio.run(main())
"""

THREADS = """
import os, threading, queue
from concurrent.futures import ThreadPoolExecutor
import httpx
import replay

http = httpx.Client(base_url=os.environ["BASE"])
order, lock = [], threading.Lock()

@replay.tool
def look(name):
    return http.get(f"/orders/{name}").json()

def worker(name):
    found = look(name)
    with lock:
        order.append(name)
    http.get(f"/orders/again-{name}")
    return found["total"]

with ThreadPoolExecutor(3) as pool:
    totals = list(pool.map(worker, "abc"))
said = http.get(f"/orders/{'-'.join(sorted(order))}-{sum(totals)}").json()
print(said["order"], totals, flush=True)
"""

STREAM = """
import json, os
import httpx

http = httpx.Client(base_url=os.environ["BASE"])
def ask(question):
    said = ""
    asked = {"model": "gpt-x", "stream": True, "messages": [question]}
    with http.stream("POST", "/v1/chat/completions", json=asked) as reply:
        for line in reply.iter_lines():
            if line.startswith("data: {"):
                said += json.loads(line[6:])["choices"][0]["delta"]["content"]
                print(said, flush=True)
    return said

first = ask({"role": "user", "content": "one"})
second = ask({"role": "user", "content": first})
print("end", second)
"""


def _points(path: str, *kinds: str) -> list[int]:
    with load(path) as cassette:
        return [event.id for event in cassette.events if event.kind in kinds]


@pytest.fixture(name="around", scope="module")
def around_fixture() -> Iterator[World]:
    with world() as found:
        yield found


@pytest.mark.parametrize("then", ["recorded", "live"])
@pytest.mark.parametrize("source", [TASKS, THREADS], ids=["tasks", "threads"])
def test_what_runs_side_by_side_goes_on(source: str, then: str, around: World, tmp_path: Path) -> None:
    path = recorded(tmp_path, source, around.url)
    with load(path) as cassette:
        said = next(event.request for event in cassette.events if event.kind == "output")
    for event in _points(path, "http", "tool")[::2]:
        out = tmp_path / f"{event}.cassette"
        found = execute(Plan(path, at=event, then=then), out)
        assert found.status == "ended", (event, found.reason, found.stderr.decode())
        assert b"[7, 7, 7]" in found.stdout
        if then == "recorded" and source is TASKS:
            assert found.stdout.decode() == said
        again = run(out)
        assert again.identical, (event, again.divergence)


def test_a_changed_answer_among_tasks(around: World, tmp_path: Path) -> None:
    path = recorded(tmp_path, TASKS, around.url)
    with load(path) as cassette:
        looked = [event for event in cassette.events if event.kind == "tool"][1]
    other = Substitute("value", {"order": "b", "total": 100})
    out = tmp_path / "fork.cassette"
    found = execute(Plan(path, at=looked.id, substitutes={looked.id: other}, then="live"), out)
    assert found.status == "ended", (found.reason, found.stderr.decode())
    assert b"[7, 100, 7]" in found.stdout
    again = run(out)
    assert again.identical, again.divergence
    assert run(out, run_tools=True).identical


def test_a_stream_is_cut_where_the_fork_is(around: World, tmp_path: Path) -> None:
    path = recorded(tmp_path, STREAM, around.url)
    first, second = _points(path, "http")
    for event, then in ((first, "recorded"), (first, "live"), (second, "recorded"), (second, "live")):
        out = tmp_path / f"{event}-{then}.cassette"
        found = execute(Plan(path, at=event, then=then), out)
        assert found.status == "ended", (event, then, found.reason, found.stderr.decode())
        assert found.stdout.splitlines()[-1] == b"end one one one one"
        again = run(out)
        assert again.identical, (event, again.divergence)


def test_the_pieces_of_a_stream_are_changed(around: World, tmp_path: Path) -> None:
    path = recorded(tmp_path, STREAM, around.url)
    first, _ = _points(path, "http")
    with load(path) as cassette:
        head = cassette.events[first].response
    pieces = [
        b'data: {"choices": [{"delta": {"content": "tw"}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "o"}}]}\n\n',
    ]
    out = tmp_path / "fork.cassette"
    plan = Plan(path, at=first, substitutes={first: Substitute("value", head, pieces=pieces)}, then="live")
    found = execute(plan, out)
    assert found.status == "ended", (found.reason, found.stderr.decode())
    assert found.stdout.splitlines()[:2] == [b"tw", b"two"]
    assert found.stdout.splitlines()[-1] == b"end two two"
    assert run(out).identical


RACE = """
import asyncio, os
import httpx

order = []

async def worker(http, name):
    found = (await http.get(f"/orders/{name}")).json()
    order.append(found["order"])

async def main():
    async with httpx.AsyncClient(base_url=os.environ["BASE"]) as http:
        await asyncio.gather(*(worker(http, name) for name in "abc"))
    print("".join(order), flush=True)

asyncio.run(main())
"""

RACING_THREADS = """
import os
from concurrent.futures import ThreadPoolExecutor
import httpx

http = httpx.Client(base_url=os.environ["BASE"])
order = []

def worker(name):
    order.append(http.get(f"/orders/{name}").json()["order"])

with ThreadPoolExecutor(3) as pool:
    list(pool.map(worker, "abc"))
print("".join(order), flush=True)
"""


@pytest.mark.parametrize(
    "source",
    [pytest.param(RACE, id="tasks"), pytest.param(RACING_THREADS, id="threads", marks=pytest.mark.torture)],
)
def test_answers_come_in_the_order_that_is_wanted(source: str, around: World, tmp_path: Path) -> None:
    path = recorded(tmp_path, source, around.url)
    with load(path) as cassette:
        asked = {event.name[-1]: event.id for event in cassette.events if event.kind == "http"}
    for wanted in ("cba", "bca"):
        out = tmp_path / f"{wanted}.cassette"
        found = execute(Plan(path, order=[asked[name] for name in wanted]), out)
        assert found.status == "ended", (wanted, found.reason, found.stderr.decode())
        assert found.stdout.decode() == f"{wanted}\n"
        again = run(out)
        assert again.identical, (wanted, again.divergence)
