"""An agent that uses much at once (its memory and checkpoints in PostgreSQL, a cache in Redis, an MCP server, a shop
asked by requests, a LangGraph graph with parallel tools, streamed answers): replayed with every server stopped."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from replay import semantics
from replay.demo.server import environment, spawn
from replay.model.event import Event
from replay.semantics.memory import accesses
from tests.frameworks.test_frameworks import ERRORS, FRAMEWORKS
from tests.stores.servers import postgres_server, redis_server
from tests.support.programs import Recorded
from tests.support.torture import Note, Often, Timed, measure, often, record_many

TITLE = "replays of agents on real frameworks"
DESK = FRAMEWORKS / "support_desk.py"
NEEDS = ("langgraph", "langgraph.checkpoint.postgres", "langchain_openai", "mcp", "redis", "psycopg_pool", "requests")
NODES = {"recall", "model", "tools", "remember"}
TOOLS = {"lookup_order", "forecast", "delivery", "save_note"}
TABLES = {"notes", "checkpoints", "checkpoint_blobs", "checkpoint_writes"}


@contextlib.contextmanager
def everything() -> Generator[dict[str, str]]:
    """The environment of the program, with every server that it needs."""
    with spawn(errors=ERRORS) as url, postgres_server() as database, redis_server() as socket:
        server = str(FRAMEWORKS / "mcp_server.py")
        yield {**environment(url), "DSN": database, "SOCKET": socket, "MCP_SERVER": server}


def _agents(events: list[Event], **wanted: str) -> set[Any]:
    fitting = [event for event in events if all(getattr(event, name) == value for name, value in wanted.items())]
    return {event.meta.get("agent") for event in fitting}


def checked(recorded: Recorded) -> None:
    """Everything that was used is on the recording: which store and key, and who acted."""
    with recorded.cassette() as cassette:
        events = list(cassette.events)
    assert not [event for event in events if event.kind == "gap"]
    calls = [event for event in events if event.kind == "tool"]
    assert {event.name for event in calls} <= TOOLS
    assert len(calls) > 5
    assert _agents(events, kind="tool") == {"tools"}
    assert {event.meta.get("agent") for event in events if semantics.read(event) is not None} == {"model"}
    assert {event.meta.get("agent") for event in events} <= {*NODES, None}
    assert _agents(events, name="redis.hset") == {"remember"}
    found = list(accesses(events))
    assert all(access.store.startswith(("postgresql://", "unix://")) for access in found)
    keys = {str(access.key).partition("[")[0] for access in found if access.store.startswith("postgresql://")}
    assert keys >= TABLES
    assert {access.key for access in found if access.op == "hset"} == {"answered"}
    assert {access.value for access in found if access.op == "get" and access.key == "forecasts"} == {
        recorded.text.splitlines()[-1].split()[0]
    }


def recorded(times: Often, directory: Path) -> list[Timed]:
    missing = [module for module in NEEDS if importlib.util.find_spec(module.partition(".")[0]) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} isn't installed: pip install 'agent-replay[dev,frameworks]'")
    with everything() as variables:
        made = record_many(DESK, directory, times.recordings, variables)
    for one in made:
        checked(one.recorded)
    return made


def test_a_sample(tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    times = often(pytestconfig, 1, 1)
    measure(TITLE, "support desk, tools run", recorded(times, tmp_path), times.replays, record_property, run_tools=True)


@pytest.mark.torture
def test_in_full(tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    """As `replay run` does it, and with tools run at once: these share a session and connections with the program."""
    faulthandler.cancel_dump_traceback_later()  # minutes are expected
    times = often(pytestconfig, 1, 20)
    made = recorded(times, tmp_path)
    measure(TITLE, "support desk", made, times.replays, record_property)
    half = max(times.replays // 2, 1)
    measure(TITLE, "support desk, tools run", made, half, record_property, run_tools=True)
