"""What commands that fork have in common: whether somebody can be asked, the execution, and what is said of it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from replay.cassette.cassette import load
from replay.cassette.directory import SUFFIX
from replay.fork.engine import execute
from replay.fork.plan import LIVE, RECORDED, Forked, Plan
from replay.model.event import Event
from replay.process import Output
from replay_cli import options
from replay_cli.render.text import one_line, plural


def asks(then: str) -> bool:
    """Whether somebody can approve effects, one by one."""
    return then == LIVE and sys.stdin.isatty() and sys.stderr.isatty() and not options.current().json


def executed(plan: Plan, new: str, cmd: Sequence[str], *, discard: bool = False) -> Forked:
    """The fork, its program's output where it belongs, or nowhere."""
    chosen = options.current()
    output: Output = "discard" if chosen.quiet or discard else "stderr" if chosen.json else "inherit"
    return execute(plan, new, command=cmd or None, output=output, approve=_approve if plan.ask else None)


def free(path: str) -> str:
    """A name beside the parent's that nothing has yet."""
    stem = path.removesuffix(SUFFIX)
    number = 1
    while os.path.exists(f"{stem}.fork-{number}{SUFFIX}"):
        number += 1
    return f"{stem}.fork-{number}{SUFFIX}"


def _approve(call: Mapping[str, Any]) -> bool:
    """Ask on the terminal."""
    body = call["body"]
    said = "" if not body else " " + body[:2000].decode(errors="replace")
    click.echo(one_line(f"replay: the fork wants to change the world: {call['kind']} {call['name']}{said}"), err=True)
    return click.confirm("replay: let it out?", default=False, err=True)


def lines(found: Forked, plan: Plan, event: Event) -> list[str]:
    """For people: what was done, how it ended, and what came of it."""
    changed = f": {', '.join(plan.edits)}" if plan.edits else ""
    parent = os.path.relpath(plan.base)
    said = [f"replay: forked {parent} at event {event.id}, {event.kind} {event.name}{changed}"]
    new = None if found.cassette is None else os.path.relpath(found.cassette)
    if found.status == "ended":
        said.append(f"replay: the program ended with exit code {found.exit_code}")
    else:
        at = "" if found.event is None or new is None else f" at its event {found.event}"
        said.append(f"replay: {found.status}{at}: {found.reason}")
    if found.status == "unresolved" and plan.then == RECORDED:
        said.append("replay: --then live asks the model itself; --then PROGRAM asks a program of yours")
    if new is not None:
        with load(found.cassette or "") as made:
            count = plural(len(made.events), "event")
        diff = f"replay diff {shlex.quote(parent)} {shlex.quote(new)}"
        said.append(f"replay: {new}: {count}; what the change did: {diff}")
    return said
