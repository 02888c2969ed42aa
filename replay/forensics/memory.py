"""The history of memories, over one recording or several: who wrote what, out of what, which decision it reached. Pure.

    found = histories([Session("17.cassette", header, events), Session("18.cassette", header, events)])
    for entry in found.of("notes", "policy"): print(entry.session, entry.event, entry.old, entry.new, entry.reached)

Recorded is who read and wrote which key, when, and what decided a write (`deciders`). Inferred is the rest: a written
value came *out of* earlier outcomes that have its text, or seven words of it in a row; a value that was read *reached*
the first model's call after it whose window has its text. Values too short to tell are said to come from nowhere.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from replay.forensics.deciders import CODE, Deciders, Decision, called
from replay.forensics.text import named
from replay.matching.redacted import fits
from replay.model.event import Event
from replay.semantics.checkpoints import Checkpoints
from replay.semantics.inside import Tools
from replay.semantics.links import Answers
from replay.semantics.memory import Access, accesses, stores

_TRIES: Final = 8
"""Calls of models after a read in whose windows its value is looked for."""

_LOOKED: Final = 60
"""Outcomes before a write in which its value is looked for."""

_TELLING: Final = 8
"""Characters of a text that are no coincidence."""

_IN_A_ROW: Final = 7
"""Words of a text that are no coincidence."""

_TESTED: Final = 20

_GONE: Final = frozenset({"delitem", "pop", "delete", "remove", "del", "unlink", "getdel"})
_KEYED: Final = frozenset({"get", "getitem", "hgetall", "lrange", "smembers"})


@dataclass(frozen=True, slots=True)
class Session:
    """One recording: what it is called, its header, its events in order."""

    name: str
    header: Mapping[str, Any]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class From:
    """An outcome that had a value before it was written. `event` is of the same session."""

    event: int
    kind: str
    name: str


@dataclass(slots=True)
class Entry:
    """One read or write of a key.

    Attributes:
        session: position of the recording. event, op, at: what and when there.
        old, new: of a write: what was there as far as is known, what is then. Of a read `new` is what was read.
        decided_by: of a write. out_of: of a write: outcomes that had its text before.
        written_by: of a read: (session, event) of the last write that was recorded; None: before all recordings.
        foreign: a read that gave something else than was written last: somebody wrote it who wasn't recorded.
        reached: of a read: the model's call whose window has the value first.
    """

    session: int
    event: int
    store: str
    key: Any
    op: str
    effect: Literal["read", "write"]
    at: int
    old: Any = None
    new: Any = None
    decided_by: Decision = CODE
    out_of: list[From] = field(default_factory=list[From])
    written_by: tuple[int, int] | None = None
    foreign: bool = False
    reached: int | None = None


@dataclass(frozen=True)
class History:
    """Of several recordings, in the order in which they began.

    Attributes:
        sessions: their names, in that order. entries: all accesses.
        before, after: what each store held: store -> key -> value; before: as far as something read it.
    """

    sessions: list[str]
    entries: list[Entry]
    before: dict[str, dict[Any, Any]]
    after: dict[str, dict[Any, Any]]

    def places(self) -> list[tuple[str, Any]]:
        """Each (store, key) once, in the order of its first access; without whole stores (iteration, `keys`)."""
        return list(dict.fromkeys((e.store, named(e.key)) for e in self.entries if e.key is not None))

    def of(self, store: str, key: str) -> list[Entry]:
        """The accesses of one key."""
        return self._by_place.get((store, key), [])

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], list[Entry]]:
        found: dict[tuple[str, str], list[Entry]] = {}
        for each in self.entries:
            found.setdefault((each.store, named(each.key)), []).append(each)
        return found


def histories(sessions: Sequence[Session]) -> History:
    """All reads and writes of them, in order of time."""
    order = sorted(sessions, key=lambda each: str(each.header.get("created")))
    found = History([each.name for each in order], [], {}, {})
    last: dict[tuple[str, str], tuple[Any, tuple[int, int] | None]] = {}
    for number, session in enumerate(order):
        for entry in _entries(number, session.events):
            place = entry.store, named(entry.key)
            known, writer = last.get(place, (None, None))
            if entry.effect == "read":
                entry.written_by = writer
                if entry.op in _KEYED and entry.key is not None:
                    entry.foreign = place in last and not _alike(known, entry.new)
                    if place not in last and entry.new is not None:
                        found.before.setdefault(entry.store, {})[entry.key] = entry.new
                    last[place] = entry.new, None if entry.foreign else writer
            else:
                entry.old = known
                entry.new = None if entry.op in _GONE else entry.new
                last[place] = entry.new, (number, entry.event)
            found.entries.append(entry)
        for store, held in stores(session.events).items():
            found.after.setdefault(store, {}).update(held)
            for gone in [key for key in found.after[store] if last.get((store, named(key)), (0,))[0] is None]:
                del found.after[store][gone]
    for store, held in found.before.items():
        written = {named(e.key) for e in found.entries if e.effect == "write" and e.store == store}
        after = found.after.setdefault(store, {})
        after.update({key: value for key, value in held.items() if named(key) not in written and key not in after})
    return found


def _entries(session: int, events: Iterable[Event]) -> Iterator[Entry]:
    """Of one recording; what they reached is known when all have been read."""
    answers, tools, deciders, savers = Answers(), Tools(), Deciders(), dict[str, Checkpoints]()
    outcomes: deque[tuple[From, str]] = deque(maxlen=_LOOKED)
    waiting: list[tuple[Entry, tuple[bytes, ...], int]] = []
    found: list[Entry] = []
    for event in events:
        inside = tools.holding(event)
        if event.kind in ("http", "grpc", "llm"):
            asks = answers.asks(event)
            if asks is not None:
                deciders.asked(event, asks)
                waiting = list(_reach(waiting, event))
                continue
        decision = deciders.tool(event, inside) if called(event) is not None else None
        for access in _accesses(event, savers):
            entry = _entry(session, event, access)
            if access.effect == "write":
                entry.decided_by = decision or deciders.of(event, inside)
                entry.out_of = list(_sources(access.value, outcomes))
            elif needles := _needles(access.value):
                waiting.append((entry, needles, _TRIES))
            found.append(entry)
        if event.kind in ("tool", "mcp", "http", "grpc", "entry") or (event.kind, event.effect) == ("memory", "read"):
            outcomes.append((From(event.id, event.kind, event.name), _text(event)))
    yield from found


def _accesses(event: Event, savers: dict[str, Checkpoints]) -> Iterator[Access]:
    """Of one event: checkpoints need those before it."""
    if event.kind == "memory":
        yield from accesses((event,), savers)


def _entry(session: int, event: Event, access: Access) -> Entry:
    return Entry(
        session, event.id, access.store, access.key, access.op, access.effect, event.at, new=access.value
    )  # fmt: skip


def _reach(
    waiting: list[tuple[Entry, tuple[bytes, ...], int]], event: Event
) -> Iterator[tuple[Entry, tuple[bytes, ...], int]]:
    """Those whose value isn't in that window, for another try."""
    body = event.body or b""
    for entry, needles, tries in waiting:
        if any(needle in body for needle in needles):
            entry.reached = event.id
        elif tries > 1:
            yield entry, needles, tries - 1


def _sources(value: Any, outcomes: deque[tuple[From, str]]) -> Iterator[From]:
    said = texts(value)
    said += [run for each in said for run in _runs(each)]
    hits = {number for each in said for number, (_, text) in enumerate(outcomes) if each in text}
    return (came for number, (came, _) in enumerate(outcomes) if number in hits)


def _runs(text: str) -> list[str]:
    """Words in a row that are no coincidence: who notes something puts it in words of his own at its ends."""
    words = text.split()
    return [" ".join(words[n : n + _IN_A_ROW]) for n in range(len(words) - _IN_A_ROW + 1)][:_TESTED]


def texts(value: Any) -> list[str]:
    """The texts in a value that are long enough to be found again; of long ones their lines."""
    found: list[str] = []
    waiting = [value]
    while waiting and len(found) < 20:
        item = waiting.pop(0)
        if isinstance(item, bytes):
            item = item.decode("utf-8", "replace")
        if isinstance(item, str):
            inner = _loaded(item)
            if inner is not None:
                waiting.append(inner)
            else:
                found += [item.strip(), *(line.strip() for line in item.splitlines() if len(line.strip()) >= 30)]
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, (list, tuple)):
            waiting += item
    return list(dict.fromkeys(each for each in found if len(each) >= _TELLING))


def _loaded(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _needles(value: Any) -> tuple[bytes, ...]:
    """The texts as JSON has them, with other characters escaped or as they are."""
    said = texts(value)
    both = (json.dumps(each, ensure_ascii=ascii_)[1:-1] for each in said for ascii_ in (True, False))
    return tuple(dict.fromkeys(each.encode("utf-8", "surrogatepass") for each in both))


def _text(event: Event) -> str:
    response = event.response
    body = response.get("body") if isinstance(response, Mapping) else None
    parts = [body if isinstance(body, bytes) else response, event.content]
    parts += [piece.value for piece in event.pieces if piece.status == "piece"]
    return "\n".join(part if isinstance(part, str) else _plain(part) for part in parts if part is not None)


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def _alike(one: Any, other: Any) -> bool:
    """What was replaced in one recording has another stand-in in the next one."""
    return bool(one == other) or fits(_plain(one), _plain(other))
