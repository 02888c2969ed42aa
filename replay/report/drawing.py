"""A graph as inline SVG: nodes lead to their events; kinds of links differ in line, end and word, not in colour alone.

recorded    a whole line, a filled end          the recording has the link itself
inferred    a broken line, an open end          a text accounts for it
confirmed   a double line, a filled end, a tick masked, and it was gone
refuted     a dotted line, a cross              masked, and it was still there
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from replay.model.visible import one_line
from replay.report.layout import WIDTH, Box, layout
from replay.report.markup import Html, h

Kind = Literal["recorded", "inferred", "confirmed", "refuted"]
_KINDS: Final[tuple[Kind, ...]] = ("recorded", "inferred", "confirmed", "refuted")

_LINE: Final = 17
_HEAD: Final = 44
_CHARACTERS: Final = 22
_MARGIN: Final = 8


@dataclass(frozen=True, slots=True)
class Node:
    """`head`: what it is, in our words. `text`: recorded words in it. `event`: where it leads. `role`: its look."""

    key: str
    head: str
    text: str
    event: int | None
    role: Literal["source", "decision", "effect", "way"] = "source"


@dataclass(frozen=True, slots=True)
class Link:
    """From one node to another. `label`: beside the kind, which is always said. `below`: `b` belongs to `a`."""

    a: str
    b: str
    kind: Kind
    label: str = ""
    below: bool = False


def draw(nodes: Sequence[Node], links: Sequence[Link], title: str) -> Html:
    """The graph. `title`: what it shows, for who doesn't see it."""
    lines = {node.key: _wrapped(node.text) for node in nodes}
    heights = {node.key: _head(node) + _LINE * len(lines[node.key]) for node in nodes}
    below = {link.b: link.a for link in links if link.below}
    placed = layout(heights, [(link.a, link.b) for link in links], below)
    leaves = Counter(link.a for link in links)
    arrows = [_link(link, placed.boxes[link.a], placed.boxes[link.b], apart=leaves[link.a] == 1) for link in links]
    boxes = [_node(node, placed.boxes[node.key], lines[node.key]) for node in nodes]
    wide, tall = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
    drawn = [_ends(), [line for line, _ in arrows], [label for _, label in arrows], boxes]
    return h(
        "svg", h("title", title, id="graph-title"), drawn, role="group", aria_labelledby="graph-title",
        viewBox=f"{-_MARGIN} {-_MARGIN} {wide} {tall}", width=wide, height=tall, cls="graph",
    )  # fmt: skip


def legend() -> Html:
    """What the kinds of links look like, and mean."""
    means = {
        "recorded": "The recording itself has this link.",
        "inferred": "A text accounts for it: the same words or values.",
        "confirmed": "Tried: with the text masked, it no longer happened.",
        "refuted": "Tried: with the text masked, it happened all the same.",
    }
    rows = [
        h("div", h("dt", _sample(kind), h("span", kind)), h("dd", means[kind]))
        for kind in _KINDS
    ]  # fmt: skip
    return h("dl", rows, cls="legend")


def _sample(kind: Kind) -> Html:
    return h(
        "svg", _stroke("M2 8H44", kind), h("path", d=f"M46 8h0{_tip(kind)}", cls=f"end {kind}"), viewBox="0 0 56 16",
        width=56, height=16, aria_hidden="true",
    )  # fmt: skip


def _ends() -> Html:
    """The ends of lines, once for all of them."""
    made = [
        h(
            "marker", h("path", d=f"M0 0{_tip(kind)}", cls=f"end {kind}"), id=f"end-{kind}", viewBox="-2 -6 14 12",
            refX=8, refY=0, markerWidth=14, markerHeight=12, markerUnits="userSpaceOnUse", orient="auto",
        )
        for kind in _KINDS
    ]  # fmt: skip
    return h("defs", made)


def _tip(kind: Kind) -> str:
    return {"inferred": "m0 -5l8 5l-8 5", "refuted": "m0 -4l8 8m0 -8l-8 8"}.get(kind, "m0 -5l8 5l-8 5z")


def _link(link: Link, a: Box, b: Box, *, apart: bool) -> tuple[Html, Html]:
    """A line, and what is said of it. `apart`: no other one leaves `a`, so that there is room for words there."""
    if link.below:
        x = a.x + WIDTH // 2
        down = _stroke(f"M{x} {a.y + a.height}V{b.y - 2}", link.kind, f"url(#end-{link.kind})")
        return down, h("text", link.kind, x=x + 34, y=(a.y + a.height + b.y) // 2 + 3, cls=f"label {link.kind}")
    start, end = (a.x + WIDTH, a.middle), (b.x, b.middle)
    bend = max((end[0] - start[0]) // 2, 24)
    course = f"M{start[0]} {start[1]}C{start[0] + bend} {start[1]} {end[0] - bend} {end[1]} {end[0] - 2} {end[1]}"
    word = f"{link.kind} {link.label}".strip() + (" ✓" if link.kind == "confirmed" else "")
    x, y = (start[0] + 34, start[1]) if apart else (end[0] - 38, end[1])
    words = word.split(" ", 1)
    rises = end[1] < start[1]  # words stand on the side that the line leaves free
    free = y + 13 if rises == apart and start[1] != end[1] else y + 6 - 12 * len(words)
    text = [h("tspan", each, x=x, dy=0 if not n else 12) for n, each in enumerate(words)]
    label = h("text", text, x=x, y=free, cls=f"label {link.kind}")
    return _stroke(course, link.kind, f"url(#end-{link.kind})"), label


def _stroke(course: str, kind: Kind, end: str | None = None) -> Html:
    inner = h("path", d=course, cls="inner") if kind == "confirmed" else None
    return h("g", h("path", d=course, cls=f"link {kind}", marker_end=end), inner)


def _node(node: Node, box: Box, lines: Sequence[str]) -> Html:
    where = "" if node.event is None else f"event {node.event}"
    shape = h("rect", x=box.x, y=box.y, width=WIDTH, height=box.height, rx=6)
    head = h("text", node.head, x=box.x + 12, y=box.y + 20, cls="head")
    number = h("text", where, x=box.x + 12, y=box.y + 36, cls="where")
    text = [
        h("text", line, x=box.x + 12, y=box.y + _head(node) + 10 + _LINE * n, cls="rec") for n, line in enumerate(lines)
    ]  # fmt: skip
    inside = (shape, head, number, text)
    if node.event is None:
        return h("g", inside, cls=f"node {node.role}")
    return h("a", inside, href=f"#e{node.event}", cls=f"node {node.role}")


def _head(node: Node) -> int:
    """Where its text begins: what has no event says none."""
    return _HEAD if node.event is not None else _HEAD - 15


def _wrapped(text: str, most: int = 3) -> list[str]:
    """Lines of about the node's width, broken at spaces where there are some."""
    left = one_line(text[: 4 * _CHARACTERS * most], None).strip()
    lines: list[str] = []
    while left and len(lines) < most:
        cut = left[: _CHARACTERS + 1].rfind(" ") if len(left) > _CHARACTERS else len(left)
        cut = cut if cut > _CHARACTERS // 2 or cut == len(left) else _CHARACTERS
        lines.append(left[:cut].strip())
        left = left[cut:].strip()
    if left and lines:
        lines[-1] = lines[-1][: _CHARACTERS - 1] + "…"
    return lines
