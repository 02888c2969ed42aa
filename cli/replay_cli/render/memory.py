"""Memories and their histories, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replay.forensics.memory import Entry, History, named
from replay_cli.render import plain
from replay_cli.render.brief import brief
from replay_cli.render.lines import print_lines
from replay_cli.render.text import one_line, plural

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = 40
"""Keys that are shown without --key and --verbose: those that were written, then those that reached a model."""

Stores = Mapping[str, Mapping[Any, Any]]


def held_document(path: str, at: int, held: Stores) -> dict[str, Any]:
    """As `replay memory --at EVENT --json` prints it."""
    return {"cassette": path, "at": at, "stores": {store: _held(content) for store, content in held.items()}}


def document(found: History, key: str | None) -> dict[str, Any]:
    """As `replay memory --json` prints it."""
    return {
        "cassettes": found.sessions,
        "stores": {
            store: {"before": _held(found.before.get(store, {})), "after": _held(found.after.get(store, {}))}
            for store in [*found.after, *(each for each in found.before if each not in found.after)]
        },
        "keys": [
            {"store": store, "key": name, "history": [_entry(each) for each in found.of(store, name)]}
            for store, name in _wanted(found, key)
        ],
    }


def _held(content: Mapping[Any, Any]) -> dict[str, Any]:
    return {named(key): plain.value(value) for key, value in content.items()}


def _wanted(found: History, key: str | None) -> list[tuple[str, str]]:
    return [(s, k) for s, k in found.places() if key is None or key in (k, f"{s}:{k}")]


def _entry(each: Entry) -> dict[str, Any]:
    write = {
        "old": plain.value(each.old),
        "decided_by": each.decided_by.to_json(),
        "out_of": [{"event": one.event, "kind": one.kind, "name": one.name} for one in each.out_of],
    }
    wrote = each.written_by
    read = {
        "written_by": None if wrote is None else {"cassette": wrote[0], "event": wrote[1]},
        "foreign": each.foreign,
        "reached": each.reached,
    }
    return {
        "cassette": each.session,
        "event": each.event,
        "op": each.op,
        "effect": each.effect,
        "at": each.at / 1e6,
        "new" if each.effect == "write" else "value": plain.value(each.new),
        **(write if each.effect == "write" else read),
    }


def show_held(console: Console, at: int, held: Stores) -> None:
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
    keys = _wanted(found, key)
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
