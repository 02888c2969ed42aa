"""The module-level functions of `random`: one seeded stream for the program, another for what runs inside crossings.

A tool's body and an SDK's retry jitter draw numbers too, and don't run at replay; were they to draw from the program's
stream, the program would see other numbers then. So they get a generator of their own. The numbers are those that the
standard generator gives for the recorded seed.
"""

from __future__ import annotations

import random
from typing import Any

from replay.boundary.lanes import running

_inside = random.Random()


class LaneRandom(random.Random):
    """`random.Random`, except that draws without a lane come from elsewhere."""

    def random(self) -> float:
        return super().random() if running.lane is not None else _inside.random()

    def getrandbits(self, k: int, /) -> int:
        return super().getrandbits(k) if running.lane is not None else _inside.getrandbits(k)


_program = LaneRandom()


def install() -> None:
    """Bind the module's functions to the program's generator, before the program binds them."""
    module: Any = random
    before = module._inst
    if isinstance(before, LaneRandom):
        return
    for name, value in list(vars(module).items()):
        if getattr(value, "__self__", None) is before:
            setattr(module, name, getattr(_program, name))
    module._inst = _program


def seed(value: bytes) -> None:
    """Begin the program's stream anew."""
    _program.seed(value)
