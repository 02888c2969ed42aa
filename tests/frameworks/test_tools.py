"""Tools of frameworks are crossings without a decorator: their bodies don't run at replay, and every event says who
acted. The programs' tools write a line into a file through C each time they really run."""

from __future__ import annotations

import faulthandler
import importlib.util
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from replay import semantics
from replay.demo.server import environment, spawn
from replay.model.event import Event
from tests.frameworks.test_frameworks import ERRORS, FRAMEWORKS
from tests.support.programs import Recorded
from tests.support.torture import Note, Often, measure, often, record_many


@dataclass(frozen=True, slots=True)
class Team:
    """A program of agents, and what has to be on its recording.

    Attributes:
        name: what the table calls it. file: where it is. needs: modules it imports.
        tools: which agents may act when that tool is called; None: nobody does.
        asking: which agents ask the model.
        handoffs: (from, to) that may occur.
    """

    name: str
    file: Path
    needs: tuple[str, ...]
    tools: dict[str, set[str | None]]
    asking: set[str | None]
    handoffs: set[tuple[str, str]]


TEAMS = (
    Team(
        "LangChain agents, tools",
        FRAMEWORKS / "langgraph_team.py",
        ("langgraph", "langchain", "langchain_openai"),
        {
            "lookup_order": {"planner", None},
            "write_to": {"planner"},
            "get_weather": {"writer/tools"},
            "check": {"writer/tools"},
        },
        {"planner", "writer/draft"},
        {("planner", "writer")},
    ),
    Team(
        "openai-agents, tools",
        FRAMEWORKS / "openai_agents_tools.py",
        ("agents",),
        {"get_weather": {"weather"}, "lookup_order": {"orders"}, "refund": {"orders"}, "note": {"orders"}},
        {"triage", "orders", "weather"},
        {("triage", "orders"), ("triage", "weather")},
    ),
    Team(
        "pydantic-ai",
        FRAMEWORKS / "pydantic_ai_agents.py",
        ("pydantic_ai",),
        {"lookup_order": {"orders"}, "get_weather": {"orders"}, "refund": {"orders"}, "note": {"clerk"}},
        {"orders", "clerk"},
        set(),
    ),
    Team(
        "smolagents",
        FRAMEWORKS / "smolagents_team.py",
        ("smolagents",),
        {"lookup_order": {"manager", "clerk", None}, "refund": {"clerk"}},
        {"manager", "clerk"},
        {("manager", "clerk")},
    ),
    Team(
        "AG2",
        FRAMEWORKS / "ag2_team.py",
        ("ag2",),
        {"refund": {"manager", "clerk"}, "lookup_order": {"clerk"}},
        {"manager", "clerk"},
        {("manager", "clerk")},
    ),
)


def checked(team: Team, recorded: Recorded) -> Counter[str]:
    """Compares a recording with what `team` says; how often each tool was called."""
    events = list(recorded.cassette().events)
    called: Counter[str] = Counter()
    for event in events:
        acting = event.meta.get("agent")
        if event.kind == "tool":
            called[event.name] += 1
            assert acting in team.tools[event.name], event
        elif _asks_a_model(event):
            assert acting in team.asking, event
        elif event.kind == "agent":
            assert event.name == "handoff"
            assert (event.request["from"], event.request["to"]) in team.handoffs
            assert acting == event.request["from"]
        assert event.kind != "gap", event
    asking = {event.meta.get("agent") for event in events if _asks_a_model(event)}
    assert asking
    assert asking <= team.asking
    return called


def _asks_a_model(event: Event) -> bool:
    return semantics.read(event) is not None


def tools_and_agents(team: Team, times: Often, directory: Path, note: Note) -> None:
    missing = [module for module in team.needs if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} isn't installed: pip install 'agent-replay[frameworks]'")
    canary = directory / "ran"
    canary.touch()
    with spawn(errors=ERRORS) as url:
        made = record_many(team.file, directory, times.recordings, {**environment(url), "CANARY": str(canary)})
    called = sum((checked(team, one.recorded) for one in made), Counter[str]())
    assert called
    assert Counter(canary.read_text().split()) == called
    measure("replays of agents on real frameworks", team.name, made, times.replays, note)
    assert Counter(canary.read_text().split()) == called, "a tool's body ran at replay"


@pytest.mark.parametrize("team", TEAMS, ids=lambda one: one.file.stem)
def test_a_sample(team: Team, tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    tools_and_agents(team, often(pytestconfig, 1, 1), tmp_path, record_property)


@pytest.mark.torture
@pytest.mark.parametrize("team", TEAMS, ids=lambda one: one.file.stem)
def test_in_full(team: Team, tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    faulthandler.cancel_dump_traceback_later()  # minutes are expected
    tools_and_agents(team, often(pytestconfig, 3, 3), tmp_path, record_property)
