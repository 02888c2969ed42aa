"""What `replay debug` promises of a recording of 1000 events: how long a step back takes, and whether `when` finds the
first event at which a planted condition holds. `pytest -m torture tests/torture/test_debug.py` prints both; a small
share of the search runs in CI."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from replay.timeline.session import Session
from tests.support import e2e

Note = Callable[[str, object], None]

_PROGRAM = """
import ASYNCIO random, time
import replay

@replay.tool(effect="write")
DEF refund(order, amount):
    return {"ok": amount}

DEF main():
    state = {"done": 0, "drawn": []}
    for number in range(STEPS):
        await refund(f"o{number}", number)
        state["done"] += 1
        state["drawn"].append((random.random(), time.time()))
    print("done", state["done"])

RUN(main())
"""


def _recorded(directory: Path, steps: int, kind: str) -> Path:
    source = _PROGRAM.replace("STEPS", str(steps))
    if kind == "loop":
        source = source.replace("ASYNCIO ", "asyncio, ").replace("DEF ", "async def ").replace("RUN", "asyncio.run")
    else:
        source = source.replace("ASYNCIO ", "").replace("DEF ", "def ").replace("await ", "").replace("RUN", "")
    program = e2e.write(directory / "agent.py", source)
    done = e2e.cli("record", "-o", directory / "agent.cassette", "--", sys.executable, program)
    assert done.returncode == 0, e2e.shown(done)
    return directory / "agent.cassette"


def _found(session: Session, chance: random.Random, plants: int, steps: int) -> list[bool]:
    """Whether `when` stopped at the first event at which so much was done: the one behind that answer."""
    found: list[bool] = []
    for planted in [chance.randrange(1, steps) for _ in range(plants)]:
        session.goto(chance.choice(session.events))
        asked = session.when(f"state['done'] >= {planted}")
        assert asked.found.event == session.position
        values = [session.evaluate("state['done']").text, ""]
        session.back()
        values[1] = session.evaluate("state['done']").text
        found.append(values == [str(planted), str(planted - 1)])
    return found


@pytest.mark.parametrize("kind", ["plain", "loop"])
def test_a_share_of_the_search(tmp_path: Path, kind: str) -> None:
    with Session(_recorded(tmp_path, 60, kind)) as session:
        assert _found(session, random.Random(4711), 3, 60) == [True] * 3
        assert session.executions == 1


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["plain", "loop"])
def test_a_thousand_events(
    tmp_path: Path, kind: str, record_property: Note, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random()
    with Session(_recorded(tmp_path, 1000, kind)) as session:
        session.goto(session.total)
        seconds: list[float] = []
        while session.position > session.events[0]:
            began = time.perf_counter()
            session.back()
            seconds.append(time.perf_counter() - began)
            if chance.random() < 0.02:  # somewhere else now and then, as people do
                session.goto(chance.choice([event for event in session.events if event <= session.position]))
        found = _found(session, chance, 20, 1000)
        forks = session.executions == 1
    row = {
        "program": kind,
        "steps back": len(seconds),
        "median": f"{statistics.median(seconds) * 1000:.2f} ms",
        "slowest": f"{max(seconds) * 1000:.0f} ms",
        "found first": f"{sum(found)} of {len(found)}",
    }
    record_property("table: replay debug, 1000 events", row)
    with capsys.disabled():
        print(f"\n{row}")
    assert forks
    assert all(found)
