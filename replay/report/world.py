"""Memory before and after; what was done to the world, by whose decision; and what was expected instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from replay.forensics.effects import Effect
from replay.forensics.memory import Entry
from replay.forensics.text import named
from replay.model.visible import plural
from replay.queries.documents import by_effect
from replay.queries.shapes import is_mapping
from replay.queries.words.brief import arguments, brief
from replay.report.incident import Incident
from replay.report.markup import Child, Html, h, said
from replay.report.parts import at, badge, kind, seconds, section, table

_KEYS: Final = 60
_EFFECTS: Final = 100
_VALUE: Final = 400


def memory(found: Incident) -> Html:
    """The section: each key, what it held before and after, who wrote it, where it was read."""
    history = found.memory
    places = history.places()
    if not places:
        return section(
            "memory", "Memory", lead="No memory was read or written in this recording, as far as a recorder saw."
        )
    here = next(n for n, name in enumerate(history.sessions) if name == str(found.cassette.path))
    rows = [_key(found, store, name, here) for store, name in places[:_KEYS]]
    left = (
        h("p", f"{plural(len(places) - _KEYS, 'key')} left out here: replay memory has all.", cls="note")
        if len(places) > _KEYS
        else None
    )
    lead = "What the agent's memory held before this run and after it, who wrote what, and where it was read."
    heads = ("store and key", "before", "after", "history")
    return section("memory", "Memory", table("Keys of the agent's memory", heads, rows), left, lead=lead)


def _key(found: Incident, store: str, key: Any, here: int) -> Html:
    name = named(key)
    entries = found.memory.of(store, name)
    first = next((each for each in entries if each.session == here), None)
    before = _before(entries, here)
    after = found.memory.after.get(store, {})
    now = next((value for other, value in after.items() if named(other) == name), None)
    changed = before != now
    told = [h("li", _entry(found, each, here)) for each in entries[-12:]]
    return h(
        "tr", h("th", said(store, 60), " · ", said(name, 80), scope="row"), h("td", _held(before, first is not None)),
        h("td", _held(now, True), badge("changed", "effect") if changed else None), h("td", h("ul", told, cls="plain")),
    )  # fmt: skip


def _before(entries: list[Entry], here: int) -> Any:
    """What it held when this run began, as far as is known."""
    earlier = [each for each in entries if each.session < here and each.effect == "write"]
    first = next((each for each in entries if each.session == here), None)
    if first is not None and first.effect == "read":
        return first.new
    return earlier[-1].new if earlier else None if first is None else first.old


def _held(value: Any, known: bool) -> Html:
    if value is None:
        return h("span", "nothing" if known else "unknown", cls="none")
    return said(value if isinstance(value, str) else brief(value), _VALUE)


def _entry(found: Incident, each: Entry, here: int) -> Child:
    mine = each.session == here
    event: Child = (
        at(each.event) if mine else ["event ", each.event, " of ", said(found.memory.sessions[each.session], 80)]
    )
    if each.effect == "write":
        by = each.decided_by.event
        who: Child = (
            "by the program's code" if by is None else ["decided by the model, ", at(by) if mine else f"event {by}"]
        )
        came = [
            [", " if n else " out of ", at(one.event) if mine else f"event {one.event}"]
            for n, one in enumerate(each.out_of[:4])
        ]
        return ["written in ", event, ", ", who, came]
    wrote = each.written_by
    source: Child = None
    if wrote is not None and wrote[0] != here:
        source = [", as written in event ", wrote[1], " of ", said(found.memory.sessions[wrote[0]], 80)]
    elif wrote is not None:
        source = [", as written in ", at(wrote[1])]
    strange = [" ", badge("written by somebody who wasn't recorded", "bad")] if each.foreign else None
    reached = (
        [", and given to the model in ", at(each.reached) if mine else f"event {each.reached}"]
        if each.reached is not None
        else None
    )
    return ["read in ", event, source, strange, reached]


def effects(found: Incident) -> Html:
    """The section."""
    outer = [each for each in found.effects.all if each.inside is None or each.inside not in found.effect_of]
    if not outer:
        return section(
            "effects", "Effects on the world", lead="Nothing that was recorded changed anything outside of the program."
        )
    caused = by_effect(found.effects, found.related)
    rows = [_effect(each, found, caused.get(each.event, [])) for each in outer[:_EFFECTS]]
    left = (
        h("p", f"{plural(len(outer) - _EFFECTS, 'effect')} left out here: replay effects has all.", cls="note")
        if len(outer) > _EFFECTS
        else None
    )
    lead = "Everything that changed something outside of the program, in order, and who decided it."
    heads = ("event", "what", "outcome", "decided by", "can be undone", "owner")
    return section("effects", "Effects on the world", table("Effects, in order", heads, rows), left, lead=lead)


def _effect(each: Effect, found: Incident, caused: list[Any]) -> Html:
    inner = [other for other in found.effects.all if other.inside == each.event]
    more: list[Child] = []
    if inner:
        more.append(
            [
                "in it: ",
                [
                    [", " if n else "", at(other.event, ""), " ", said(other.what, 120)]
                    for n, other in enumerate(inner[:6])
                ],
            ]
        )
    more += [["set off ", said(one.path, 120), " (", said(one.how, 20), ")"] for one in caused[:6]]
    given = ""
    if each.arguments is not None:
        given = arguments(each.arguments) if is_mapping(each.arguments) else brief(each.arguments)
    times = f" ×{each.times}" if each.times > 1 else None
    guessed = h("span", " (that it writes is guessed from its name)", cls="none") if each.guessed else None
    by = each.decided_by
    who: Child = "the program's code" if by.event is None else ["the model, ", at(by.event), f" ({by.how})"]
    outcome = badge(each.outcome, "plain" if each.outcome == "done" else "bad")
    failed = [" ", said(each.error, 160)] if each.error else None
    undone = {True: "yes", False: h("b", "no"), None: "not said"}[each.reversible]
    return h(
        "tr", h("td", at(each.event, ""), h("br"), h("small", seconds(each.at) if found.timed else None)),
        h("td", kind(each.kind), " ", said(each.what, 160), " ", said(given, _VALUE) if given else None, times, guessed,
          [h("div", one, cls="more") for one in more]),
        h("td", outcome, failed), h("td", who, " again, without having been asked again" if by.again else None),
        h("td", undone), h("td", said(each.owner, 60) if each.owner else h("span", "not said", cls="none")),
        cls="point" if each.event == found.at else None,
    )  # fmt: skip


def expected(found: Incident) -> Html:
    """The section: deviations from policies and from a baseline."""
    if found.deviations is None:
        lead = "It was not checked against a policy or a baseline: replay report --policy FILE, --baseline FILE."
        return section("expected", "Expected behaviour", lead=lead)
    undecided = [h("li", said(rule, 80), ": ", said(reason, 300)) for rule, reason in found.undecided.items()]
    unsure = (
        h("div", h("p", "These rules could not be decided:"), h("ul", undecided), cls="note warn")
        if undecided
        else None
    )
    if not found.deviations:
        lead = (
            "Nothing deviates from what was given to check it against." if not undecided else "No deviation was found."
        )
        return section("expected", "Expected behaviour", unsure, lead=lead)
    lead = f"{plural(len(found.deviations), 'deviation')} from the policy or baseline that was given."
    heads = ("event", "rule", "severity", "why")
    return section(
        "expected",
        "Expected behaviour",
        table("Deviations, worst first", heads, list(_deviations(found))),
        unsure,
        lead=lead,
    )


def _deviations(found: Incident) -> Iterator[Html]:
    for each in (found.deviations or ())[:100]:
        surprise = f" ({each.bits:.1f} bits)" if each.bits is not None else None
        look = "bad" if each.severity == "error" else "plain"
        severity = (
            badge(each.severity, look) if each.severity in ("error", "warning", "note") else said(each.severity, 20)
        )
        yield h(
            "tr",
            h("td", at(each.event, "")),
            h("td", said(each.rule, 80), surprise),
            h("td", severity),
            h("td", said(each.why, 400)),
        )
