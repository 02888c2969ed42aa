"""The language itself: every expression has a text that means it, and no text does anything but be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.expect import Expression, ExpressionInvalid, parse, show
from replay.expect.syntax import And
from tests.expect.expressions import EXPRESSION

FRAGMENTS = [
    "tool ",
    "refund",
    "(",
    ")",
    " and ",
    " or ",
    "not ",
    '"',
    "'",
    "[",
    "]",
    " after ",
    " called ",
    " at most ",
    "1",
    "==",
]


@given(EXPRESSION)
def test_an_expression_is_what_its_text_means(expression: Expression) -> None:
    assert parse(show(expression)) == expression


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    refused: ExpressionInvalid | None = None
    try:
        parse(text)
    except ExpressionInvalid as error:
        refused = error
    assert refused is None or 0 <= refused.column <= len(text)
    assert refused is None or len(refused.excerpt[1]) <= len(refused.excerpt[0]) + 1


@pytest.mark.parametrize("text", ["(" * 5000, "not " * 2000, "tool a after " * 700, "exit == 0 and " * 900, "9" * 9000])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        parse(text)


def test_breadth_isnt() -> None:
    expression = parse(" and ".join(["exit == 0"] * 600))
    assert isinstance(expression, And)
    assert len(expression.items) == 600


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("tol refund called once", 0, "did you mean tool?"),
        ("tool refund called at mots 1", 22, "did you mean most?"),
        ("exit = 0", 5, "did you mean ==?"),
        ("output contains ok", 16, "a text stands in quotes"),
        ("tool refund(amount >", 20, "a value is missing"),
        ("(exit == 0", 10, "')' is missing"),
        ("exit == 0 exit == 1", 10, "doesn't continue"),
        ('output contains "ok', 16, "never closed"),
        ('output matches "a(b"', 17, "never closed"),
        ('output matches "a(?=b)"', 17, "no looking around"),
        ("tool refund 2", 13, "'times' is missing"),
        ("tool refund called between 3 and 1", 33, "smaller"),
        ("every tool refund", 17, "every … has what?"),
        ("", 0, "ends too early"),
        ("no refund", 3, "no kind of event"),
        ("tool refund called at most 1.5", 27, "how many times"),
        ("exit == 1e999", 8, "too large"),
        ("tool 3d", 5, "stand in quotes"),
    ],
)
def test_errors_point_at_the_place(text: str, column: int, says: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        parse(text)
    assert (caught.value.column, caught.value.exit_code) == (column, 129)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tool refund", "tool refund called at least 1"),
        ("no tool refund", "tool refund never called"),
        ("tool a never after tool b", "no tool a after tool b"),
        ("tool a called once after tool b", "tool a after tool b called exactly 1"),
        ("tool a called once after tool b", "tool a after tool b 1 times"),
        ("model gpt-4o", "llm gpt-4o"),
        ("tool a by planner", 'tool a(agent == "planner")'),
        ("tool a by agent planner", "tool a by planner"),
        ("tool a(x == 1, y == 2)", "tool a(x == 1 and y == 2)"),
        ("tool 'after'", 'tool "after"'),
        ("every tool a has x", "every tool a has (x)"),
    ],
)
def test_two_ways_to_say_it(one: str, other: str) -> None:
    assert parse(one) == parse(other)
