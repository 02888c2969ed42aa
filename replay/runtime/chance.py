"""The module-level functions of `random`: each thread of a session has a seeded stream of its own.

What runs inside crossings (a tool's body, an SDK's retry jitter) draws numbers too, and doesn't run at replay;
overlapping sessions of one process draw in an order that no replay of one of them can know. So a lane draws from its
thread's generator (tasks share their thread's, as ever), and everybody else from the process's. The numbers are those
the standard generator gives for the recorded seed and the lane; `random.seed()` and `setstate()` in a lane act on that
stream.
"""

from __future__ import annotations

import random
from typing import Any

from replay.boundary.lanes import running


class LaneRandom(random.Random):
    """The process's generator, which hands over to the lane's where a lane is running."""

    _gauss_next: float | None = None

    def random(self) -> float:
        lane = running.lane
        return super().random() if lane is None else lane.chance.random()

    def getrandbits(self, k: int, /) -> int:
        lane = running.lane
        return super().getrandbits(k) if lane is None else lane.chance.getrandbits(k)

    @property
    def gauss_next(self) -> float | None:
        """Half of `gauss`'s last pair, kept for the next call: part of the stream it came from."""
        lane = running.lane
        return self._gauss_next if lane is None else getattr(lane.chance, "gauss_next")  # noqa: B009

    @gauss_next.setter
    def gauss_next(self, value: float | None) -> None:
        lane = running.lane
        if lane is None:
            self._gauss_next = value
        else:
            setattr(lane.chance, "gauss_next", value)  # noqa: B010 - typeshed doesn't know it

    def seed(self, a: Any = None, version: int = 2) -> None:
        lane = running.lane
        if lane is None:
            super().seed(a, version)
        else:
            lane.chance.seed(a, version)

    def getstate(self) -> tuple[Any, ...]:
        lane = running.lane
        return super().getstate() if lane is None else lane.chance.getstate()

    def setstate(self, state: tuple[Any, ...]) -> None:
        lane = running.lane
        if lane is None:
            super().setstate(state)
        else:
            lane.chance.setstate(state)


_program = LaneRandom()


def install() -> None:
    """Bind the module's functions to the process's generator, before the program binds them."""
    module: Any = random
    before = module._inst
    if isinstance(before, LaneRandom):
        return
    random.Random.setstate(_program, before.getstate())
    names: dict[str, Any] = module.__dict__
    for name, value in list(names.items()):
        if getattr(value, "__self__", None) is before:
            names[name] = getattr(_program, name)
    module._inst = _program


def new_seed() -> bytes:
    """A seed for a session, drawn from the process's stream: a program that was seeded stays reproducible."""
    return random.Random.getrandbits(_program, 128).to_bytes(16, "big")


def reseed() -> None:
    """In a forked child: the process's generator begins anew, as the interpreter's own does after a fork."""
    random.Random.seed(_program)
