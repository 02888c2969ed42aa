"""Hybrid executions of real programs: what answers, what is reached, and that what came of it replays by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.cassette import load
from replay.fork.engine import execute
from replay.fork.plan import Forked, Plan, Substitute
from replay.launch import run
from replay.model.errors import CassetteExists, NotForkable
from replay.model.event import Event
from tests.fork.worlds import AGENT, World, recorded, world


@pytest.fixture(name="around")
def around_fixture() -> Generator[World]:
    with world() as found:
        yield found


@pytest.fixture(name="base")
def base_fixture(tmp_path: Path, around: World) -> str:
    path = recorded(tmp_path, AGENT, around.url)
    around.seen.clear()
    return path


def event_of(path: str, kind: str, name: str) -> Event:
    with load(path) as cassette:
        return next(event for event in cassette.events if event.kind == kind and event.name.endswith(name))


def replays(found: Forked, around: World) -> None:
    """It is a recording like any other: the same execution again, reaching nobody."""
    assert found.cassette is not None, found
    before = list(around.seen)
    again = run(found.cassette)
    assert again.identical, again.divergence
    assert around.seen == before


SHIPPED = Substitute("value", {"order": "A-1", "state": "shipped"})


def test_nothing_changed_is_the_same_execution(base: str, around: World, tmp_path: Path) -> None:
    found = execute(Plan(base), tmp_path / "fork.cassette")
    assert (found.status, found.exit_code) == ("ended", 0), found.reason
    replays(found, around)
    with load(base) as one, load(tmp_path / "fork.cassette") as other:
        asked = [(event.kind, event.name, event.request, event.response) for event in one.events]
        assert [(event.kind, event.name, event.request, event.response) for event in other.events] == asked
        assert other.header["fork"] == {"parent": one.header["id"], "at": None, "edits": [], "then": "recorded"}
    assert around.seen == []


def test_what_no_recording_knows_is_unresolved(base: str, around: World, tmp_path: Path) -> None:
    looked = event_of(base, "tool", "lookup")
    found = execute(Plan(base, substitutes={looked.id: SHIPPED}), tmp_path / "fork.cassette")
    assert found.status == "unresolved"
    assert "/v1/chat/completions" in found.reason
    assert "agent.py:" in found.reason
    assert found.cassette is not None
    with load(found.cassette) as made:
        assert made.events[-1].id == found.event
        assert (made.events[-1].status, b"shipped" in (made.events[-1].body or b"")) == ("open", True)
    replays(found, around)
    assert around.seen == []


def test_a_live_fork_asks_the_model_and_nobody_else(base: str, around: World, tmp_path: Path) -> None:
    looked = event_of(base, "tool", "lookup")
    plan = Plan(base, at=looked.id, substitutes={looked.id: SHIPPED}, then="live")
    found = execute(plan, tmp_path / "fork.cassette")
    assert found.status == "ended", found.reason
    assert b'"state": "shipped"' in found.stdout.splitlines()[-1]
    assert around.seen == ["POST /v1/chat/completions"]
    replays(found, around)


def test_an_effect_is_held_until_it_is_allowed(base: str, around: World, tmp_path: Path) -> None:
    looked = event_of(base, "tool", "lookup")
    held = execute(Plan(base, at=looked.id, then="live"), tmp_path / "held.cassette")
    assert held.status == "held"
    assert "/refunds" in held.reason
    assert "--allow-effects" in held.reason
    assert around.count("POST /refunds") == 0
    replays(held, around)
    out = execute(Plan(base, at=looked.id, then="live", allow_effects=True), tmp_path / "out.cassette")
    assert out.status == "ended", out.reason
    assert around.count("POST /refunds") == 1
    replays(out, around)


def test_an_effect_can_be_approved_one_by_one(base: str, around: World, tmp_path: Path) -> None:
    looked = event_of(base, "tool", "lookup")
    asked: list[str] = []

    def approve(what: Mapping[str, Any]) -> bool:
        asked.append(f"{what['name']} {what['body'].decode()}")
        return True

    plan = Plan(base, at=looked.id, then="live", ask=True)
    found = execute(plan, tmp_path / "fork.cassette", approve=approve)
    assert found.status == "ended", found.reason
    assert [each.partition(" {")[2] for each in asked] == ['"order":"A-1","amount":7}']
    assert around.count("POST /refunds") == 1
    no = execute(plan, tmp_path / "no.cassette", approve=lambda _: False)
    assert no.status == "held"
    assert around.count("POST /refunds") == 1


def test_answers_of_another_recording_are_used(base: str, around: World, tmp_path: Path) -> None:
    """What the one lacks, a recording of the changed state has."""
    looked = event_of(base, "tool", "lookup")
    live = Plan(base, at=looked.id, substitutes={looked.id: SHIPPED}, then="live")
    known = execute(live, tmp_path / "known.cassette").cassette
    assert known is not None
    around.seen.clear()
    found = execute(Plan(base, substitutes={looked.id: SHIPPED}, further=[known]), tmp_path / "fork.cassette")
    assert found.status == "ended", found.reason
    assert b"shipped" in found.stdout.splitlines()[-1]
    assert around.seen == []
    replays(found, around)


MODEL = """
import json, sys
asked = json.load(sys.stdin)
if "completions" not in asked["name"]:
    sys.exit("only a model")
last = asked["body"]["messages"][-1]
message = {"role": "assistant", "content": "I am a program: " + last["content"]}
print(json.dumps({"choices": [{"message": message}]}))
"""


def test_a_program_stands_in_for_the_model(base: str, around: World, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    looked = event_of(base, "tool", "lookup")
    then = f"{sys.executable} {tmp_path / 'model.py'}"
    found = execute(Plan(base, substitutes={looked.id: SHIPPED}, then=then), tmp_path / "fork.cassette")
    assert found.status == "ended", found.reason
    assert b"I am a program:" in found.stdout
    assert around.seen == []
    replays(found, around)


def test_a_program_that_does_not_know_leaves_it_unresolved(base: str, around: World, tmp_path: Path) -> None:
    looked = event_of(base, "tool", "lookup")
    unknown = 'echo \'{"unresolved": "why"}\''
    programs = {"exit 3": "exit code 3", "echo no": "didn't answer in JSON", unknown: "why"}
    for number, (then, said) in enumerate(programs.items()):
        plan = Plan(base, substitutes={looked.id: SHIPPED}, then=then)
        found = execute(plan, tmp_path / f"{number}.cassette")
        assert (found.status, said in found.reason) == ("unresolved", True), found


def test_an_answer_that_fails_or_never_comes(base: str, tmp_path: Path) -> None:
    refunded = event_of(base, "http", "/refunds")
    found = execute(Plan(base, substitutes={refunded.id: Substitute("drop")}), tmp_path / "drop.cassette")
    assert (found.status, found.exit_code) == ("ended", 1)
    assert b"ConnectionResetError: dropped by the fork" in found.stderr
    again = run(tmp_path / "drop.cassette")
    assert again.identical, again.divergence


def test_an_edited_answer_of_the_model(base: str, around: World, tmp_path: Path) -> None:
    asked = event_of(base, "http", "/v1/chat/completions")
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": "I won't"}}]}).encode()
    plan = Plan(base, substitutes={asked.id: Substitute("value", asked.response, pieces=[body])})
    found = execute(plan, tmp_path / "fork.cassette")
    assert found.status == "ended", found.reason
    assert found.stdout.splitlines()[-1] == b"answer: I won't"
    replays(found, around)


def test_a_fork_can_be_forked(base: str, around: World, tmp_path: Path) -> None:
    asked = event_of(base, "tool", "lookup")
    other = Substitute("value", {"order": "A-1", "state": "lost", "total": 9})
    plan = Plan(base, at=asked.id, substitutes={asked.id: other}, then="live", allow_effects=True)
    first = execute(plan, tmp_path / "one.cassette").cassette
    assert first is not None
    assert run(first, run_tools=True).identical
    refunded = event_of(first, "tool", "refund")
    plan = Plan(first, at=refunded.id, substitutes={refunded.id: Substitute("value", {"refunded": 0})}, then="live")
    found = execute(plan, tmp_path / "two.cassette")
    assert found.status == "ended", found.reason
    assert b'"refunded": 0' in found.stdout.splitlines()[-1]
    replays(found, around)
    assert found.cassette is not None
    assert run(found.cassette, run_tools=True).identical


def test_what_can_not_be_forked_is_said(base: str, tmp_path: Path) -> None:
    with pytest.raises(NotForkable, match="no event 999"):
        execute(Plan(base, at=999), tmp_path / "fork.cassette")
    with pytest.raises(CassetteExists):
        execute(Plan(base), base)


BLOCK = """
import os, sys
import replay

with replay.record(sys.argv[1]):
    os.listdir(".")
"""

CHILD = """
import os
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
else:
    os.listdir(".")
"""


def test_a_part_of_a_program_and_a_forked_child_are_refused(tmp_path: Path) -> None:
    block = tmp_path / "block.cassette"
    subprocess.run([sys.executable, "-c", BLOCK, str(block)], check=True, cwd=tmp_path)
    with pytest.raises(NotForkable, match="a recording of a block, not of a program"):
        execute(Plan(str(block)), tmp_path / "fork.cassette")
    recorded(tmp_path, CHILD, name="parent")
    with pytest.raises(NotForkable, match="is a child's"):
        execute(Plan(str(tmp_path / "parent.d" / "1.cassette")), tmp_path / "fork.cassette")


def test_a_recording_that_was_cut_can_be_forked_before_its_cut(base: str, around: World, tmp_path: Path) -> None:
    """Its writer died behind the first tool: there it goes on live."""
    looked = event_of(base, "tool", "lookup")
    held = execute(Plan(base, at=looked.id, then="live"), tmp_path / "cut.cassette")
    assert (held.status, held.cassette is not None) == ("held", True)
    around.seen.clear()
    plan = Plan(str(held.cassette), at=looked.id, substitutes={looked.id: SHIPPED}, then="live")
    found = execute(plan, tmp_path / "fork.cassette")
    assert found.status == "ended", found.reason
    assert around.seen == ["POST /v1/chat/completions"]
    replays(found, around)
