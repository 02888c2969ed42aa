"""What the model had read when it decided: its window, message by message, each with where it came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from replay.forensics.context import Context, Origin, Row
from replay.forensics.why import Cause
from replay.model.visible import plural
from replay.report.incident import Incident
from replay.report.markup import Child, Html, Mark, flat, h, quote, said
from replay.report.parts import at, badge, section

_MOST: Final = 24
"""Messages that are shown; of a longer window the first and the last, and those that count."""

_ENTERED: Final = {"injected": "new", "rewritten": "rewritten", "truncated": "cut", "moved": "moved"}


def window(found: Incident) -> Html:
    """The section."""
    shown = found.window
    if shown is None:
        return section("context", "What the model had read", lead="No call of a model is known to have decided this.")
    call = shown.call
    tokens = f", {call.usage.input:,} tokens" if call.usage.input is not None else ""
    lead: list[Child] = [
        "All that ",
        said(call.request_model or "the model", 60),
        f" was given when it answered ({plural(len(shown.rows), 'message')}{tokens}, ",
        at(shown.event),
        "). It knows nothing else. Marked is what accounts for the decision.",
    ]
    causes = [cause for one in (found.why.calls if found.why else ()) for cause in one.causes[:5]]
    changed = {each.b: _ENTERED[each.what] for each in shown.changes if each.b is not None and each.what in _ENTERED}
    offset = 1 if shown.system else 0
    system = None
    if shown.system:
        text = quote(shown.system, _marks(shown.system, [each for each in causes if each.source.role == "system"], ()))
        system = h("li", h("p", h("b", "Instructions"), " · of the program", cls="from"), text, cls="message system")
    kept = _kept(shown, causes)
    rows = [
        _message(row, causes, changed.get(row.number + offset) if shown.previous is not None else None)
        if row.number in kept
        else None
        for row in shown.rows
    ]
    left = len(shown.rows) - len(kept)
    return section(
        "context",
        "What the model had read",
        _changes(shown, left),
        h("ol", system, rows, cls="window"),
        _tools(shown),
        lead=lead,
    )


def _kept(shown: Context, causes: list[Cause]) -> set[int]:
    every = [row.number for row in shown.rows]
    wanted = {cause.source.message for cause in causes if cause.source.message is not None}
    return set(every) if len(every) <= _MOST else {*every[:4], *every[4 - _MOST :], *wanted} & set(every)


def _changes(shown: Context, left: int) -> Html | None:
    words: list[Child] = []
    if shown.previous is not None:
        gone = sum(each.what == "dropped" for each in shown.changes)
        came = sum(each.what == "injected" for each in shown.changes)
        words += [
            "Since the call before it (",
            at(shown.previous),
            f"), {plural(came, 'message')} came in and {gone} went out. ",
        ]
    if left:
        words.append(f"{plural(left, 'message')} in the middle left out here.")
    return h("p", words, cls="note") if words else None


def _message(row: Row, causes: list[Cause], changed: str | None) -> Html:
    mine = [cause for cause in causes if cause.source.message == row.number]
    mark = None if changed is None else [" · ", badge(changed, "new")]
    ours = row.role if row.role in ("system", "user", "assistant", "tool", "developer", "model", "function") else None
    head = h("p", h("b", ours) if ours else said(row.role, 30), " · ", _from(row.origin), mark, cls="from")
    parts = (
        h("p", "In it: ", [[", " if n else "", _from(each)] for n, each in enumerate(row.parts[:6])], cls="from")
        if row.parts
        else None
    )
    look = "message" + (" cause" if mine else "") + f" {ours or 'other'}"
    return h("li", head, parts, quote(row.text, _marks(row.text, mine, row.parts)), cls=look, value=row.number)


def _from(origin: Origin) -> Child:
    name = [" ", said(origin.name, 60)] if origin.name else None
    match origin.kind:
        case "code":
            return "from the program itself: no recorded input has it"
        case "unknown":
            return "from where is unknown"
        case "answer":
            return ["the model's own answer in ", at(origin.event)]
        case "user" | "system" if origin.event is None:
            return [f"from the {origin.kind}", name]
        case "user" | "system" | "tool" | "memory" | "http" | "mcp" | "file" | "db" | "agent" | "entry" as known:
            return [f"from {known}", name, ", " if origin.event is not None else None, at(origin.event)]
        case other:
            return ["from ", said(other, 30), name, ", ", at(origin.event)]


def _marks(text: str, causes: Iterable[Cause], parts: Iterable[Origin]) -> list[Mark]:
    """Where the spans of causes, and what came in parts, stand in a message."""
    found: list[Mark] = []
    for why in ("value", "told"):
        for cause in causes:
            for each in cause.evidence:
                if (
                    each.text
                    and (each.kind == "value") == (why == "value")
                    and each.kind in ("value", "directive", "request")
                ):
                    found += _places(text, each.text, why)
    for part in parts:
        found += _places(text, part.part or "", "came")
    return flat(found)


def _places(text: str, span: str, why: str) -> list[Mark]:
    start = text.find(span) if len(span) > 2 else -1
    return [] if start < 0 else [(start, start + len(span), why)]


def _tools(shown: Context) -> Html | None:
    if not shown.call.tools:
        return None
    rows = [
        h("li", said(tool.name, 60), ": ", said(tool.description or "no description", 300))
        for tool in shown.call.tools[:60]
    ]
    return h(
        "details",
        h("summary", f"{plural(len(shown.call.tools), 'tool')} that the model could call"),
        h("ul", rows, cls="plain"),
    )
