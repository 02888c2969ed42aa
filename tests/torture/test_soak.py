"""A server under load: many sessions at once, each request a cassette of its own (`benchmarks.soak`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak import Soaked, soak


def is_whole(done: Soaked) -> bool:
    return (done.foreign, done.lost, done.unsealed) == (0, 0, 0) and done.identical == done.replayed


def test_sessions_are_kept_apart(tmp_path: Path) -> None:
    """The small share of it that is always run."""
    done = soak(tmp_path, requests=120, sessions=40, replays=2)
    assert is_whole(done), done
    assert done.replayed == 2


@pytest.mark.torture
def test_a_soak(tmp_path: Path) -> None:
    """Beyond a warm start, memory doesn't grow with the number of requests: 32 MB are 1.6 KB for each."""
    done = soak(tmp_path, requests=20_000, sessions=200, think=2.0, replays=20)
    assert is_whole(done), done
    assert done.memory[-1] - done.memory[0] < 32 << 20, done.memory
