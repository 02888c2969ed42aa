"""Writes to the world, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from replay.forensics.deciders import Decision
from replay.forensics.effects import Effect, Effects
from replay.queries import documents
from replay.queries.related import Related
from replay.queries.words.brief import arguments, brief
from replay_cli.render.lines import print_lines
from replay_cli.render.text import one_line, plural

if TYPE_CHECKING:
    from rich.console import Console

_REVERSIBLE = {True: "reversible", False: "irreversible", None: "nobody says whether it can be undone"}


def show(console: Console, found: Effects, caused: Sequence[Related], spots: int, *, verbose: bool) -> None:
    """One line each, and below it what decided it; what happened inside another is indented."""
    known = {each.event for each in found.all}
    behind = documents.by_effect(found, caused)
    lines: list[tuple[str, str]] = [] if found.all else [("no writes to the world", "")]
    for each in found.all:
        inner, own = each.inside in known, behind.get(each.event, [])
        if inner and not verbose and each.kind != "sql" and not own:
            continue
        pad = "  " if inner else ""
        lines.append((f"{each.event:>5}  {pad}{each.kind:<7} {_what(each)}", "" if inner else "bold"))
        lines += [] if inner else [(f"         {_about(each)}", "dim")]
        lines += [(f"         {pad}set off {one_line(one.path)} ({one_line(one.how)})", "") for one in own]
    for one in behind.get(None, []):
        where = "" if one.event is None else f" at event {one.event}"
        lines.append((f"set off{where}: {one_line(one.path)} ({one_line(one.how)})", ""))
    hidden = sum(each.inside in known for each in found.all)
    if hidden and not verbose:
        lines.append((f"{plural(hidden, 'write')} happened inside these (--verbose shows them)", ""))
    if spots:
        lines.append((f"{plural(spots, 'blind spot')}: what no seam saw may have written, too (`replay show`)", ""))
    print_lines(console, lines)


def _what(each: Effect) -> str:
    given = each.arguments
    said = f"{each.what}({arguments(given)})" if each.kind in ("tool", "mcp") else each.what
    if each.kind in ("http", "sql", "memory", "message") and given:
        said += f" {brief(given, 80)}"
    ended = "" if each.outcome == "done" else f" · {each.outcome}" + (f": {each.error}" if each.error else "")
    return one_line(said + (f" · {each.times} times" if each.times > 1 else "") + ended, 300)


def _about(each: Effect) -> str:
    said = [_decided(each.decided_by), _REVERSIBLE[each.reversible]]
    if each.guessed:
        said.append("that it writes is guessed from its name")
    who = [f"{name} {one_line(value)}" for name, value in (("agent", each.agent), ("owner", each.owner)) if value]
    return " · ".join([*said, *who, *([f"at {one_line(each.site)}"] if each.site else [])])


def _decided(decision: Decision) -> str:
    if decision.event is None:
        return "decided by the program's code"
    how = {
        "call id": "by the call's id",
        "arguments": "the same arguments",
        "name": "other arguments than it asked for",
        "values": "inferred: all values of a tool call are in it",
        "inside": "inside a tool that it asked for",
    }[decision.how]
    again = ", done again without having been asked again" if decision.again else ""
    return f"decided by the model's call {decision.event} ({how}{again})"
