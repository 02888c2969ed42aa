"""What was recorded: cassettes, their events in few words or whole, lanes, what nobody saw; and where a text stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Annotated, Any, Final, NamedTuple

from replay import expect
from replay.model.errors import ReplayError
from replay.model.event import Event
from replay.model.inside import caller
from replay.queries import facts, plain
from replay.queries.bounds import Page
from replay.queries.library import Library, Opened, Place, Said
from replay.queries.params import Say
from replay.queries.shapes import mapping
from replay.queries.words.brief import asked
from replay.queries.words.describe import describe
from replay.semantics import read

Name = Annotated[str, Say("Which cassette: its name as `list` has it, the beginning of its id, or `latest`.")]
Number = Annotated[int, Say("Which event: its id, from 0.", least=0)]
Offset = Annotated[int, Say("Where the page begins; `next` of the one before.", least=0)]
Limit = Annotated[int, Say("How many there are on the page, at most.", least=1, most=20_000)]

_LABEL: Final = 160
_LINES: Final = 8
_LOOKED: Final = 64 << 20
"""Bytes that one search looks at, before it says where to go on."""


def list_(
    library: Library,
    where: Annotated[str | None, Say("Only those of which this expectation holds, such as `raises`.")] = None,
    offset: Offset = 0,
    limit: Limit = 50,
) -> dict[str, Any]:
    """The cassettes: when, program, outcome, how many events, calls of models and of tools, what couldn't be seen."""
    places, undecided = library.places(), list[str]()
    if where is not None:
        parsed = expect.parse(where)
        held = [(each, _holds(library, each, parsed)) for each in places]
        places = [each for each, holds in held if holds]
        undecided = [each.name for each, holds in held if holds is None]
    page = Page(lambda n: _row(library, places[n]), len(places), offset, limit)
    return {"cassettes": page, "undecided": undecided}


def _holds(library: Library, place: Place, wanted: expect.Expression) -> bool | None:
    try:
        return expect.judge(wanted, expect.recorded(library.at(place).cassette)).holds
    except ReplayError:
        return None


def _row(library: Library, place: Place) -> dict[str, Any]:
    def made(opened: Opened) -> dict[str, Any]:
        return facts.row(opened.contents)

    try:
        return {"cassette": place.name, **library.row(place, made)}
    except ReplayError as error:
        return {"cassette": place.name, "path": place.path, "problem": str(error)}


class Row(NamedTuple):
    """An event in few words."""

    id: int
    kind: str
    name: str
    lane: str
    agent: str | None
    effect: str
    at: int
    took: int | None
    status: str
    inside: int | None
    lines: tuple[str, ...]
    tone: str


def rows(opened: Opened) -> list[Row]:
    """All events of a cassette, read once."""
    return opened.once("rows", lambda: [_brief(event, opened.said.get(event.id)) for event in opened.contents.events])


def _brief(event: Event, said: Said | None) -> Row:
    agent, links = event.meta.get("agent"), mapping(event.meta.get("links"))
    lines = describe(event)
    words = [line.text[:_LABEL] for line in lines][:_LINES]
    if said is not None:
        used = "" if said.tokens == (None, None) else f" · {_count(said.tokens[0])} + {_count(said.tokens[1])} tokens"
        words = [f"{said.model or event.name}{used}", *_spoken(said)]
        words += [line.text[:_LABEL] for line in lines[1:] if line.tone == "bad"]
    return Row(
        event.id, event.kind if said is None else "llm",
        event.name if said is None else said.model or event.name, event.lane,
        None if agent is None else str(agent), event.effect, event.at, event.took, event.status, links.get("inside"),
        tuple(words[:_LINES]), lines[0].tone,
    )  # fmt: skip


def _spoken(said: Said) -> Iterator[str]:
    if said.reasoning:
        yield f"thinks: {said.reasoning.strip()}"[:_LABEL]
    if said.text:
        yield f"says: {said.text.strip()}"[:_LABEL]
    yield from (f"asks: {asked(each)}"[:_LABEL] for each in said.calls)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def show(
    library: Library,
    cassette: Name,
    kind: Annotated[tuple[str, ...], Say("Only events of these kinds (llm, tool, memory, http, file, …).")] = (),
    lane: Annotated[str | None, Say("Only events of this lane and those below it.")] = None,
    agent: Annotated[str | None, Say("Only events of this agent.")] = None,
    effect: Annotated[str | None, Say("Only draws, reads or writes.", choices=("draw", "read", "write"))] = None,
    status: Annotated[str | None, Say("Only such outcomes.", choices=("done", "failed", "streamed", "open"))] = None,
    text: Annotated[str | None, Say("Only events in whose few words this text is; `search` looks everywhere.")] = None,
    first: Annotated[int, Say("Only events from this one on.", least=0)] = 0,
    last: Annotated[int | None, Say("Only events up to this one.", least=0)] = None,
    whole: Annotated[bool, Say("Each event as `event` has it, rather than in few words.")] = False,
    offset: Offset = 0,
    limit: Limit = 100,
) -> dict[str, Any]:
    """One cassette: what was recorded, how it ended, and its events in order, in few words or whole."""
    opened = library.open(cassette)
    needle = None if text is None else text.casefold()

    def fits(row: Row) -> bool:
        return (
            (not kind or row.kind in kind)
            and (lane is None or row.lane == lane or row.lane.startswith(f"{lane}/"))
            and agent in (None, row.agent)
            and effect in (None, row.effect)
            and status in (None, row.status)
            and first <= row.id <= (row.id if last is None else last)
            and (needle is None or any(needle in each.casefold() for each in (row.name, *row.lines)))
        )

    found = [row for row in rows(opened) if fits(row)]

    def made(number: int) -> dict[str, Any]:
        return _whole(opened, found[number].id) if whole else shown(opened, found[number])

    return {**about(opened), "events": Page(made, len(found), offset, limit)}


def about(opened: Opened) -> dict[str, Any]:
    """What `show` says of a cassette before its events."""
    found = opened.contents
    return {
        "cassette": opened.name,
        "header": plain.value(found.header),
        "program": facts.program(found.header),
        "status": found.status,
        "outcome": plain.value(found.outcome),
        "ended": facts.outcome(found),
        "problem": facts.unfinished(found) or None,
        "recorded": len(found.events),
        "blind_spots": len(found.blind_spots),
        "gaps": len(found.gaps),
        "children": [{"path": str(each.path), "how": each.how, "event": each.event} for each in found.children],
    }


def shown(opened: Opened, row: Row) -> dict[str, Any]:
    """A row as JSON."""
    event = opened.contents.events[row.id]
    return {
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "lane": row.lane,
        "agent": row.agent,
        "effect": row.effect,
        "at": row.at / 1e6,
        "took": None if row.took is None else row.took / 1e6,
        "status": row.status,
        "inside": row.inside,
        "site": None if event.site is None else str(event.site),
        "what": list(row.lines),
    }


def event(library: Library, cassette: Name, event: Number) -> dict[str, Any]:
    """One event whole: what was asked, what came back, its call site and links; the reading of a call of a model."""
    opened = library.open(cassette)
    return {"cassette": opened.name, **_whole(opened, opened.event(event).id)}


def _whole(opened: Opened, number: int) -> dict[str, Any]:
    event = opened.event(number)
    return plain.event(event, read(event))


COLUMNS: Final = ("id", "kind", "lane", "start", "end", "label", "status", "effect", "agent", "inside", "tone")


def timeline(library: Library, cassette: Name, offset: Offset = 0, limit: Limit = 10_000) -> dict[str, Any]:
    """All events as rows of a few columns, to draw; times in seconds, lanes and agents as places in their lists."""
    opened = library.open(cassette)
    found = rows(opened)
    names = list(opened.once("lanes", lambda: list(dict.fromkeys(row.lane for row in found))))
    agents = list(opened.once("agents", lambda: list(dict.fromkeys(row.agent for row in found if row.agent))))
    lane_at = {name: place for place, name in enumerate(names)}
    agent_at = {name: place for place, name in enumerate(agents)}

    def made(number: int) -> list[Any]:
        row = found[number]
        end = None if row.took is None else (row.at + row.took) / 1e6
        who = None if row.agent is None else agent_at[row.agent]
        return [row.id, row.kind, lane_at[row.lane], row.at / 1e6, end, " · ".join(row.lines)[:_LABEL], row.status,
                row.effect, who, row.inside, row.tone]  # fmt: skip

    return {
        "cassette": opened.name,
        "columns": list(COLUMNS),
        "lanes": names,
        "agents": agents,
        "end": max(((row.at + (row.took or 0)) / 1e6 for row in found), default=0.0),
        "rows": Page(made, len(found), offset, limit),
    }


def lanes(library: Library, cassette: Name, offset: Offset = 0, limit: Limit = 200) -> dict[str, Any]:
    """The lanes (processes, tasks, threads) in the order of their first event, with what each began in and did."""
    opened = library.open(cassette)

    def count() -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for row in rows(opened):
            new: dict[str, Any] = {
                   "lane": row.lane, "above": row.lane.rpartition("/")[0] or None, "caller": caller(row.lane),
                   "first": row.id, "last": row.id, "start": row.at / 1e6, "end": row.at / 1e6, "events": 0,
                   "agents": []}  # fmt: skip
            lane = found.setdefault(row.lane, new)
            lane["last"], lane["events"] = row.id, lane["events"] + 1
            lane["end"] = max(lane["end"], (row.at + (row.took or 0)) / 1e6)
            if row.agent is not None and row.agent not in lane["agents"]:
                lane["agents"].append(row.agent)
        return list(found.values())

    found = opened.once("counted lanes", count)
    return {"cassette": opened.name, "lanes": Page(found.__getitem__, len(found), offset, limit)}


def blindspots(library: Library, cassette: Name) -> dict[str, Any]:
    """What the recording doesn't have: blind spots, gaps, damage, a missing end; tools that a server changed."""
    opened = library.open(cassette)
    found = opened.contents
    return {
        "cassette": opened.name,
        "status": found.status,
        "problem": facts.unfinished(found) or None,
        "damage": None if found.damage is None else str(found.damage),
        "blind_spots": [plain.blind_spot(each) for each in found.blind_spots],
        "gaps": [
            {"event": gap.event, "name": gap.name, "reason": gap.reason, "site": gap.site and str(gap.site)}
            for gap in found.gaps
        ],
        "findings": [{"what": "tools changed", **plain.mapped(asdict(each))} for each in found.tool_changes],
    }


def search(
    library: Library,
    cassette: Name,
    text: Annotated[str, Say("What is looked for, in everything that was recorded; upper and lower case are one.")],
    kind: Annotated[tuple[str, ...], Say("Only in events of these kinds.")] = (),
    offset: Annotated[int, Say("The event to begin at; `next` of the answer before.", least=0)] = 0,
    limit: Annotated[int, Say("How many events are found, at most.", least=1, most=1_000)] = 20,
) -> dict[str, Any]:
    """Full text: the events in which a text stands, and the places in each, as paths into what `event` answers."""
    opened = library.open(cassette)
    hits: list[dict[str, Any]] = []
    looked, at, needle = 0, offset, text.casefold()
    found = rows(opened)
    while needle and at < len(found) and len(hits) < limit and looked < _LOOKED:
        row = found[at]
        at += 1
        if kind and row.kind not in kind:
            continue
        event = opened.contents.events[row.id]
        looked += len(event.body or b"") + len(event.content or b"")
        places = list(_places(_document(event, opened.said.get(row.id), needle), needle))
        if places:
            hits.append(
                {"event": row.id, "kind": row.kind, "name": row.name, "lane": row.lane, "at": row.at / 1e6,
                 "places": places[:5], "more_places": len(places[5:])}
            )  # fmt: skip
    rest = at if needle and at < len(found) else None

    def begins(taken: int) -> int | None:
        return int(hits[taken]["event"]) if taken < len(hits) else rest

    page = Page(hits.__getitem__, len(hits), offset, limit, begins)
    return {"cassette": opened.name, "text": text, "hits": page}


def _document(event: Event, said: Said | None, needle: str) -> dict[str, Any]:
    """What `event` answers; large parts only where the text may be in them."""
    if event.body is not None and not _may_hold(event.body, needle):
        event = replace(event, body=None)
    document = plain.event(event)
    if said is not None:
        document["llm"] = {
            "text": said.text,
            "reasoning": said.reasoning,
            "tool_calls": [{"name": each.name, "arguments": each.arguments} for each in said.calls],
        }
    return document


def _may_hold(body: bytes, needle: str) -> bool:
    if len(body) < 4096 or not needle.isascii() or not needle.replace(" ", "").isalnum() or b"\\u00" in body:
        return True
    return needle.encode() in body.lower()


def _places(value: Any, needle: str, path: str = "") -> Iterator[dict[str, Any]]:
    waiting: list[tuple[str, Any]] = [(path, value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            pairs: list[tuple[str, Any]] = list(item.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            waiting += [(f"{path}/{_escaped(key)}", each) for key, each in reversed(pairs)]
            for key, _ in pairs:
                if needle in key.casefold():
                    yield {"path": f"{path}/{_escaped(key)}"[:400], "at": 0, "excerpt": key[:160]}
        elif isinstance(item, list):
            waiting += [(f"{path}/{n}", item[n]) for n in range(len(item) - 1, -1, -1)]  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(item, str):
            at = item.casefold().find(needle)
            if at >= 0:
                yield {"path": path[:400], "at": at, "excerpt": item[max(0, at - 60) : at + len(needle) + 60]}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
