"""Recording and replaying within this process, switched on and off between measurements."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import replay
from replay.boundary.lanes import Lane, become, running
from replay.cassette.reader import Reader
from replay.model.verdict import Verdict
from replay.player.divergence import Facts
from replay.player.frames import decoded
from replay.player.player import Player


@contextmanager
def recording(path: str) -> Generator[Lane]:
    """Record into a new cassette; the block begins with recording off: see `on`."""
    with replay.record(path):
        lane = running.lane
        assert lane is not None
        become(None)
        try:
            yield lane
        finally:
            become(lane)


@contextmanager
def on(lane: Lane) -> Generator[None]:
    """What is in this block is recorded, or replayed."""
    become(lane)
    try:
        yield
    finally:
        become(None)


@contextmanager
def playing(path: str) -> Generator[Lane]:
    """Replay a cassette that was recorded by `recording`, in this process."""
    with Reader.open(path) as reader:
        yield player(reader).new_lane("m")


def player(reader: Reader) -> Player:
    """A player that raises where the replay differs."""
    return Player(
        decoded(reader),
        seed=reader.header["random_seed"],
        complete=reader.outcome is not None,
        on_stop=_stopped,
        facts=Facts(None),
    )


def _stopped(verdict: Verdict) -> Any:
    raise RuntimeError(f"the benchmark's replay differs: {verdict}")
