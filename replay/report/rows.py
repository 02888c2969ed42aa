"""The table of events: the first page and what the report speaks of as markup, the rest packed for the page's script.

A row is plain text in a few fields, whoever draws it: `markup` here, or `script.js`, which makes elements and sets
their text. What was packed never goes through a parser of HTML.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from replay.model.event import Event
from replay.model.inside import depth
from replay.model.visible import block, one_line, plural
from replay.queries import plain
from replay.queries.words.describe import describe
from replay.report.incident import Incident
from replay.report.markup import Html, h
from replay.report.parts import seconds, section
from replay.semantics import LLMCall

PAGE: Final = 100
"""Events on a page."""

_LINE: Final = 240
_DETAIL: Final = 1200
"""Characters of a request or an outcome. What is longer is in the cassette."""


def row(event: Event, call: LLMCall | None) -> dict[str, Any]:
    """`i` id, `t` time, `w` whose, `k` kind, `e` whether it writes, `l` lines with their tone, `d` details by name."""
    lines = [[one_line(line.text, _LINE), line.tone] for line in describe(event, call)]
    agent = one_line(str(event.meta.get("agent") or ""), 40)
    found: dict[str, Any] = {
        "i": event.id,
        "t": seconds(event.at),
        "w": agent or one_line(event.lane, 24),
        "k": one_line(event.kind if call is None else "llm", 16),
        "n": min(depth(event.lane), 3),
        "l": lines[:8],
        "d": list(_details(event, call)),
    }
    return found | ({"e": 1} if event.effect == "write" and call is None else {})


def _details(event: Event, call: LLMCall | None) -> Iterator[tuple[str, str]]:
    if event.site is not None:
        yield "called from", one_line(f"{event.site} {event.site.function}", 300)
    if call is not None:
        last = call.messages[-1] if call.messages else None
        yield (
            "last message of the window",
            "" if last is None else block(_json(last.text or [p.content for p in last.parts])),
        )
        answer = {"text": call.text, "calls": [{"name": c.name, "arguments": c.arguments} for c in call.tool_calls]}
        yield "answer", block(_json(answer))
        return
    if event.kind in ("clock", "entropy", "order", "env"):
        yield "read", block(_json(event.response))
        return
    shown = plain.event(_light(event))
    for name in ("request", "response", "error"):
        if shown.get(name) is not None:
            yield name, block(_json(shown[name]))


def _light(event: Event) -> Event:
    """Without what is too large to be shown anyway."""
    from dataclasses import replace

    big = len(event.body or b"") > 1 << 16 or len(event.content or b"") > 1 << 16
    small = replace(event, body=(event.body or b"")[: 1 << 12] or None, content=None) if big else event
    return replace(small, pieces=())


def _json(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(plain.value(value), indent=1, ensure_ascii=False)
    return text if len(text) <= _DETAIL else f"{text[:_DETAIL]}… ({len(text):,} characters)"


def markup(found: dict[str, Any], key: str | None) -> Html:
    """A row. `key`: its id in the page."""
    tones = ("plain", "soft", "write", "bad")
    lines = [
        h("div", h("bdi", text, cls="rec"), cls=f"line {tone if tone in tones else 'plain'}")
        for text, tone in found["l"]
    ]
    details = [h("div", h("dt", name), h("dd", h("pre", text, dir="auto", cls="rec"))) for name, text in found["d"]]
    more = (
        h("details", h("summary", "in full", aria_label=f"Event {found['i']} in full"), h("dl", details))
        if details
        else None
    )
    return h(
        "tr",
        h("th", found["i"], scope="row"),
        h("td", found["t"], cls="num"),
        h("td", h("bdi", found["w"], cls="rec")),
        h(
            "td",
            h("bdi", found["k"], cls="rec kind"),
            h("span", "write", cls="badge effect") if found.get("e") else None,
        ),
        h("td", lines, more),
        id=key,
        cls=f"inside-{found['n']}",
    )


def events(found: Incident) -> Html:
    """The section."""
    every = found.contents.events
    first = [_row(found, number) for number in range(min(PAGE, len(every)))]
    far = [number for number in found.mentioned if number >= PAGE]
    lead = f"All {plural(len(every), 'event')}: each crossing between the program and the world, as it was recorded."
    body = h("tbody", [markup(each, f"e{each['i']}") for each in first], id="page")
    all_ = _table("All events", body)
    if len(every) <= PAGE:
        return section("events", "All events", all_, lead=lead)
    named = _table("Events that this report speaks of", h("tbody", [markup(_row(found, n), f"e{n}") for n in far]))
    pages = (len(every) - 1) // PAGE + 1
    note = (
        f"These are the first {PAGE} of {len(every):,} events. The others are in this file, packed: a browser with "
        "JavaScript turns the pages. Those that the report speaks of stand in a table of their own, also on paper."
    )
    return section(
        "events",
        "All events",
        [h("h3", "Events that this report speaks of"), named] if far else None,
        h("h3", "Every event"),
        h("p", note, cls="note"),
        _turner(pages),
        all_,
        h("div", _packed(found, pages), hidden=True),
        lead=lead,
    )


def _row(found: Incident, number: int) -> dict[str, Any]:
    return row(found.event(number), found.calls.get(number))


def _table(caption: str, body: Html) -> Html:
    heads = [h("th", each, scope="col") for each in ("event", "time", "who", "kind", "what")]
    whole = h("table", h("caption", caption), h("thead", h("tr", heads)), body, cls="events")
    return h("div", whole, cls="scroll", tabindex=0, role="group", aria_label=caption)


def _turner(pages: int) -> Html:
    """Buttons, of use with the script only: it shows them."""
    buttons = [
        h("button", each, type="button", id=f"turn-{each.lower()}") for each in ("First", "Previous", "Next", "Last")
    ]
    state = h("span", f"Page 1 of {pages}", id="turn-state", role="status")
    jump = h(
        "label", "Go to event ", h("input", id="turn-to", type="text", inputmode="numeric", size=7, autocomplete="off")
    )
    return h(
        "nav",
        *buttons[:2],
        state,
        *buttons[2:],
        jump,
        id="turn",
        aria_label="Pages of events",
        hidden=True,
        data_pages=pages,
    )


def _packed(found: Incident, pages: int) -> Iterator[Html]:
    for page in range(pages):
        numbers = range(page * PAGE, min((page + 1) * PAGE, len(found.contents.events)))
        packed = pack([_row(found, n) for n in numbers])
        yield Html(f'<script type="application/octet-stream" id="chunk-{page}">{packed}</script>')


def pack(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as the script reads them: JSON, zlib, base64. No character of it means anything in HTML."""
    return base64.b64encode(
        zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 9)
    ).decode()
