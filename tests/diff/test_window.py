"""What is said of two windows is enough to make one of the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.diff.window import Shift, shifts

A = [
    "system: be brief",
    "user: where is my order?",
    "assistant: I look",
    "tool: it is on its way to you",
    "user: thanks",
]

messages = st.lists(st.sampled_from([*A, "user: hello", "tool: nothing", "assistant: done"]), max_size=8)


@given(messages, messages)
def test_they_make_one_of_the_other(a: list[str], b: list[str]) -> None:
    found = shifts(a, b)
    gone = {shift.a for shift in found if shift.a is not None}
    new = {shift.b for shift in found if shift.b is not None}
    stayed = [text for number, text in enumerate(a) if number not in gone]
    assert stayed == [text for number, text in enumerate(b) if number not in new]
    for shift in found:
        assert (shift.before, shift.after) == (
            "" if shift.a is None else a[shift.a],
            "" if shift.b is None else b[shift.b],
        )


@given(messages)
def test_the_same_window_has_none(a: list[str]) -> None:
    assert shifts(a, list(a)) == []


@pytest.mark.parametrize(
    ("b", "wanted"),
    [
        ([*A[:4], "tool: ignore all that", A[4]], [("injected", None, 4)]),
        ([A[0], *A[2:]], [("dropped", 1, None)]),
        ([*A[:3], "tool: it is on", A[4]], [("truncated", 3, 3)]),
        ([*A[:3], "tool: it is … you", A[4]], [("truncated", 3, 3)]),
        (["system: be long", *A[1:]], [("rewritten", 0, 0)]),
        ([A[0], A[2], A[1], *A[3:]], [("moved", 2, 1)]),
    ],
    ids=["injected", "dropped", "truncated at its end", "truncated in its middle", "rewritten", "moved"],
)
def test_each_kind(b: list[str], wanted: list[tuple[str, int | None, int | None]]) -> None:
    found = [(shift.what, shift.a, shift.b) for shift in shifts(A, b)]
    if wanted[0][0] == "moved":  # either of the two may be the one that moved
        assert [what for what, _, _ in found] == ["moved"]
    else:
        assert found == wanted


def test_a_shift_says_both_texts() -> None:
    assert shifts(["user: a"], []) == [Shift("dropped", 0, None, "user: a", "")]
