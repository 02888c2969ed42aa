"""Judging: what a run shows is decided, what it doesn't isn't."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.named import Named
from replay.expect import Expression, Judged, Subject, judge, parse
from replay.expect.values import Absent, compare, walk
from replay.model.event import Event, Failure
from tests.expect.expressions import EXPRESSION

WHOLE: dict[str, Any] = {"exit": 0, "exception": None}
COUNTS = ("called at least 1", "called at most 1", "never called", "called exactly 2")


def tool(id_: int, name: str, request: Any = None, response: Any = None, **more: Any) -> Event:
    fields: dict[str, Any] = {"status": "done", "took": 5, "meta": {}, **more}
    return Event(
        *(id_, "tool", name, "write", "m", id_),
        site=None,
        request=request or {},
        body=None,
        response=response,
        **fields,
    )


def printed(id_: int, text: str) -> Event:
    return Event(id_, "output", "stdout", "write", "m", id_, 0, None, text, None, "done")


def lost(id_: int, kind: str, name: str) -> Event:
    request = {"kind": kind, "reason": "too large"}
    return Event(id_, "gap", name, "write", "m", id_, 0, None, request, None, "done")


def holds(text: str, events: Sequence[Event], open_: str = "") -> bool | None:
    return judge(text, Subject(events, open_, values={} if open_ else WHOLE)).holds


RUN = [
    tool(0, "lookup", {"order": "A"}, {"items": [{"name": "tea"}]}),
    tool(1, "refund", {"order": "A", "amount": 5}, {"ok": True}),
    tool(2, "refund", {"order": "B", "amount": 50}, status="failed", error=Failure("builtins.ValueError", "too much")),
    printed(3, "done: 1 refund\n"),
]


@pytest.mark.parametrize(
    ("text", "whole", "cut"),
    [
        ("tool refund", True, True),
        ("tool refund called at least 2", True, True),
        ("tool refund called at most 2", True, None),
        ("tool refund called at most 1", False, False),
        ("tool refund called exactly 2", True, None),
        ("tool refund called exactly 1", False, False),
        ("tool refund called between 3 and 4", False, None),
        ("no tool mail", True, None),
        ("tool mail", False, None),
        ("tool refund after tool lookup", True, True),
        ("tool lookup after tool refund", False, None),
        ("tool lookup before tool mail", False, None),
        ("tool mail before tool lookup", False, None),
        ("tool mail after tool nothing", False, None),
        ("every tool refund after tool lookup", True, True),
        ("every tool refund before tool mail", False, None),
        ("every tool refund has amount > 0", True, None),
        ("every tool refund has error", False, False),
        ("tool refund(error contains 'too much') called once", True, None),
        ("every tool mail after tool lookup", True, True),
        ("every tool mail after tool nothing", True, None),
        ('output contains "refund"', True, True),
        ('output contains "fund\\n"', True, True),
        ('output contains "mail"', False, None),
        ('output starts with "done"', True, True),
        ('output starts with "gone"', False, False),
        ('output matches "refund$"', True, None),
        ('output matches "re.und"', True, True),
        ('output == "x"', False, False),
        ('output != "x"', True, True),
        ("exit == 0", True, None),
        ("raises", False, None),
        ("tokens == 0", True, None),
        ("identical", None, None),
        ("exit == 0 or tool refund", True, True),
        ("exit == 0 and tool refund called at most 1", False, False),
        ("not exit == 0", False, None),
    ],
)
def test_a_cut_run_decides_what_it_shows(text: str, whole: bool | None, cut: bool | None) -> None:
    assert holds(text, RUN) is whole
    assert holds(text, RUN, "the recording is unfinished") is cut


def test_whatever_comes_behind_a_cut_doesnt_change_what_was_decided() -> None:
    """All runs of up to three events: an answer about a beginning is the answer about every whole run that has it."""
    claims = [
        *(f"{one} {count}" for one in ("tool a", "tool a after tool b", "tool a before tool b") for count in COUNTS),
        *("every tool a after tool b", "every tool a before tool b", "every tool a has x == 1"),
    ]
    runs = [
        [tool(at, name, {"x": at}) for at, name in enumerate(names)]
        for length in range(4)
        for names in itertools.product("ab", repeat=length)
    ]
    checked = 0
    for claim, run in itertools.product(map(parse, claims), runs):
        whole = judge(claim, Subject(run)).holds
        assert whole is not None
        for length in range(len(run) + 1):
            early = judge(claim, Subject(run[:length], "cut")).holds
            assert early in (None, whole)
            checked += early is not None
    assert checked > 100


def test_what_wasnt_stored_is_possible() -> None:
    assert holds("tool refund", [lost(0, "tool", "refund")]) is True
    assert holds("tool refund(amount > 1)", [lost(0, "tool", "refund")]) is None
    assert holds("gap refund called once", [lost(0, "tool", "refund")]) is True
    assert holds("tool mail", [lost(0, "tool", "refund")]) is False
    unstored = tool(0, "refund", status="failed", error=Failure("dict", "", {"gap": "too large"}))
    assert holds("tool refund(result == 1)", [unstored]) is None
    assert holds("tool refund(error)", [unstored]) is None
    assert holds("tool refund(result)", [tool(0, "refund", status="open", took=None)]) is None


def test_an_argument_that_was_left_out_has_its_default() -> None:
    assert holds("tool refund(currency == 'EUR')", RUN[1:2]) is None
    assert holds("tool refund(currency)", RUN[1:2]) is False
    assert holds("tool refund(result.note == null)", RUN[1:2]) is True


def test_agents_and_globs() -> None:
    events = [tool(0, "send_mail", meta={"agent": "planner"}), tool(1, "send_sms")]
    assert holds("tool send_* called twice", events)
    assert holds("tool send_* by planner called once", events)
    assert holds("tool *_s*s called once", events)
    assert holds("agent planner called once", events)
    assert not holds("tool s*d_mailbox", events)


def test_numbers_are_not_texts() -> None:
    assert holds("tool refund(amount == '5')", RUN) is False
    assert holds("tool refund(amount > '5')", RUN[1:2]) is None
    assert compare(True, "==", 1) == (False, "")
    assert compare("nan", "<", "x") == (True, "")
    assert compare(1 + 2j, "<", 3)[0] is None


def test_what_a_secret_was_replaced_in_is_undecided() -> None:
    assert compare("<redacted:0123abcd>", "==", "hunter2") == (None, "a secret was replaced in it")
    assert compare("key <redacted:0123abcd>", "!=", "key x")[0] is None
    assert compare("key <redacted:0123abcd>", "contains", "other") == (False, "")


def test_objects_are_looked_into_by_their_fields() -> None:
    order = Named("shop", "Order", "dataclass", {"id": 7, "kind": Named("shop", "Kind", "enum", ["TEA", "tea"])})
    assert walk(order, ("kind",)) == "tea"
    assert walk({"a": (1, {"b": order})}, ("a", 1, "b", "id")) == 7
    assert walk(order, ("nothing", "below")) is Absent.MISSING
    assert walk([1], ("x",)) is Absent.MISSING


def test_the_reason_names_the_events() -> None:
    found = judge("exit == 0 and tool refund called at most 1", Subject(RUN, values=WHOLE))
    assert found == Judged(False, "tool refund: called twice", (1, 2))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
EVENT = st.builds(
    Event,
    id=st.integers(0, 9),
    kind=st.sampled_from(["tool", "http", "mcp", "gap", "output", "memory", "file", "llm", "odd"]),
    name=st.sampled_from(["refund", "POST", ""]),
    effect=st.sampled_from(["read", "write", "draw"]),
    lane=st.just("m"),
    at=st.just(0),
    took=st.none() | st.integers(0, 9),
    site=st.none(),
    request=JSON | st.fixed_dictionaries({"url": st.just("http://h/v1/chat/completions"), "method": JSON}),
    body=st.none() | st.binary(max_size=9),
    status=st.sampled_from(["done", "failed", "streamed", "open"]),
    response=JSON,
    error=st.none() | st.builds(Failure, st.just("builtins.ValueError"), st.text(max_size=3), JSON),
    meta=st.dictionaries(st.sampled_from(["agent", "session"]), JSON, max_size=2),
    content=st.none() | st.binary(max_size=9),
)


@given(
    EXPRESSION,
    st.lists(EVENT, max_size=4),
    st.sampled_from(["", "cut"]),
    st.dictionaries(st.sampled_from(["exit", "exception", "tags", "result"]), JSON, max_size=3),
)
def test_it_is_total(expression: Expression, events: list[Event], open_: str, values: dict[str, Any]) -> None:
    assert judge(expression, Subject(events, open_, values)).holds in (True, False, None)
