"""A model's window, for people."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from replay.diff.window import Shift
from replay.forensics.context import Context, Origin, Row
from replay.queries.words.brief import brief
from replay_cli.render.lines import say
from replay_cli.render.text import block, one_line, plural

_WIDTH = 400


def show(console: Console, found: Context, *, diff: bool, verbose: bool) -> None:
    """The window, or with `diff` what changed in it."""
    call = found.call
    used = [f"{count} {what}" for count, what in ((call.usage.input, "in"), (call.usage.output, "out")) if count]
    counted = f" · {' + '.join(used)} tokens" if used else " · the provider counted no tokens"
    agent = f" · agent {one_line(found.agent)}" if found.agent else ""
    title = f"event {found.event} · {one_line(call.request_model or 'model')}{agent}"
    say(console, Text(f"{title} · {plural(len(found.rows), 'message')}{counted}", style="bold"))
    if diff:
        _changes(console, found, verbose=verbose)
        return
    if found.system:
        console.print(Text("system", style="bold"))
        say(console, Text(_said(found.system, verbose=verbose)))
    if call.tools:
        say(console, f"tools: {', '.join(one_line(tool.name) for tool in call.tools)}")
    for row in found.rows:
        say(console, Text(f"{row.number:>3} {one_line(row.role)} · {_from(row)}", style="bold"))
        say(console, Text(_said(row.text, verbose=verbose)))
    for warning in call.warnings:
        say(console, f"! {one_line(warning)}")


def _from(row: Row) -> str:
    return "; ".join([_origin(row.origin), *(f"in it {_origin(each)}" for each in row.parts)])


def _origin(origin: Origin) -> str:
    if origin.kind in ("code", "unknown"):
        said = {"code": "from the code: no recorded input has it", "unknown": "from before the events looked at"}
        return said[origin.kind]
    name = f" {one_line(origin.name)}" if origin.name and origin.name != origin.kind else ""
    where = "" if origin.event is None else f" of event {origin.event}"
    return f"from {origin.kind}{name}{where}"


def _said(text: str, *, verbose: bool) -> str:
    shown = block(text) if verbose else one_line(text, _WIDTH)
    return "\n".join(f"      {line}" for line in shown.split("\n"))


def _changes(console: Console, found: Context, *, verbose: bool) -> None:
    if found.previous is None:
        console.print("no earlier call of this agent" + ("" if found.whole else " among the events looked at"))
        return
    console.print(f"since event {found.previous}:" if found.changes or found.other else f"as at event {found.previous}")
    for name, (one, other) in found.other.items():
        say(console, Text(f"  {one_line(name)}: {one_line(brief(one))} → {one_line(brief(other))}"))
    for each in found.changes:
        say(console, Text(_shift(each, verbose=verbose)))


_WORD = {"injected": "entered", "dropped": "left"}


def _shift(each: Shift, *, verbose: bool) -> str:
    where = " → ".join(str(number) for number in (each.a, each.b) if number is not None)
    head = f"  {_WORD.get(each.what, each.what)} at {where}"
    width = None if verbose else _WIDTH // 2
    if each.what in ("injected", "moved"):
        return f"{head}: {one_line(each.after, width)}"
    if each.what == "dropped":
        return f"{head}: {one_line(each.before, width)}"
    return f"{head}:\n      - {one_line(each.before, width)}\n      + {one_line(each.after, width)}"
