"""What was found about memories and effects, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from replay.forensics.text import named
from replay.queries import plain

if TYPE_CHECKING:
    from replay.forensics.effects import Effects
    from replay.forensics.memory import Entry, History
    from replay.queries.related import Related

Stores = Mapping[str, Mapping[Any, Any]]


def held(path: str, at: int, stores: Stores) -> dict[str, Any]:
    """As `replay memory --at EVENT --json` prints it."""
    return {"cassette": path, "at": at, "stores": {store: _held(content) for store, content in stores.items()}}


def memory(found: History, key: str | None) -> dict[str, Any]:
    """As `replay memory --json` prints it."""
    return {
        "cassettes": found.sessions,
        "stores": {
            store: {"before": _held(found.before.get(store, {})), "after": _held(found.after.get(store, {}))}
            for store in [*found.after, *(each for each in found.before if each not in found.after)]
        },
        "keys": [
            {"store": store, "key": name, "history": [_entry(each) for each in found.of(store, name)]}
            for store, name in wanted(found, key)
        ],
    }


def _held(content: Mapping[Any, Any]) -> dict[str, Any]:
    return {named(key): plain.value(value) for key, value in content.items()}


def wanted(found: History, key: str | None) -> list[tuple[str, str]]:
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


def effects(path: str, found: Effects, caused: Sequence[Related], spots: int) -> dict[str, Any]:
    """As `replay effects --json` prints it."""
    behind = by_effect(found, caused)
    return {
        "cassette": path,
        "effects": [
            {
                "event": each.event,
                "kind": each.kind,
                "what": each.what,
                "arguments": plain.value(each.arguments),
                "outcome": each.outcome,
                "error": each.error,
                "times": each.times,
                "inside": each.inside,
                "decided_by": each.decided_by.to_json(),
                "reversible": each.reversible,
                "triggered": [_caused(one) for one in behind.get(each.event, ())],
                "agent": each.agent,
                "owner": each.owner,
                "site": each.site,
                "at": each.at / 1e6,
                "guessed": each.guessed,
            }
            for each in found.all
        ],
        "triggered": [_caused(one) for one in behind.get(None, ())],
        "blind_spots": spots,
    }


def by_effect(found: Effects, caused: Sequence[Related]) -> dict[int | None, list[Related]]:
    """Effect -> what it set off; None: what no single one did."""
    behind: dict[int | None, list[Related]] = {}
    for one in caused:
        behind.setdefault(None if one.event is None else found.behind(one.event), []).append(one)
    return behind


def _caused(one: Related) -> dict[str, Any]:
    return {"path": one.path, "id": one.id, "how": one.how, "event": one.event}
