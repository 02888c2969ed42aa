"""Why: the decision graph, its causes with what they say, the four hypotheses, and who answers for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from replay.forensics.triage import Hypothesis, Item
from replay.forensics.why import Cause, Evidence, Explained
from replay.model.visible import plural
from replay.queries.words.brief import arguments, brief
from replay.report.drawing import Kind, Link, Node, draw, legend
from replay.report.incident import Incident
from replay.report.markup import Child, Html, Mark, flat, h, quote, said
from replay.report.parts import at, badge, kind, relative, section, sentence
from replay.report.summary import VERDICTS

_CAUSES: Final = 5
_WAYS: Final = 2
_ITEMS: Final = 8
_WHOSE: Final = {
    "user": "the user's words",
    "system": "the operator's words",
    "developer": "the operator's words",
    "assistant": "what the model said before",
    "agent": "what another agent said",
}

_READ: Final = {
    "tool": "result of a tool",
    "mcp": "result of a tool",
    "memory": "read from memory",
    "db": "read from a database",
    "http": "a server's answer",
    "grpc": "a server's answer",
    "file": "read from a file",
    "process": "a program's output",
    "entry": "what it was given",
}


def why(found: Incident) -> Html:
    """The section."""
    if found.why is None or found.at is None:
        return section("why", "Why", lead="Nothing was decided and nothing done in this recording.")
    event = found.event(found.at)
    name = said(event.name or event.kind, 80)
    lead = (
        "What stands behind ",
        name,
        " (",
        at(event.id),
        "): where texts came from, what decided it, what was done. How sure a link is shows in its line.",
    )
    nodes, links = _graph(found)
    count = f"{plural(len(nodes), 'node')}, {plural(len(links), 'link')}"
    title = f"Decision graph of event {event.id}: {count}; told in words below"
    picture = h("div", draw(nodes, links, title), cls="scroll drawing", tabindex=0, role="group", aria_label=title)
    return section("why", "Why", picture, legend(), [_call(one, found) for one in found.why.calls[:4]], lead=lead)


def _graph(found: Incident) -> tuple[list[Node], list[Link]]:
    """Sources, the answer that decided, what was called, what that did; each event once."""
    nodes: dict[str, Node] = {}
    links: dict[tuple[str, str], Link] = {}

    def add(node: Node) -> str:
        nodes.setdefault(node.key, node)
        return node.key

    def link(a: str, b: str, sort: Kind, label: str = "", *, below: bool = False) -> None:
        if a != b:
            links.setdefault((a, b), Link(a, b, sort, label, below))

    assert found.why is not None
    event = found.event(found.why.event if found.why.inside is None else found.why.inside)
    for number, one in enumerate(found.why.calls[:4]):
        decision = one.decision
        call = f"e{event.id}"
        if event.id in found.calls:
            call = f"call {number}" if decision.name else call
        middle = call if decision.event is None else f"e{decision.event}"
        if decision.event is not None:
            text = found.calls[decision.event].request_model if decision.event in found.calls else None
            add(Node(middle, "The model decides", text or "", decision.event, "decision"))
        if call != f"e{decision.event}":
            written = event.id in found.effect_of
            text = f"{decision.name}{_short(decision.arguments)}"
            leads = event.id if event.id not in found.calls else None
            head = "What was done" if written else "What was called"
            add(Node(call, head, text, leads, "effect" if written else "source"))
            link(middle, call, cast("Kind", decision.link))
        for place, cause in enumerate(one.causes[:_CAUSES]):
            key = f"e{cause.event}" if cause.event not in (event.id, decision.event) else f"words {number} {place}"
            leads = cause.event if cause.event not in (event.id, decision.event) else None
            add(Node(key, _head(cause), _said(cause), leads))
            link(key, middle, cause.link, f"{cause.score:.2f}")
            _way(cause, key, found, add, link)
    for inner, holder in found.effects.inside.items():
        if holder == event.id and inner in found.effect_of and len(nodes) < 16:
            effect = found.effect_of[inner]
            link(
                f"e{event.id}",
                add(Node(f"e{inner}", "Inside it", effect.what, inner, "effect")),
                "recorded",
                below=True,
            )
    if not nodes:
        add(Node(f"e{event.id}", "What was done", event.name, event.id, "effect"))
    return list(nodes.values()), [each for each in links.values() if each.a in nodes and each.b in nodes]


def _head(cause: Cause) -> str:
    return _WHOSE.get(cause.role, _READ.get(cause.role, "another source")).capitalize()


def _way(cause: Cause, key: str, found: Incident, add: Any, link: Any) -> None:
    """The events through which the text came."""
    inside = found.effects.inside
    came = [each.event for each in cause.evidence if each.kind == "via" and each.event is not None]
    ways = [each for each in came if each < cause.event or inside.get(each) == cause.event][:_WAYS]
    steps = [*(f"e{each}" for each in ways), key]
    for one, other in zip(ways, steps[1:], strict=True):
        event = found.event(one)
        place = f"{event.kind} {_place(event.name, event.request)}"
        link(add(Node(f"e{one}", "It came through", place, one, "way")), other, "recorded")


def _place(name: str, request: Any) -> str:
    if isinstance(request, dict):
        for word in ("path", "url"):
            if isinstance(request.get(word), str):  # pyright: ignore[reportUnknownMemberType]
                return str(request[word])  # pyright: ignore[reportUnknownArgumentType]
    return name


def _said(cause: Cause) -> str:
    told = next((each.text for each in cause.evidence if each.kind in ("directive", "request", "value")), "")
    return told or cause.source.text[:120]


def _short(given: Any) -> str:
    return f"({arguments(given)})" if isinstance(given, dict) else brief(given, 80)


def _call(one: Explained, found: Incident) -> Html:
    """In words: who asked for it, and each cause with its text."""
    decision = one.decision
    if decision.event is None:
        who: Child = "No answer of a model asked for it: the program's own code did."
    elif not decision.name:
        who = ["What the model said in ", at(decision.event), "."]
    else:
        exactly = "" if decision.link == "recorded" else ", by its name, with other values"
        who = ["The model asked for it in its answer, ", at(decision.event), exactly, "."]
    causes = [_cause(cause, place + 1) for place, cause in enumerate(one.causes[:_CAUSES])]
    invented = [
        h("li", said(each.argument, 40), " = ", said(each.text, 120)) for each in one.made_up[:12]
    ]  # fmt: skip
    made = (
        h(
            "div",
            h("p", "In nothing that the model had read; it made them up, or worked them out:"),
            h("ul", invented),
            cls="note warn",
        )
        if invented
        else None
    )
    scale = "The number before a text says how much it accounts for the call, from 0 to 1." if causes else None
    name = h("h3", "Causes of ", said(decision.name or "what the model said", 60))
    none = None if causes else h("p", "Unknown: nothing that was recorded accounts for it.", cls="none")
    return h("div", name, h("p", who, " ", scale), h("ol", causes, cls="causes") if causes else none, made, cls="call")


def _cause(cause: Cause, rank: int) -> Html:
    whose = _WHOSE.get(cause.role)
    source: Child = whose or [kind(cause.role), " ", said(cause.name, 60) if cause.name else None]
    place = None if cause.source.message is None else f"message {cause.source.message} of the window"
    number = h("span", f"{cause.score:.2f}", cls="score", title="how much it accounts for the call, from 0 to 1")
    where = [" · ", at(cause.event)] if cause.source.event is not None else " · no recorded event has it"
    head = h(
        "p",
        number,
        badge(cause.link, cause.link),
        " ",
        source,
        where,
        " · " if place else None,
        place,
        cls="cause-head",
    )
    notes = [h("li", each) for each in _notes(cause)]
    shown = quote(cause.source.text, marks(cause.evidence), limit=700) if cause.source.text else None
    return h("li", head, shown, h("ul", notes, cls="notes") if notes else None, value=rank)


def marks(evidence: tuple[Evidence, ...]) -> list[Mark]:
    """The spans that count, apart from one another: values inside of requests stand out of them."""
    found = [
        (each.span.start, each.span.end, "value" if each.kind == "value" else "told")
        for each in evidence
        if each.span is not None and each.kind in ("directive", "request", "value")
    ]
    return flat(sorted(found, key=lambda each: each[2] != "value"))


def _notes(cause: Cause) -> Iterator[Child]:
    """Each piece of evidence in a sentence."""
    for each in cause.evidence:
        match each.kind:
            case "directive":
                yield "The marked words tell somebody to do just this."
            case "request":
                yield "The marked words ask for something of this kind."
            case "value":
                how = {"exact": "as it is", "normalised": "written otherwise"}.get(each.how or "", "in part")
                yield ["Its value of ", said(each.argument or "", 40), f" stands in it, {how}."]
            case "via":
                yield ["The text came through ", at(each.event), "."]
            case "trust":
                yield ["Its source is labelled ", badge(each.how or "", "plain"), " (", said(each.text, 60), ")."]
            case "window":
                pass
    if cause.link == "confirmed":
        yield "Confirmed: with this text masked, the call was no longer made."
    if cause.link == "refuted":
        yield "Refuted: with this text masked, the call was made all the same."


def hypotheses(found: Incident) -> Html:
    """The four, each with what speaks for it and against it."""
    lead = "Four things go wrong with agents that act within their permissions. What the recording says of each:"
    cards = [_hypothesis(name, each, found) for name, each in found.triage.hypotheses.items()]
    return section("hypotheses", "What kind of failure", h("div", cards, cls="cards"), lead=lead)


def _hypothesis(name: str, each: Hypothesis, found: Incident) -> Html:
    chosen = name == found.triage.verdict
    title, _ = VERDICTS[name]
    mark = badge("verdict", name) if chosen else None
    lists = [_items("Speaks for it", each.for_, "for"), _items("Speaks against it", each.against, "against")]
    silent = (
        None
        if each.for_ or each.against
        else h("p", "Nothing in the recording speaks for it or against it.", cls="none")
    )
    decides = h("p", h("b", "Would decide it: "), each.decides, cls="decides") if each.decides else None
    return h("article", h("h3", title, " ", mark), lists, silent, decides, cls="card chosen" if chosen else "card")


def _items(title: str, items: list[Item], look: str) -> Html | None:
    if not items:
        return None
    left = h("li", f"and {len(items) - _ITEMS} more", cls="none") if len(items) > _ITEMS else None
    rows = [h("li", _item(each)) for each in items[:_ITEMS]]
    return h("div", h("h4", title), h("ul", rows, left), cls=f"evidence {look}")


def _item(item: Item) -> Html:
    came = None if item.cause is None else [", from ", at(item.cause)]
    shown = quote(item.text, limit=300) if item.text else None
    return h("div", h("p", at(item.event), came, ": ", sentence(item.what), "."), shown)


def owners(found: Incident) -> Html:
    """Who answers for what is on the causal path."""
    lead = (
        "Who answers for what led here: said by the tools and stores themselves, by an owners file, or by CODEOWNERS."
    )
    known = found.triage.owners
    if not known:
        text = "No owners are known. They can be named with --owners, by owner= of tools and stores, and in CODEOWNERS."
        return section("owners", "Who owns it", h("p", text, cls="none"), lead=lead)
    by: dict[str, list[Html]] = {}
    for each in known:
        by.setdefault(each.owner, []).append(
            h("li", at(each.event), ": ", said(relative(found, each.what), 160), f" ({each.by})")
        )
    rows = [h("div", h("dt", said(name, 80)), h("dd", h("ul", what[:12]))) for name, what in by.items()]
    return section("owners", "Who owns it", h("dl", rows, cls="owners"), lead=lead)
