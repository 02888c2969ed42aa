"""Graphs of any kind: nodes don't overlap, links lead to the right, the same graph is always drawn the same way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay.report.drawing import Link, Node, draw
from replay.report.layout import ACROSS, WIDTH, Box, layout
from tests.report.parsed import parsed
from tests.support.hostile import PAYLOADS

NAMES = st.sampled_from("abcdefgh")
LINKS = st.lists(st.tuples(NAMES, NAMES).filter(lambda pair: pair[0] != pair[1]), max_size=14)
HEIGHTS = st.dictionaries(NAMES, st.integers(20, 120), min_size=1)


@given(HEIGHTS, LINKS)
def test_no_two_nodes_overlap_and_all_are_in_the_drawing(heights: dict[str, int], links: list[tuple[str, str]]) -> None:
    links = [(a, b) for a, b in links if a in heights and b in heights]
    found = layout(heights, links)
    assert found == layout(heights, links)
    assert found.boxes.keys() == heights.keys()
    for a, one in found.boxes.items():
        assert 0 <= one.x <= found.width - WIDTH
        assert 0 <= one.y <= found.height - one.height
        for b, other in found.boxes.items():
            apart = one.x != other.x or one.y + one.height < other.y or other.y + other.height < one.y
            assert a == b or apart


@given(HEIGHTS, LINKS)
def test_links_lead_to_the_right_where_nothing_leads_back(
    heights: dict[str, int], links: list[tuple[str, str]]
) -> None:
    forward = [(a, b) for a, b in links if a in heights and b in heights and a < b]
    boxes = layout(heights, forward).boxes
    assert all(boxes[a].x + WIDTH + ACROSS <= boxes[b].x for a, b in forward)


@given(HEIGHTS, st.integers(1, 3))
def test_what_belongs_to_a_node_stands_below_it(heights: dict[str, int], count: int) -> None:
    inner = {f"inner {n}": min(heights) for n in range(count)}
    found = layout({**heights, **dict.fromkeys(inner, 30)}, [(held, each) for each, held in inner.items()], inner)
    holder = found.boxes[min(heights)]
    assert all(found.boxes[each].x == holder.x and found.boxes[each].y > holder.y for each in inner)


def test_a_single_way_is_a_straight_line() -> None:
    boxes = layout({"a": 40, "b": 60, "c": 40}, [("a", "b"), ("b", "c")]).boxes
    assert boxes == {"a": Box(0, 10, 40), "b": Box(WIDTH + ACROSS, 0, 60), "c": Box(2 * (WIDTH + ACROSS), 10, 40)}


def test_kinds_of_links_differ_in_line_end_and_word() -> None:
    nodes = [Node("a", "Read", PAYLOADS["svg"], 3), Node("b", "The model decides", "", 4, "decision")]
    nodes += [Node(kind, "x", "", None) for kind in ("recorded", "inferred", "confirmed", "refuted")]
    links = [Link(kind, "b", kind, "0.50") for kind in ("recorded", "inferred", "confirmed", "refuted")]
    root = parsed(draw(nodes, [*links, Link("a", "b", "inferred", below=True)], "a graph"))
    drawn = [each for each in root.all() if "link" in each.classes]
    assert [each.attributes["marker-end"] for each in drawn] == [f"url(#end-{link.kind})" for link in links] + [
        "url(#end-inferred)"
    ]
    assert sum("inner" in each.classes for each in root.all()) == 1
    labels = [each.whole() for each in root.all() if "label" in each.classes]
    assert labels == ["recorded0.50", "inferred0.50", "confirmed0.50 ✓", "refuted0.50", "inferred"]
    assert [each.attributes["href"] for each in root.all() if each.name == "a"] == ["#e3", "#e4"]
    assert [each.whole() for each in root.all() if each.name == "title"] == ["a graph"]
