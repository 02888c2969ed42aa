"""Replaying a recording: `run` prepares a process, waits for it, and says what came of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from replay.bootstrap import Spec
from replay.launch import scratch as scratches
from replay.launch.origin import Beginning, check_whole
from replay.launch.result import Run, judge, read_verdict
from replay.launch.starting import Start, alone
from replay.limits import Limits
from replay.model.errors import InsideNotRecorded, NotReplayable
from replay.model.inside import INSIDE
from replay.model.verdict import Divergence
from replay.process import Output

if TYPE_CHECKING:
    from replay.cassette.reader import Reader
    from replay.model.event import Event

_OLDER = "an older agent-replay recorded it; its tools can be answered, but not run"
_TRACE = "values.trace"


def run(
    cassette: str | os.PathLike[str],
    *,
    command: Sequence[str] | None = None,
    match: Literal["strict", "lenient"] = "strict",
    until: int | None = None,
    output: Output = "capture",
    cwd: str | None = None,
    allow: Sequence[str] = (),
    trace: str | None = None,
    run_tools: bool | None = None,
    again: Callable[[Run], None] | None = None,
    modules: Sequence[str] = (),
    contents: Mapping[int, str] | None = None,
    start: Start | None = None,
    remove: Callable[[str], None] = scratches.remove,
    pdb: int | None = None,
    debugpy: tuple[str, int] | None = None,
) -> Run:
    """Re-execute what a cassette recorded: offline, without side effects, in a process of its own.

    Args:
        cassette: a path, an id prefix, or `latest`.
        command: another command instead of the recorded one.
        match: `lenient` answers a differing request at the same place, and counts it as drift.
        until: stop before that event.
        output: what becomes of the program's output.
        cwd: where to run it; by default here if there is a `command`, else where it was recorded, if that exists.
        allow: holes in the sandbox, such as `connect:127.0.0.1:8080` or `write:/var/log/agent`
            (`replay.runtime.holes`); each use of one is in `Run.holes`.
        trace: a file for the values of the program's lines (`replay.runtime.trace`).
        run_tools: False: tools give their recorded answers. True: their bodies are run again, inside the sandbox, and
            what they ask of the world is answered. None: answers, and where these don't lead to the same execution,
            once more with bodies: tools may change what the program holds in memory. `Run.tools` says which it was.
        again: told of the first attempt before the second one begins.
        modules: folders in which the program's modules are looked for first.
        contents: files whose contents the program reads instead of the recorded ones, by the events that opened those.
        pdb: stop in the debugger at that event, and where it differs; it listens to our standard input. The first
            attempt is the only one.
        debugpy: (host, port) at which the process waits for an editor's debugger instead; `pdb` is where it stops.
        start: how its process begins; for itself, without limits, by default (`replay.launch.starting`).
        remove: how its scratch directory goes away in the end; at once, by default (`replay.launch.scratch`).

    Raises:
        CassetteMissing and the other errors of reading; NotReplayable: there is nothing to run here.
        InsideNotRecorded: `run_tools` of an older recording.

    Example:
        run = replay.run("incident.cassette")
        assert run.identical, run.divergence
    """
    from replay.cassette.directory import resolve
    from replay.cassette.family import header_at

    found = resolve(cassette)
    if ":/" in os.fspath(found) and not found.exists():
        fetch = import_module("replay.cassette.remote").fetched
        with fetch(os.fspath(found)) as (url, copy):
            return replace(
                run(
                    copy, command=command, match=match, until=until, output=output, cwd=cwd, allow=allow, trace=trace,
                    run_tools=run_tools, again=again, modules=modules, contents=contents, start=start,
                    remove=remove, pdb=pdb, debugpy=debugpy,
                ),
                cassette=url,
            )  # fmt: skip
    path = os.path.abspath(found)

    def attempt(bodies: bool) -> Run:
        return _attempt(
            path, command, match, until, output, cwd, allow, trace, bodies, modules, contents or {},
            start or alone(Limits()), remove, pdb, debugpy,
        )  # fmt: skip

    has_bodies = INSIDE in (header_at(path) or {}).get("flags", ())
    if run_tools and not has_bodies:
        raise InsideNotRecorded(f"{path} doesn't say what happened inside its tools", hint=_OLDER)
    first = attempt(bool(run_tools))
    settled = run_tools is not None or pdb is not None or debugpy is not None
    if settled or not has_bodies or not first.answered or not first.differs:
        return first
    if again is not None:
        again(first)
    try:
        second = attempt(True)
    except NotReplayable:  # it died before its verdict
        return first
    return first if second.differs else replace(second, by_answers=_how_it_differed(first))


def _crossing(reader: Reader, event: int) -> int:
    """That event, or the next one that isn't only a read of clock, chance or environment: there it can be stopped."""
    later = (number for number in range(max(event, 0), len(reader)) if stops_at(reader.event(number)))
    return event if event < 0 else next(later, event)


def stops_at(event: Event) -> bool:
    """Whether a debugger can stop at that event: it isn't only a read of clock, chance or environment."""
    return event.effect != "draw" and event.kind != "env"


def _how_it_differed(first: Run) -> Divergence:
    return first.divergence or Divergence(None, first.gap or "it tried to get out", None, None)


def _attempt(
    path: str,
    command: Sequence[str] | None,
    match: str,
    until: int | None,
    output: Output,
    cwd: str | None,
    allow: Sequence[str],
    trace: str | None,
    bodies: bool,
    modules: Sequence[str],
    contents: Mapping[int, str],
    start: Start,
    remove: Callable[[str], None],
    pdb: int | None,
    debugpy: tuple[str, int] | None,
) -> Run:
    from replay.cassette.reader import Reader
    from replay.model.verdict import Verdict
    from replay.runtime.attempts import Log
    from replay.runtime.holes import Holes, addresses
    from replay.runtime.walls.supervisor import Supervisor
    from replay.runtime.walls.told import Told

    with Reader.open(path) as reader:
        check_whole(reader, path)
        recorded = reader.outcome
        blind = len(reader.blind_spots)
        total = len(reader)
        at = None if pdb is None else _crossing(reader, pdb)
    beginning = Beginning.of(path)
    argv, directory = beginning.start(command, cwd)
    holes = Holes(allow, addresses)
    scratch = tempfile.mkdtemp(prefix="replay-")
    try:
        verdict_path = os.path.join(scratch, "verdict.json")
        environ, restore = beginning.environment()
        if modules:
            ours, *rest = environ["PYTHONPATH"].split(os.pathsep)
            environ["PYTHONPATH"] = os.pathsep.join([ours, *modules, *rest])
        spec: Spec = {
            "mode": "replay",
            "cassette": beginning.path,
            "descend": list(beginning.way),
            "environ": restore,
            "scratch": scratch,
            "verdict": verdict_path,
            "part": beginning.is_part,
            "lenient": match == "lenient",
            "until": until,
            "pdb": at,
            "debugpy": debugpy,
            "bodies": bodies,
            "contents": {str(event): file for event, file in contents.items()},
            "allow": list(allow),
            "trace": None if trace is None else os.path.join(scratch, _TRACE),
        }
        with Supervisor(scratch, holes) as supervisor:
            spec["channel"] = supervisor.channel
            _, code, out, err = start(argv, {**environ, "TMPDIR": scratch}, spec, output, directory)
        verdict = read_verdict(verdict_path)
        if trace is not None:
            with suppress(OSError):
                shutil.copyfile(os.path.join(scratch, _TRACE), trace)
        told = Told(Log(scratch), supervisor.noted, () if verdict is None else verdict["escapes"])
    finally:
        remove(scratch)
    if verdict is None and told.escapes:
        verdict = {**Verdict().to_json(), "result": None, "before": False}  # it was ended after it had tried to get out
    if verdict is None:
        how = f"was ended by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
        raise NotReplayable(f"the replayed program {how} before it could say what it saw")
    found = judge(path, verdict, told, code, recorded, blind, total, out, err)
    return replace(found, tools="run" if bodies else "answered", command=tuple(argv), directory=directory)
