"""Fixtures for tests that record programs against a server which answers by chance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.demo.server import RandomServer, environment, spawn

AGENTS = Path(__file__).parents[2] / "fixtures" / "agents"
"""The ordinary programs that get recorded."""


@pytest.fixture(autouse=True)
def unproxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients in tests reach the loopback interface directly, whatever the environment says."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, environment("")[name])


@pytest.fixture
def random_server() -> Iterator[RandomServer]:
    """A server of the test's own, on threads of this process; `server.count` and `server.ledger` tell what it saw."""
    with RandomServer() as server:
        yield server


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a server in a process of its own, shared by the tests of a worker: its threads are never recorded.

    Programs get it with `env=environment(server_url)` of `replay.demo.server`.
    """
    with spawn() as url:
        yield url
