"""`replay.agent`: who did what, also across tasks, threads and hand-offs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import replay
from tests.support import programs
from tests.support.e2e import cli, cli_json

AGENTS = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
import replay


@replay.tool(effect="read")
def look(where: str) -> str:
    return where.upper()


@replay.tool
def tell(where: str) -> str:
    return where.lower()


@replay.agent("researcher")
async def research(number):
    await asyncio.sleep(0)
    with replay.agent(f"reader {number}"):
        await asyncio.sleep(0)
        look(f"reader {number}")
        await asyncio.sleep(0)
    tell("researcher")


async def main():
    await asyncio.gather(*(research(number) for number in range(3)))
    tell("None")
    with replay.agent("pool"):
        await asyncio.get_running_loop().run_in_executor(None, look, "pool")
        await asyncio.to_thread(tell, "pool")


@replay.agent("planner")
def plan():
    look("planner")
    thread = threading.Thread(target=lambda: (look("planner"), print("planner")))
    thread.start()
    thread.join()
    with replay.agent("pool"), ThreadPoolExecutor(1) as pool:
        pool.submit(look, "pool").result()
    try:
        with replay.agent("failing"):
            tell("failing")
            raise KeyError
    except KeyError:
        tell("planner")


tell("None")
plan()
asyncio.run(main())
look("None")

def each():
    yield 1


try:
    replay.agent("reader")(each)
except TypeError:
    look("None")
"""


def test_the_acting_agent_is_on_every_event(tmp_path: Path) -> None:
    made = programs.replays(tmp_path, AGENTS, times=1)
    named = [(event.request["where"], str(event.meta.get("agent"))) for event in made.events("tool")]
    assert len(named) == 17
    assert all(expected == found for expected, found in named), named
    assert [event.meta.get("agent") for event in made.events("output")] == ["planner"]
    assert {event["agent"] for event in cli_json("show", made.path)["events"]} >= {None, "planner", "reader 2"}
    assert "reader 2" in cli("show", made.path).stdout.decode()


@pytest.mark.parametrize("wrong", [{"threads": "bogus"}, {"tags": 3}])
def test_typos_are_told(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))), replay.record(tmp_path / "x.cassette", **wrong):
        raise AssertionError("nothing runs")
    with pytest.raises(ValueError, match="'read' or 'write'"):
        replay.tool(effect="wirte")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
