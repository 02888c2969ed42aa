"""`replay run --on-divergence continue`: what the program does behind the difference, in a fork from before it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from replay.cassette.cassette import load
from replay.fork.plan import LIVE, RECORDED, Plan
from replay.fork.point import before
from replay.launch import Run
from replay_cli.forking import asks, executed, free, lines


class GoneOn(NamedTuple):
    """What came of it. `document`: for `--json`, `continued`: as `replay fork --json`, or null. `lines`: for people."""

    document: dict[str, Any]
    lines: list[str]


def gone_on(result: Run, how: Literal["stop", "continue", "live"], cmd: Sequence[str]) -> GoneOn:
    """Executes the program once more, as recorded up to the first request that differed, and on from there.

    Raises:
        NotForkable: such recordings can't be forked.
    """
    if how == "stop":
        return GoneOn({}, [])
    if result.divergence is None:
        return GoneOn({"continued": None}, [])
    first = min((drift.event for drift in result.drift), default=result.divergence.event)
    path, then = os.path.abspath(result.cassette), LIVE if how == "live" else RECORDED
    with load(path) as cassette:
        at = before(cassette.reader, first)
        if at is None:
            said = "replay: nothing was answered before the divergence: there is nothing to go on from"
            return GoneOn({"continued": None}, [said])
        event = cassette.events[at]
    plan = Plan(path, at=at, then=then, ask=asks(then), edits=["another program"])
    found = executed(plan, free(path), cmd)
    more = {"parent": path, "at": at, "edits": [*plan.edits], "then": then}
    return GoneOn({"continued": {**found.to_json(), **more}}, lines(found, plan, event))
