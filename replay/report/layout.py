"""Where the nodes of a small directed graph stand, from left to right. Pure.

Layers as Sugiyama, Tagawa and Toda have them (1981), with less: a node stands left of all it leads to, as near to it as
it can; inside a column nodes are ordered by the mean place of their neighbours, a few times to and fro. Links that lead
backward are left out of the order, not out of the drawing. Heights are those of the nodes, so that no two overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 176
ACROSS: Final = 76
"""Between columns: links and what is said of them."""

BETWEEN: Final = 28
_SWEEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node is, in units of the drawing; the origin is at the top left."""

    x: int
    y: int
    height: int

    @property
    def middle(self) -> int:
        """Where links meet it."""
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Layout:
    """The boxes by node, and how large the drawing is."""

    boxes: dict[str, Box]
    width: int
    height: int


def layout(
    heights: Mapping[str, int], links: Sequence[tuple[str, str]], below: Mapping[str, str] | None = None
) -> Layout:
    """Places nodes.

    Args:
        heights: of each node, in the order in which they are wanted where nothing else decides.
        links: from one node to another. below: nodes that stand below another one, in its column.

    Example:
        >>> layout({"a": 40, "b": 40}, [("a", "b")]).boxes["b"]
        Box(x=252, y=0, height=40)
    """
    under = below or {}
    free = [node for node in heights if node not in under]
    stacks = {node: [node, *(each for each in under if under[each] == node)] for node in free}
    tall = {node: _tall([heights[each] for each in stacks[node]]) for node in free}
    among = [(under.get(a, a), under.get(b, b)) for a, b in links]
    among = [(a, b) for a, b in among if a != b]
    rank = _ranks(free, among)
    columns: dict[int, list[str]] = {}
    for node in free:
        columns.setdefault(rank[node], []).append(node)
    ordered = _ordered([columns[each] for each in sorted(columns)], among)
    whole = max((_tall([tall[node] for node in column]) for column in ordered), default=0)
    boxes: dict[str, Box] = {}
    for place in sorted(range(len(ordered)), key=lambda n: -_tall([tall[node] for node in ordered[n]])):
        column = ordered[place]
        for node, top in zip(column, _tops(column, tall, whole, among, boxes), strict=True):
            y = top
            for each in stacks[node]:
                boxes[each] = Box(place * (WIDTH + ACROSS), y, heights[each])
                y += heights[each] + BETWEEN
    return Layout(boxes, max(len(ordered) * (WIDTH + ACROSS) - ACROSS, 0), whole)


def _tops(
    column: Sequence[str],
    tall: Mapping[str, int],
    whole: int,
    links: Sequence[tuple[str, str]],
    boxes: Mapping[str, Box],
) -> list[int]:
    """Where each node of a column begins: beside the mean of its neighbours that stand, as far as there is room."""
    near = {
        node: [boxes[b if a == node else a] for a, b in links if node in (a, b) and (b if a == node else a) in boxes]
        for node in column
    }
    tops: list[int] = []
    least = 0
    for n, node in enumerate(column):
        most = whole - _tall([tall[each] for each in column[n:]])
        middles = [box.middle for box in near[node]]
        wanted = sum(middles) // len(middles) - tall[node] // 2 if middles else (least + most) // 2
        tops.append(max(least, min(wanted, most)))
        least = tops[-1] + tall[node] + BETWEEN
    return tops


def _tall(heights: Sequence[int]) -> int:
    return sum(heights) + BETWEEN * (len(heights) - 1)


def _ranks(nodes: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Columns: of each node how many links the longest way from it has, counted from the right."""
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for a, b in links:
        after[a].append(b)
    far: dict[str, int] = {}

    def walk(node: str, above: frozenset[str]) -> int:
        if node not in far:
            inner = above | {node}
            far[node] = max((1 + walk(each, inner) for each in after[node] if each not in inner), default=0)
        return far[node]

    for node in nodes:
        walk(node, frozenset())
    last = max(far.values(), default=0)
    return {node: last - far[node] for node in nodes}


def _ordered(columns: list[list[str]], links: Sequence[tuple[str, str]]) -> list[list[str]]:
    near: dict[str, list[str]] = {}
    for a, b in links:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    place = {node: float(at) for column in columns for at, node in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            known = {node: [place[each] for each in near.get(node, ()) if each not in column] for node in column}
            mean = {node: sum(at) / len(at) if at else place[node] for node, at in known.items()}
            column.sort(key=lambda node: (mean[node], place[node]))
            place |= {node: at + (1 - len(column)) / 2 for at, node in enumerate(column)}
    return columns
