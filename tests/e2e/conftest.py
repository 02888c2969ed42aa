"""Recordings that several tests read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.e2e import Recorded, record_agent

Agents = Callable[[str], Recorded]


@pytest.fixture(scope="session")
def recorded_agent(tmp_path_factory: pytest.TempPathFactory) -> Agents:
    """`recorded_agent(name)`: an agent's recording, made once; its server is gone. Nobody may change its files."""
    made: dict[str, Recorded] = {}

    def recorded(name: str) -> Recorded:
        if name not in made:
            directory: Path = tmp_path_factory.mktemp(name)
            made[name] = record_agent(name, directory)
        return made[name]

    return recorded
