"""Agents on real frameworks, unmodified: recorded against a server that answers by chance, replayed with none."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from replay.demo.server import environment, spawn
from tests.support.plugin import AGENTS
from tests.support.torture import Note, Often, measure, often, record_many

FRAMEWORKS = AGENTS.parent / "frameworks"
ERRORS = 0.06

Serving = Callable[[], contextlib.AbstractContextManager[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Program:
    """A program on a framework.

    Attributes:
        name: what the table calls it. file: where it is. needs: modules it imports. serving: what it talks to.
        extra: what to install for it.
    """

    name: str
    file: Path
    needs: tuple[str, ...]
    serving: Serving
    extra: str = "frameworks"


@contextlib.contextmanager
def model() -> Generator[dict[str, str]]:
    """The environment of a program that talks to the random model."""
    with spawn(errors=ERRORS) as url:
        yield environment(url)


@contextlib.contextmanager
def tools() -> Generator[dict[str, str]]:
    """The environment of a program that talks to a tool server over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(FRAMEWORKS / "mcp_server.py"), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _listening(port, server)
            yield {**environment(""), "MCP_URL": f"http://127.0.0.1:{port}/mcp"}
        finally:
            server.terminate()


@contextlib.contextmanager
def own_server() -> Generator[dict[str, str]]:
    """The environment of a program that starts its tool server itself."""
    yield {**environment(""), "MCP_SERVER": str(FRAMEWORKS / "mcp_server.py")}


def _listening(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the tool server has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


PROGRAMS = (
    Program("openai, sync", AGENTS / "openai_sync.py", ("openai",), model),
    Program("openai, async", AGENTS / "openai_async.py", ("openai",), model),
    Program("openai, streamed", AGENTS / "openai_stream.py", ("openai",), model),
    Program("anthropic", AGENTS / "anthropic_stream.py", ("anthropic",), model),
    Program("LangGraph", FRAMEWORKS / "langgraph_agent.py", ("langgraph", "langchain_openai"), model),
    Program("openai-agents", FRAMEWORKS / "openai_agents_team.py", ("agents",), model),
    Program("MCP over stdio", FRAMEWORKS / "mcp_stdio.py", ("mcp",), own_server),
    Program("MCP over HTTP", FRAMEWORKS / "mcp_http.py", ("mcp",), tools),
    Program("instructor", FRAMEWORKS / "instructor_agent.py", ("instructor",), model, extra="instructor"),
)
SAMPLED = [one for one in PROGRAMS if one.file.parent == FRAMEWORKS and one.extra == "frameworks"]
"""The others are recorded and replayed in `tests/e2e` already, or need an environment of their own."""


def frameworks(which: Program, times: Often, directory: Path, note: Note) -> None:
    missing = [module for module in which.needs if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} isn't installed: pip install 'agent-replay[{which.extra}]'")
    with which.serving() as variables:
        recordings = record_many(which.file, directory, times.recordings, variables)
    measure("replays of agents on real frameworks", which.name, recordings, times.replays, note)


@pytest.mark.parametrize("which", SAMPLED, ids=lambda one: one.file.stem)
def test_a_sample(which: Program, tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    frameworks(which, often(pytestconfig, 2, 1), tmp_path, record_property)


@pytest.mark.torture
@pytest.mark.parametrize("which", PROGRAMS, ids=lambda one: one.file.stem)
def test_in_full(which: Program, tmp_path: Path, record_property: Note, pytestconfig: pytest.Config) -> None:
    faulthandler.cancel_dump_traceback_later()  # minutes are expected
    frameworks(which, often(pytestconfig, 10, 10), tmp_path, record_property)
