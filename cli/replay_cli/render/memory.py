"""Memories and their histories, for people and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replay.forensics.memory import Entry, History
from replay.forensics.text import named
from replay.queries import documents
from replay.queries.words.brief import brief
from replay_cli.render.lines import print_lines
from replay_cli.render.text import one_line, plural

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 40
"""Keys that are shown without --key and --verbose: those that were written, then those that reached a model."""


def show_held(console: Console, at: int, held: documents.Stores) -> None:
    """Each key of each store."""
    lines = [(f"before event {at}:", "")]
    if not held:
        lines.append(("  no store is known by then", ""))
    for store, content in held.items():
        lines.append((f"{one_line(store)} · {plural(len(content), 'key')}", "bold"))
        lines += [(f"  {one_line(named(key))} = {one_line(brief(value))}", "") for key, value in content.items()]
    print_lines(console, lines)


def show(console: Console, found: History, key: str | None, *, verbose: bool) -> None:
    """What differs between before and after, then the history of each key."""
    several = len(found.sessions) > 1
    lines = [(f"[{number + 1}] {one_line(name)}", "") for number, name in enumerate(found.sessions) if several]
    keys = documents.wanted(found, key)
    if not keys:
        lines.append(
            ("no memory was read or written" if key is None else f"no key {one_line(key)} was read or written", "")
        )
    ranked = sorted(keys, key=lambda each: _rank(found.of(*each))) if key is None and len(keys) > _SHOWN else keys
    shown = ranked if verbose or key is not None else ranked[:_SHOWN]
    for store, name in shown:
        entries = found.of(store, name)
        lines.append((f"{one_line(store)} · {one_line(name)}", "bold"))
        lines += [(line, "") for each in entries for line in _lines(each, found.sessions, several=several)]
    if len(keys) > len(shown):
        lines.append(
            (f"… and {plural(len(keys) - len(shown), 'key')} more (--verbose shows them, --key one of them)", "")
        )
    print_lines(console, lines)


def _rank(entries: list[Entry]) -> int:
    return 0 if any(e.effect == "write" for e in entries) else 1 if any(e.reached is not None for e in entries) else 2


def _lines(each: Entry, sessions: list[str], *, several: bool) -> list[str]:
    where = f"  {f'[{each.session + 1}] ' if several else ''}{each.event:>5}  "
    if each.effect == "read":
        reached = "" if each.reached is None else f" → the window of the model's call {each.reached}"
        return [
            f"{where}read {one_line(brief(each.new, 120))}{reached}",
            f"{' ' * len(where)}{_writer(each, sessions, several=several)}",
        ]
    old = "" if each.old is None else f"{one_line(brief(each.old, 120))} → "
    lines = [f"{where}{one_line(each.op)} {old}{one_line(brief(each.new, 120))}"]
    decided = each.decided_by
    lines += [
        f"{' ' * len(where)}decided by "
        + ("the program's code" if decided.event is None else f"the model's call {decided.event} ({decided.how})")
    ]
    if each.out_of:
        came = ", ".join(
            f"event {one.event} ({one_line(one.kind)} {one_line(one.name, 60)})" for one in each.out_of[:4]
        )
        lines.append(f"{' ' * len(where)}its text was in {came}")
    return lines


def _writer(each: Entry, sessions: list[str], *, several: bool) -> str:
    if each.foreign:
        return "not what was written last: somebody wrote it who wasn't recorded"
    if each.written_by is None:
        return "it was there before" + (" these recordings" if several else " the recording")
    session, event = each.written_by
    return f"written at event {event}" + (
        f" of [{session + 1}] {one_line(Path(sessions[session]).name)}" if several else ""
    )
