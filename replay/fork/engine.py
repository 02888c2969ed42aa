"""Executing a plan: prepares a process that is a fork, answers what it asks, and keeps what it recorded."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from replay import process
from replay.bootstrap import Spec
from replay.cassette.finishing import finish
from replay.cassette.reader import Reader
from replay.fork import models
from replay.fork.launcher import Desk, Question
from replay.fork.plan import LIVE, Forked, Plan, Status
from replay.launch.origin import Beginning
from replay.launch.result import read_verdict
from replay.launch.scratch import remove
from replay.model.errors import CassetteExists, NotForkable
from replay.player.stopped import STOPPED
from replay.process import Output
from replay.runtime.holes import Holes, addresses
from replay.runtime.walls.supervisor import Supervisor

Approve = Callable[[Mapping[str, Any]], bool]
"""Asked whether a live effect may be performed: `kind`, `name`, `request`, `body`."""


def execute(
    plan: Plan,
    out: str | os.PathLike[str],
    *,
    command: Sequence[str] | None = None,
    cwd: str | None = None,
    output: Output = "capture",
    approve: Approve | None = None,
) -> Forked:
    """Execute a recording again with what the plan changes, into a new recording.

    The new cassette is whole and its own: `replay run` replays it. Files that the program writes are written in memory
    of the fork alone, and nothing else is reached, unless `plan.then` is live.

    Args:
        out: the new cassette. command, cwd, output: as for `replay.run`.
        approve: decides about live effects where `plan.ask`.

    Raises:
        CassetteExists: there is something at `out`. NotForkable: `plan.base` isn't a whole program's recording, or it
            has no such event. CassetteMissing and the other errors of reading; NotReplayable.

    Example:
        >>> plan = Plan("bad.cassette", at=12, substitutes={12: Substitute("value", {"total": 3})})
        >>> execute(plan, "what-if.cassette").status
        'ended'
    """
    out = os.path.abspath(out)
    if os.path.exists(out):
        raise CassetteExists(f"{out} exists already", hint="a fork never overwrites; choose another -o")
    path = os.path.abspath(plan.base)
    beginning = Beginning.of(path)
    if beginning.way:
        raise NotForkable(f"{path} is a child's, and begins in its parent", hint=f"fork {beginning.path} instead")
    with ExitStack() as opened_here:
        reader, *others = (opened_here.enter_context(Reader.open(each)) for each in (path, *plan.further))
        _check(plan, reader, path)
        names = models.names([reader, *others])
    argv, directory = beginning.start(command, cwd)
    scratch = tempfile.mkdtemp(prefix="replay-")
    try:
        written = os.path.join(scratch, "plan")
        with open(written, "wb") as file:
            file.write(plan.to_bytes())
        made, told = os.path.join(scratch, "fork.cassette"), os.path.join(scratch, "verdict.json")
        environ, restore = beginning.environment()
        opened = _holes(plan)
        with Supervisor(scratch, Holes(opened, addresses)) as walls, Desk(partial(_answer, plan, approve)) as desk:
            wanted = {"plan": written, "cassette": made, "line": desk.descriptor, "models": names, "holes": opened}
            spec: Spec = {
                "mode": "fork",
                "cassette": beginning.path,
                "environ": restore,
                "scratch": scratch,
                "verdict": told,
                "bodies": True,
                "channel": walls.channel,
                "fork": wanted,
            }
            inherits = [desk.descriptor, *(() if walls.channel is None else (walls.channel,))]
            boot = {**environ, "REPLAY_BOOT": json.dumps(spec), "TMPDIR": scratch}
            _, code, said, wrote = process.start(argv, boot, output, directory, contained=True, inherits=inherits)
        found = read_verdict(told)
        status: Status = "cut" if found is None else found["status"]
        if status == "ended":
            finish(made, {"exit_code": code})
        if status != "diverged" and os.path.exists(made):
            os.makedirs(os.path.dirname(out), exist_ok=True)
            shutil.move(made, out)
    finally:
        remove(scratch)
    how = f"was ended by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
    reason = f"the program {how} before it could say why" if found is None else found["reason"]
    event = None if found is None else found["event"]
    kept = out if os.path.exists(out) else None
    return Forked(status, reason, kept, None if code == STOPPED else code, event, said, wrote)


def _check(plan: Plan, reader: Reader, path: str) -> None:
    header = reader.header
    if header["entry"]["type"] != "program":
        raise NotForkable(
            f"{path} is a recording of a {header['entry']['type']}, not of a program",
            hint="record the program with `replay record`, and fork that",
        )
    if header.get("threads") == "strict":
        raise NotForkable(f"{path} was recorded with --threads strict: its turns can't go on in another execution")
    if header.get("recipients"):
        raise NotForkable(f"{path} is encrypted, and a fork would write what is in it in clear")
    for event in (plan.at, *plan.substitutes):
        if event is not None and not 0 <= event < len(reader):
            raise NotForkable(f"{path} has no event {event}: they are numbered from 0 to {len(reader) - 1}")


def _holes(plan: Plan) -> list[str]:
    """What the kernel lets out: no more than the live calls need. Whether a call may be one, the door decides."""
    if plan.then != LIVE:
        return []
    return ["connect:*", *(("process:*", "signal:*", "native:*") if plan.allow_effects or plan.ask else ())]


def _answer(plan: Plan, approve: Approve | None, question: Question) -> Any:
    if question["ask"] == "approve":
        return approve is not None and approve(question)
    if question["ask"] == "http":
        return models.ask_live({**question, "body": plan.told(question["body"])})
    return models.ask_program(plan.then, {**question, "body": plan.told(question["body"])})
