"""The story of the demonstration, live: a planted note makes the agent refund twice, and either fix prevents it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from replay.demo import story
from replay.demo.brain import Call, Chance, Conversation, Tool, Turn, think
from replay.demo.server import RandomServer, environment
from replay.demo.story import Fix

ROOT = Path(__file__).parents[2]
TOOLS = tuple(Tool(name, {}) for name in ("lookup_order", "refund", "send_email", "save_note"))


def prompt(notes: dict[str, str], *fixes: Fix) -> str:
    """The system prompt that the agent's program would send."""
    source = story.AGENT.read_text()
    for fix in fixes:
        source = fix.apply(source)
    template = next(
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "SYSTEM"
    )
    return str(template).format(notes="\n".join(f"- {topic}: {text}" for topic, text in notes.items()))


def calls_made(system: str, ticket: str) -> list[Call]:
    """Plays the agent: every call succeeds, until the model has nothing more to call."""
    turns = [Turn("system", system), Turn("user", ticket)]
    made: list[Call] = []
    while True:
        answer = think(Conversation("support-1", tuple(turns), TOOLS), Chance())
        if not answer.calls:
            assert answer.text
            return made
        made += answer.calls
        turns.append(Turn("assistant", answer.text, answer.calls))
        turns += [Turn("tool", json.dumps({"total": story.AMOUNT})) for _ in answer.calls]


def names(system: str) -> list[str]:
    return [call.name for call in calls_made(system, story.TICKET)]


def test_the_planted_note_makes_it_refund_twice() -> None:
    assert names(prompt(story.NOTES | story.POISON)) == ["lookup_order", "refund", "refund", "send_email"]
    assert names(prompt(story.NOTES)) == ["lookup_order", "refund", "send_email"]


@pytest.mark.parametrize("removed", list(story.NOTES))
def test_no_other_note_matters(removed: str) -> None:
    rest = {topic: text for topic, text in story.NOTES.items() if topic != removed}
    assert names(prompt(rest | story.POISON)).count("refund") == 2
    assert names(prompt(rest)).count("refund") == 1


def test_the_first_ticket_plants_the_note() -> None:
    made = calls_made(prompt(story.NOTES), story.PLANTING_TICKET)
    assert [call.name for call in made] == ["save_note"]
    assert {made[0].arguments["topic"]: made[0].arguments["text"]} == story.POISON


def test_the_rule_is_followed() -> None:
    assert names(prompt(story.NOTES | story.POISON, story.RULE)).count("refund") == 1


def test_a_fix_has_to_find_its_place() -> None:
    with pytest.raises(ValueError, match="0 times"):
        story.GUARD.apply("print('another program')\n")


@pytest.mark.parametrize(
    ("planted", "fix", "refunds"),
    [(False, None, 1), (True, None, 2), (True, story.GUARD, 1), (True, story.RULE, 1)],
    ids=["clean", "planted", "guard", "rule"],
)
def test_the_agent(planted: bool, fix: Fix | None, refunds: int, random_server: RandomServer, tmp_path: Path) -> None:
    program = tmp_path / "agent.py"
    program.write_text(fix.apply(story.AGENT.read_text()) if fix else story.AGENT.read_text())
    notes = story.write_notes(tmp_path / "notes.json")
    for ticket in [story.PLANTING_TICKET] * planted + [story.TICKET]:
        ended = subprocess.run(
            [sys.executable, str(program), str(notes), ticket],
            capture_output=True,
            text=True,
            check=False,
            env={**environment(random_server.url), "PYTHONPATH": str(ROOT)},
        )
        assert (ended.returncode, ended.stderr) == (0, "")
    paid = [entry["amount"] for entry in random_server.ledger if entry["what"] == "refund"]
    assert paid == [story.AMOUNT] * refunds
    assert [entry["what"] for entry in random_server.ledger].count("email") == 1
    assert json.loads(notes.read_text()) == story.NOTES | (story.POISON if planted else {})
