"""`replay context`: the window that a model got, where each message came from, what changed in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from replay.cassette.cassette import load
from replay.forensics.context import FIRST, LAST, context
from replay.model.errors import UsageError
from replay.model.event import Event
from tests.forensics.cassettes import Desk, result, said, user
from tests.support.e2e import cli, cli_json, shown

NOTE = "Refunds above 100 need a second signature."
LOOK = ("c1", "look", {"order": "A-1"})
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def desk(path: Path) -> tuple[int, int]:
    """An agent with a note in its prompt that looks an order up; its two calls."""
    found = Desk(path, argv=["agent.py", "Please refund my lamp of order A-1."])
    found.event("entry", "user", "read", None, "And be quick about it, please.")
    found.memory("getitem", "policy", response=NOTE)
    system = {"role": "system", "content": f"You are a clerk who helps people with their orders. {NOTE}"}
    asked = [system, user("Please refund my lamp of order A-1."), user("And be quick about it, please.")]
    first = found.llm(asked, LOOK)
    found.tool("look", {"order": "A-1"}, "a lamp, 129 EUR, delivered", effect="read")
    found.llm([user("Another agent's window.")], text="hm", lane="m/t1")
    again = [*asked, said(None, LOOK), result("c1", "a lamp, 129 EUR, delivered")]
    picture: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "It looks so:"}, IMAGE]}
    second = found.llm([*again, picture], text="Done.")
    found.close()
    return first, second


def test_every_message_has_where_it_came_from(tmp_path: Path) -> None:
    first, second = desk(tmp_path / "a.cassette")
    document = cli_json("context", tmp_path / "a.cassette", str(second))
    rows = document["messages"]
    origins = [(row["role"], row["from"]["kind"], row["from"]["event"]) for row in rows]
    assert origins == [
        ("system", "code", None),
        ("user", "user", None),
        ("user", "user", 0),
        ("assistant", "answer", first),
        ("tool", "tool", 3),
        ("user", "code", None),
    ]
    (note,) = rows[0]["parts"]
    assert (note["kind"], note["event"], note["part"]) == ("memory", 1, NOTE)
    assert rows[4]["from"]["name"] == "look"
    assert rows[5]["text"].startswith("It looks so:\n<uri, ")
    assert "AAAA" not in json.dumps(rows), "an image is a placeholder"
    assert (document["tokens"]["input"], document["tokens"]["output"], document["whole"]) == (80, 20, True)


def test_the_difference_is_to_the_same_agents_previous_call(tmp_path: Path) -> None:
    first, second = desk(tmp_path / "a.cassette")
    document = cli_json("context", "--diff", tmp_path / "a.cassette", str(second))
    assert document["previous"] == first
    assert [(each["what"], each["b"]) for each in document["changes"]] == [("injected", n) for n in (3, 4, 5)]
    assert cli_json("context", "--diff", tmp_path / "a.cassette", str(first))["previous"] is None


def test_what_left_what_was_cut_and_other_tools(tmp_path: Path) -> None:
    found = Desk(tmp_path / "a.cassette")
    long = "A long story about a lamp that broke on its way from the shop to the house of its owner. " * 3
    found.llm([user("one"), user(long), user("three")], agent="desk")
    last = found.llm([user(long[:60] + "…"), user("three"), user("four")], agent="desk")
    found.close()
    text = cli("context", "--diff", tmp_path / "a.cassette", str(last)).stdout.decode()
    assert "since event 0:" in text
    assert "truncated at 1 → 0:" in text
    assert "left at 0: user: one" in text
    assert "entered at 2: user: four" in text


def test_what_is_no_call_is_said_with_the_call_before_it(tmp_path: Path) -> None:
    first, _ = desk(tmp_path / "a.cassette")
    done = cli("context", tmp_path / "a.cassette", str(first + 1))
    assert done.returncode == 129, shown(done)
    assert f"the last one before it is {first}" in done.stderr.decode()
    with load(tmp_path / "a.cassette") as cassette, pytest.raises(UsageError):
        context(cassette.events, 99)


class Counted:
    """Events that count how often one is looked at."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.looked = 0

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: int) -> Event:
        self.looked += 1
        return self.events[index]


def test_what_it_costs_doesnt_grow_with_the_run(tmp_path: Path) -> None:
    found = Desk(tmp_path / "a.cassette")
    for number in range(FIRST + LAST + 500):
        found.memory("getitem", "k", response=number)
    asked = found.llm([user("hello")], text="hi")
    found.close()
    with load(tmp_path / "a.cassette") as cassette:
        counted = Counted(cassette.events)
        window = context(cast("Sequence[Event]", counted), asked)
    assert counted.looked <= FIRST + LAST + 2
    assert (window.whole, window.rows[0].origin.kind) == (False, "unknown")


def test_recorded_text_is_escaped(tmp_path: Path) -> None:
    found = Desk(tmp_path / "a.cassette")
    asked = found.llm([user("hi\x1b[2J")], text="hi")
    found.close()
    for words in ((), ("-v",), ("--diff",)):
        done = cli("context", *words, tmp_path / "a.cassette", str(asked))
        assert done.returncode == 0, shown(done)
        assert b"\x1b[2J" not in done.stdout
