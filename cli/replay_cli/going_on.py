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


def gone_on(
    result: Run, how: Literal["stop", "continue", "live"], cmd: Sequence[str], output: str | None = None
) -> GoneOn:
    """Executes the program once more, as recorded up to the first request that differed, and on from there.

    Args:
        output: the new recording; without it one beside the old one. Where nothing differed it is of the same again.

    Raises:
        NotForkable: such recordings can't be forked.
    """
    if output is not None and result.divergence is None and not result.drift:
        return _recorded_again(result, cmd, output)
    if how == "stop":
        said = f"replay: {output} isn't written, since it diverged: --on-divergence continue|live goes on behind it"
        return GoneOn({} if output is None else {"continued": None}, [] if output is None else [said])
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
    found = executed(plan, output or free(path), cmd)
    more = {"parent": path, "at": at, "edits": [*plan.edits], "then": then}
    return GoneOn({"continued": {**found.to_json(), **more}}, lines(found, plan, event))


def _recorded_again(result: Run, cmd: Sequence[str], output: str) -> GoneOn:
    """A fork in which nothing is otherwise: a recording by itself of what was executed."""
    path = os.path.abspath(result.cassette)
    found = executed(Plan(path, edits=["executed again"]), output, cmd, discard=True)
    how = f": {found.reason}" if found.status != "ended" else f": {found.cassette}" if found.cassette else ""
    said = f"replay: recorded again{how}" if found.status == "ended" else f"replay: {output} isn't written{how}"
    return GoneOn({"continued": {**found.to_json(), "parent": path, "at": None, "then": RECORDED}}, [said])
