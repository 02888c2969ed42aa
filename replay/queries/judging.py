"""What recordings tell: the window at a call, memories, effects, causes, differences, hypotheses; and the execution
again. The answers are what the commands of these names print as `--json`."""

from __future__ import annotations

from typing import Annotated, Any, Final

from replay.diff.compare import diff as compared
from replay.diff.pairs import Pair
from replay.forensics.context import context as window
from replay.forensics.effects import effects as written
from replay.forensics.memory import Session, histories
from replay.forensics.trail import Index, Trail
from replay.forensics.triage import triage as triaged
from replay.forensics.why import why as explained
from replay.launch.replaying import run as executed
from replay.launch.starting import alone
from replay.limits import Limits
from replay.model.errors import QueryInvalid, UsageError
from replay.queries import documents, plain
from replay.queries.answerable import answerable
from replay.queries.bounds import Page
from replay.queries.library import MOST, Library, Opened
from replay.queries.looking import Limit, Name, Number, Offset
from replay.queries.params import Say
from replay.queries.related import related
from replay.semantics.memory import stores

_SECONDS: Final = 300.0
"""Of a re-execution, after which it is ended."""


def context(
    library: Library,
    cassette: Name,
    event: Number,
    diff: Annotated[bool, Say("Also what changed in it since that agent's call before.")] = True,
    offset: Offset = 0,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The window of a model at a call: each message, with where it came from; what entered and left since the last."""
    opened = library.open(cassette)

    def make() -> dict[str, Any]:
        words = [str(word) for word in opened.cassette.header.get("argv") or ()]
        return plain.mapped(window(opened.cassette.events, event, words).to_json(diff=True))

    found = dict(opened.once(("context", event), make))
    if not diff:
        del found["changes"], found["other"]
    messages = found["messages"]
    return {"cassette": opened.name, **found, "messages": Page(messages.__getitem__, len(messages), offset, limit)}


def memory(
    library: Library,
    cassette: Name,
    at: Annotated[int | None, Say("Only what each store held before this event.", least=0)] = None,
    key: Annotated[str | None, Say("Only this key's history: `KEY` or `STORE:KEY`.")] = None,
    others: Annotated[tuple[str, ...], Say("More cassettes, through which the history goes, in order of time.")] = (),
    offset: Offset = 0,
    limit: Limit = 50,
) -> dict[str, Any]:
    """What stores held before and after; of each key who wrote it, out of what, and which decision it reached."""
    opened = [library.open(name) for name in (cassette, *others)]
    if len(opened) > MOST:
        raise QueryInvalid(f"{len(opened)} cassettes", hint=f"{MOST} at once, at most")
    one = opened[0]
    if at is not None:
        if at > len(one.cassette.events):
            raise UsageError(f"no event {at} in {one.name}; it has {len(one.cassette.events)}")
        held = one.once(("held", at), lambda: stores(one.cassette.events.light("memory", "file"), until=at))
        return documents.held(one.name, at, held)
    names = tuple(each.name for each in opened)

    def make() -> dict[str, Any]:
        sessions = [Session(each.name, each.cassette.header, each.cassette.events) for each in opened]
        return documents.memory(histories(sessions), None)

    found = one.once(("memory", names), make)
    keys = [each for each in found["keys"] if key is None or key in (each["key"], f"{each['store']}:{each['key']}")]
    return {**found, "keys": Page(keys.__getitem__, len(keys), offset, limit)}


def effects(library: Library, cassette: Name, offset: Offset = 0, limit: Limit = 100) -> dict[str, Any]:
    """Writes to the world, in order: what decided each, whether it can be undone, and what it set off."""
    opened = library.open(cassette)

    def make() -> dict[str, Any]:
        events = opened.cassette.events
        found = written(events.light(), events.__getitem__)
        caused = related(opened.cassette, found.asked, found.started)
        return documents.effects(opened.name, found, caused, len(opened.cassette.blind_spots))

    found = opened.once("effects", make)
    return {**found, "effects": Page(found["effects"].__getitem__, len(found["effects"]), offset, limit)}


def why(
    library: Library,
    cassette: Name,
    event: Number,
    value: Annotated[str | None, Say("Also through which earlier events this text came.")] = None,
) -> dict[str, Any]:
    """What accounts for a model's answer, or for a call of a tool: the causes, ranked, with the evidence of each."""
    opened = library.open(cassette)
    opened.event(event)
    events = opened.cassette.events

    def make() -> dict[str, Any]:
        return plain.mapped(explained(events, event, library.trust).to_json())

    found = {"cassette": opened.name, **opened.once(("why", event), make)}
    if value is None:
        return found
    index = opened.once("index", lambda: Index(events, len(events) - 1, library.trust))
    trail = Trail(index, event)
    said = opened.said
    came = [each.id for each in trail.carried(value, event)]
    needle = value.casefold()
    spoken = [n for n, each in said.items() if n < event and needle in f"{each.text}\n{each.calls}".casefold()]
    return {**found, "value": value, "came_through": sorted({*came, *spoken})}


def triage(library: Library, cassette: Name) -> dict[str, Any]:
    """Evidence for and against four things that may have gone wrong, the verdict, and who answers for it."""
    opened = library.open(cassette)

    def make() -> dict[str, Any]:
        owners = answerable(opened.cassette.header, library.owners)
        return plain.mapped(triaged(opened.cassette.events, owners, library.trust).to_json())

    return {"cassette": opened.name, **opened.once("triage", make)}


def diff(library: Library, a: Name, b: Name, offset: Offset = 0, limit: Limit = 50) -> dict[str, Any]:
    """What differs between two runs (the good one first), and which of it is a cause of the rest."""
    one, other = library.open(a), library.open(b)
    found = _compared(one, other)
    shown = one.once(("diff shown", other.path, id(found)), lambda: plain.mapped(found.to_json()))
    roots = shown["roots"]
    return {"a": one.name, "b": other.name, **shown, "roots": Page(roots.__getitem__, len(roots), offset, limit)}


def align(library: Library, a: Name, b: Name, offset: Offset = 0, limit: Limit = 10_000) -> dict[str, Any]:
    """Two runs side by side: pairs of events, whether they are the same, and the root that accounts for a difference.

    Each row is [event of a, event of b, same, place of the root in `diff`'s roots]; null where there is none.
    """
    one, other = library.open(a), library.open(b)
    found = _compared(one, other)

    def made(number: int) -> list[Any]:
        pair: Pair = found.pairs[number]
        return [pair.a and pair.a.id, pair.b and pair.b.id, pair.same, found.caused.get(number)]

    return {
        "a": one.name,
        "b": other.name,
        "columns": ["a", "b", "same", "root"],
        "rows": Page(made, len(found.pairs), offset, limit),
    }


def _compared(one: Opened, other: Opened) -> Any:
    return one.once(("diff", other.path, id(other)), lambda: compared(one.cassette, other.cassette))


def run(
    library: Library,
    cassette: Name,
    until: Annotated[int | None, Say("Stop before this event.", least=0)] = None,
    match: Annotated[
        str, Say("`lenient` answers differing requests and counts them.", choices=("strict", "lenient"))
    ] = "strict",
) -> dict[str, Any]:
    """Executes the recorded program again, offline and without side effects: the same execution, or the first
    difference. Only where the door was opened with it."""
    if not library.may_run:
        raise QueryInvalid("nothing is executed again here", hint="start the server with --run")
    place = library.place(cassette)
    how: Any = match
    found = executed(place.path, until=until, match=how, start=alone(Limits(_SECONDS)))
    document = {**plain.mapped(found.to_json()), "cassette": place.name}
    for name in ("stdout", "stderr"):
        document[name] = getattr(found, name).decode("utf-8", "backslashreplace")
    return document
