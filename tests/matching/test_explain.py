"""What differs, what is near, and why it may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.matching import Difference, Request, explain, likely_cause, nearest, same
from replay.matching.explain import between, brief
from replay.matching.shapes import differing, mask
from replay.matching.words import clip, common, compare
from tests.matching.test_compare import HTTP, REQUESTS, SECRET, http


def chat(*contents: str, **fields: Any) -> Request:
    """A chat request with these messages."""
    messages = [{"role": "user", "content": content} for content in contents]
    return http(json.dumps({"model": "m", "messages": messages, **fields}).encode())


def lines(expected: Request, got: Request) -> list[str]:
    """The changes as text."""
    return [str(change) for change in explain(expected, got).changes]


def test_messages_are_addressed() -> None:
    assert lines(chat("a", "b", "c"), chat("a", "x", "c")) == ["~ body.messages[1].content: 'b' -> 'x'"]
    assert lines(chat("a"), chat("a", "new")) == ["+ body.messages[1]: {'role': 'user', 'content': 'new'}"]
    assert lines(chat("a", "gone", "b"), chat("a", "b")) == ["- body.messages[1]: {'role': 'user', 'content': 'gone'}"]
    assert lines(chat("a", n=1), chat("a", m=1)) == ["- body.n: 1", "+ body.m: 1"]


def test_an_inserted_message_shifts_nothing() -> None:
    old = [str(number) for number in range(40)]
    new = [*old[:5], "inserted", *old[5:20], "edited", *old[21:]]
    assert [(change.path, change.what) for change in explain(chat(*old), chat(*new)).changes] == [
        ("body.messages[5]", "added"),
        ("body.messages[20].content", "changed"),
    ]
    assert [change.what for change in explain(chat(*new), chat(*old)).changes] == ["missing", "changed"]


def test_other_places() -> None:
    assert lines(http(), http(method="PUT")) == ["~ method: 'POST' -> 'PUT'"]
    assert lines(http(None, ("X-A", "1")), http(None, ("user-agent", "x"))) == ["- headers.x-a: '1'"]
    assert lines(http(b"plain"), http(b"other")) == ["~ body: 'plain' -> 'other'"]
    assert lines(http(b"\xff"), http()) == ["- body: '\\\\xff'"]
    assert lines(http(), Request("http", "", "odd"))[0] == "- method: 'POST'"
    assert lines(Request("tool", "a", {"x": [1, {"y": 2}]}), Request("tool", "a", {"x": [1, {"y": 3}]})) == [
        "~ request.x[1].y: 2 -> 3"
    ]
    assert lines(Request("tool", "a", 1), Request("tool", "a", True)) == ["~ request: 1 -> True"]
    nested = [{"y": {"a": 1, "b": [1]}}], [{"y": {"c": 1, "b": [1, 2]}}]
    assert sorted(lines(Request("tool", "a", nested[0]), Request("tool", "a", nested[1]))) == [
        "+ request[0].y.b[1]: 2", "+ request[0].y.c: 1", "- request[0].y.a: 1",
    ]  # fmt: skip


def test_places_alone() -> None:
    assert [(each.path, each.what, each.text) for each in between({"a": 1}, {"a": 2}, 0)] == [("a", "changed", "")]


def test_placeholders_and_noise_are_no_difference() -> None:
    one = Request("tool", "a", [{"key": SECRET, "more": [SECRET, 1], "n": float("nan"), "x": (1,)}])
    other = Request("tool", "a", [{"key": "sk", "more": ["sk", 2, 3], "n": float("nan"), "x": (2,)}])
    assert sorted(lines(one, other)) == [
        "+ request[0].more[2]: 3", "~ request[0].more[1]: 1 -> 2", "~ request[0].x[0]: 1 -> 2",
    ]  # fmt: skip
    pair = Request("tool", "a", [0, SECRET, 5]), Request("tool", "a", [9, "sk", 6, 7])
    assert lines(*pair) == ["~ request[0]: 0 -> 9", "~ request[2]: 5 -> 6", "+ request[3]: 7"]
    assert explain(one, one) == Difference()
    assert str(explain(one, one)) == explain(one, one).summary == "the same"


def test_long_texts_are_diffed_and_bounded() -> None:
    text = "The customer asks for a refund of order 17 and is angry about it. " * 50
    (line,) = lines(chat(text), chat(text.replace("17", "18", 1)))
    assert "[-17-]{+18+}" in line
    assert len(line) < 200
    page = "\n".join(f"line {number}" for number in range(100))
    (line,) = lines(chat(page), chat(page.replace("line 50", "other")))
    assert line == "~ body.messages[0].content:\n@@ line 50 @@\n line 49\n-line 50\n+other\n line 51"
    (line,) = lines(chat("a" * 100_000), chat("b" * 100_000))
    assert len(line) < 1000


def test_many_changes_are_counted() -> None:
    one = Request("tool", "a", {str(number): number for number in range(50)})
    other = Request("tool", "a", {str(number): -1 for number in range(50)})
    found = explain(one, other)
    assert (len(found.changes), found.more) == (20, 30)
    assert str(found).endswith("… and 30 more changes")
    assert found.summary == "request.0 changed, request.1 changed, request.2 changed and 47 more"


@settings(max_examples=200)
@given(st.tuples(REQUESTS, REQUESTS) | st.tuples(HTTP, HTTP))
def test_explains_exactly_what_is_not_the_same(pair: tuple[Request, Request]) -> None:
    found = explain(*pair)
    assert same(*pair) is (not found.changes)
    assert len(str(found)) < 20 * 1500


_WORDS = st.text("ab \n", max_size=30)


@given(_WORDS, _WORDS)
def test_word_diffs_hold_both_sides(one: str, other: str) -> None:
    import re

    shown = compare(one, other, width=10_000)
    if min(one.count("\n"), other.count("\n")) < 3:
        old = re.sub(r"\{\+(.*?)\+\}", "", shown, flags=re.DOTALL)
        new = re.sub(r"\[-(.*?)-\]", "", shown, flags=re.DOTALL)
        assert re.sub(r"\[-(.*?)-\]", r"\1", old, flags=re.DOTALL) == one
        assert re.sub(r"\{\+(.*?)\+\}", r"\1", new, flags=re.DOTALL) == other


@given(st.text("ab", max_size=9), st.text("ab", max_size=9))
def test_common(one: str, other: str) -> None:
    size = common(one, other)
    assert one[:size] == other[:size]
    assert one[size : size + 1] != other[size : size + 1] or size == len(one) == len(other)


def test_clip() -> None:
    assert clip("short", 10) == "short"


def test_nearest_names_what_differs() -> None:
    candidates = [
        Request("tool", "search", {"q": "weather in Oslo"}),
        Request("tool", "refund", {"order": 17, "amount": 5}),
        Request("tool", "refund", {"order": 18, "amount": 900}),
        Request("http", "refund", {"url": "x"}),
    ]
    found = nearest(Request("tool", "refund", {"order": 18, "amount": 5}), candidates, limit=2)
    assert {near.position for near in found} == {1, 2}
    assert {near.why for near in found} == {"request.order changed", "request.amount changed"}
    assert 0.5 < found[1].score <= found[0].score < 1
    exact = nearest(candidates[2], candidates, limit=1)[0]
    assert (exact.position, exact.score, exact.why) == (2, 1.0, "the same")
    assert nearest(Request("db", "x"), candidates) == []
    first, second = nearest(Request("tool", "", None), [Request("tool", "", 1), Request("tool", "", 1)])
    assert (first.position, second.position) == (0, 1)


def test_nearest_looks_at_the_end_of_long_bodies() -> None:
    system = "You are a helpful agent. " * 4000
    candidates = [chat(system, "weather in Oslo"), chat(system, "refund order seventeen")]
    assert nearest(chat(system, "please refund order seventeen"), candidates)[0].position == 1


@pytest.mark.parametrize(
    ("one", "other", "shapes"),
    [
        ("2026-11-22", "2026-11-23", ["time"]),
        ("at 2026-11-22 10:00:01.5 +02:00", "at 2026-11-22 10:00:02 +02:00", ["time"]),
        ("Sun, 22 Nov 2026 at 9:15 PM", "Mon, 23 Nov 2026 at 9:16 PM", ["time"]),
        ("1763800000", "1763800001", ["time"]),
        ("1763800000.123456", "1763800000.2", ["time"]),
        ("id 5f2b8c9d-1e3a-4f60-8a7b-0123456789ab", "id 00000000-1e3a-4f60-8a7b-0123456789ab", ["uuid"]),
        ("<A object at 0x7f3a5c0d1e2f>", "<A object at 0x7f3a5c0d1e30>", ["address"]),
        ("open /tmp/tmpa1b2c3/x.txt", "open /tmp/tmpd4e5f6/x.txt", ["temporary path"]),
        ("0.8444218515250481", "0.7579544029403025", ["random number"]),
        ("req_8f3k2m9xq", "req_0a1b2c3d4", ["id"]),
        ("refund 17", "refund 18", []),
        ("2026-11-22 refund 17", "2026-11-23 refund 18", []),
        ("same", "same", []),
        ("hello_beautiful", "hello_wonderful", []),
    ],
)
def test_shapes(one: str, other: str, shapes: list[str]) -> None:
    assert differing(one, other) == shapes


def test_mask_names_pieces() -> None:
    assert mask("nothing here 42") == ("nothing here 42", {})


def _tool(value: Any) -> Request:
    return Request("tool", "a", value)


@pytest.mark.parametrize(
    ("ask", "cause", "why"),
    [
        (lambda: likely_cause(_tool(1), _tool(2), elsewhere=["m/t3 event 17"]), "order", "m/t3 event 17"),
        (
            lambda: likely_cause(_tool("req_8f3k2m9xq"), _tool("req_0a1b2c3d4")),
            "unrecorded input",
            "only id in request",
        ),
        (
            lambda: likely_cause(_tool("req_8f3k2m9xq"), _tool("req_0a1b2c3d4"), source_changed=True),
            "code changed",
            "only id in request differs, and the program",
        ),
        (
            lambda: likely_cause(_tool(["x", "req_8f3k2m9xq"]), _tool(["y", "req_0a1b2c3d4"])),
            "code changed",
            "isn't known",
        ),
        (lambda: likely_cause(_tool(1), _tool(2), source_changed=True), "code changed", "source differs"),
        (lambda: likely_cause(_tool(1), _tool(2), source_changed=False), "unrecorded input", "something else"),
        (lambda: likely_cause(None, _tool(2), source_changed=True), "code changed", "source differs"),
        (lambda: likely_cause(_tool(1), None), "code changed", "isn't known"),
        (
            lambda: likely_cause(_tool(1), _tool(2), difference=explain(_tool({"a": 1}), _tool({}))),
            "code changed",
            "isn't known",
        ),
    ],
)
def test_likely_cause(ask: Callable[[], Any], cause: str, why: str) -> None:
    found = ask()
    assert found.cause == cause
    assert why in str(found)


def test_many_shaped_changes_are_not_judged_by_the_listed_ones() -> None:
    one, other = ({str(n): f"req_{n}{mark}12345678" for n in range(30)} for mark in "ab")
    assert likely_cause(_tool(one), _tool(other)).cause == "code changed"


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "~ request.a[0].b: 1 -> 2"),
        ({"a": 1}, {"a": 1, "c": "x\ny"}, "+ request.c: 'x\\ny'"),
        ({"a": 1, "c": 2}, {}, "- request.a: 1 (and 1 more)"),
        ({"a": [[1, 2]]}, {"a": [[1, 3]]}, "~ request.a[0][1]: 2 -> 3"),
        ({"a": [[1]]}, {"a": [(1,)]}, "~ request.a[0]: [1] -> (1,)"),
        ({"a": 1}, {"a": 1}, "its bytes"),
    ],
)
def test_brief_says_one_place_in_one_line(one: object, other: object, said: str) -> None:
    assert brief(Request("tool", "t", one), Request("tool", "t", other)) == said
