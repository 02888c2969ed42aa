"""Lanes are matched by what was done in them; names only decide where that says nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.cassette import load
from replay.diff import lanes
from replay.diff.compare import diff

Step = tuple[str, bytes, str]
contents = st.lists(st.integers(0, 999), min_size=1, max_size=8, unique=True)


class Asked(NamedTuple):
    ask: bytes
    where: str


def matched(one: Sequence[Step], other: Sequence[Step]) -> dict[str, str]:
    return lanes.matched(by_lane(one), by_lane(other))


def by_lane(steps: Sequence[Step]) -> dict[str, list[Asked]]:
    found: dict[str, list[Asked]] = {}
    for lane, ask, where in steps:
        found.setdefault(lane, []).append(Asked(ask, where))
    return found


def run(tasks: list[int], first: int = 0) -> list[Step]:
    """Each task asks for its number, and for what all ask for."""
    return [
        (f"m/t{place}", what.to_bytes(4, "big"), "look")
        for place, number in enumerate(tasks, first)
        for what in (1000, number)
    ]


@given(contents)
def test_the_same_lanes_keep_their_names(tasks: list[int]) -> None:
    found = matched(run(tasks), run(tasks))
    assert found == {lane: lane for lane in found}


@given(contents, st.data())
def test_one_lane_more_moves_no_other(tasks: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(tasks)))
    more = [*tasks[:at], 5000, *tasks[at:]]
    found = matched(run(tasks), run(more))
    for place, number in enumerate(more):
        if number != 5000:
            assert found[f"m/t{place}"] == f"m/t{tasks.index(number)}"
    assert len(set(found.values())) == len(found)  # no two lanes become one


@given(contents, contents)
def test_any_two_runs(one: list[int], other: list[int]) -> None:
    found = matched(run(one), run(other, first=1))
    assert set(found) == {"m", *(f"m/t{place}" for place in range(1, len(other) + 1))}
    assert len(set(found.values())) == len(found)


def test_what_is_below_goes_with_it() -> None:
    one = [("m/t1/e1", b"a", "x"), ("m/t2/e1", b"b", "x"), ("m/t2/i:json", b"c", "y")]
    moved = {"m/t1/e1": "m/t2/e1", "m/t2/e1": "m/t3/e1", "m/t2/i:json": "m/t3/i:json"}
    other = [("m/t1", b"z", "q"), *((moved[lane], ask, place) for lane, ask, place in one)]
    found = matched(one, other)
    assert (found["m/t3/e1"], found["m/t3/i:json"], found["m/t2/e1"]) == ("m/t2/e1", "m/t2/i:json", "m/t1/e1")


def test_lanes_of_other_kinds_are_never_each_others() -> None:
    found = matched([("m/t1", b"a", "x")], [("m/e1", b"a", "x")])
    assert found == {"m": "m", "m/e1": "m/e1"}


def test_too_many_to_compare_go_by_name() -> None:
    one = [(f"m/t{n}", b"%04d" % n, "x") for n in range(101)]
    other = [(f"m/t{n}", b"%04d" % (n + 5000), "x") for n in range(101)]
    assert matched(one, other)["m/t77"] == "m/t77"


RECORD = """
import asyncio, sys, replay

@replay.tool(effect="read")
async def ask(who, n): return f"{who} says {n}"

async def agent(who):
    for n in range(3):
        await ask(who, n)

async def main(agents):
    await asyncio.gather(*map(agent, agents))

for path, agents in ((sys.argv[1], ("anna", "bert")), (sys.argv[2], ("zoe", "anna", "bert"))):
    with replay.record(path):
        asyncio.run(main(agents))
"""


def test_an_agent_more_is_what_it_does_and_nothing_else(tmp_path: Path) -> None:
    paths = [tmp_path / "a.cassette", tmp_path / "b.cassette"]
    subprocess.run([sys.executable, "-c", RECORD, *map(str, paths)], check=True)
    with load(paths[0]) as one, load(paths[1]) as other:
        found = diff(one, other)
        (root,) = found.roots
        assert (root.kind, root.what) == ("code", "tool ask is done in addition")
        assert found.inherited == 2
        added = [pair.b for pair in found.pairs if pair.a is None]
        assert {step.event.request["who"] for step in added if step is not None} == {"zoe"}
