"""Fixtures for tests that record programs against a server which answers by chance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.demo.server import RandomServer, spawn

AGENTS = Path(__file__).parents[2] / "fixtures" / "agents"
"""The ordinary programs that get recorded."""


@pytest.fixture
def random_server() -> Iterator[RandomServer]:
    """A server of the test's own, on threads of this process; `server.count` and `server.ledger` tell what it saw."""
    with RandomServer() as server:
        yield server


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a server in a process of its own, shared by the tests of a worker: its threads are never recorded."""
    with spawn() as url:
        yield url
