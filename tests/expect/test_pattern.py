"""Patterns: what `re` finds they find, in linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from replay.expect.pattern import Pattern, PatternInvalid

ATOM = st.sampled_from(
    [
        "a",
        "b",
        "c",
        ".",
        "[ab]",
        "[^a]",
        "[a-c0]",
        r"\d",
        r"\w",
        r"\S",
        "^",
        "$",
        r"\b",
        r"\B",
        r"\.",
        "-",
        "\n",
        "[]a]",
    ]
)
REPEATED = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "*?", "{,2}", "{1,}"])


def grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    either = st.lists(inner, min_size=1, max_size=3).map("|".join)
    row = st.lists(inner, min_size=1, max_size=3).map("".join)
    return st.tuples(st.sampled_from(["(", "(?:"]), either | row, REPEATED).map(lambda p: f"{p[0]}{p[1]}){p[2]}")


CHARACTER = st.tuples(ATOM, REPEATED).map(lambda p: p[0] + (p[1] if p[0] not in ("^", "$", r"\b", r"\B") else ""))
PATTERN = st.recursive(CHARACTER, grouped, max_leaves=6)


@given(st.lists(PATTERN, max_size=3).map("".join), st.text("abcAB019 .-_\n", max_size=12), st.booleans())
def test_finds_what_re_finds(pattern: str, text: str, any_case: bool) -> None:
    assume(text or r"\B" not in pattern)  # before 3.14, `re` finds none in an empty text
    pattern = f"(?i){pattern}" if any_case else pattern
    assert Pattern(pattern).found_in(text) is (re.search(pattern, text) is not None)


@given(st.text("ab(|)[]*+?{},1^$\\d.-", max_size=12))
def test_reads_any_text_or_refuses_it(pattern: str) -> None:
    refused_at = 0
    try:
        Pattern(pattern).found_in("ab1")
    except PatternInvalid as error:
        refused_at = error.at
    assert 0 <= refused_at <= len(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+$", "a*a*a*a*a*b", "(.*a){12}b", "^(([a-z])+.)+[A-Z]$"]
)
def test_takes_linear_time(pattern: str) -> None:
    """Each of these takes `re` longer than anyone waits."""
    assert not Pattern(pattern).found_in("a" * 20_000 + "!")


@pytest.mark.parametrize(
    "pattern", ["a{999}{999}", "(((a{99}){99}){99}){99}", "(){999}{999}{999}", "(" * 60 + ")" * 60]
)
def test_is_bounded(pattern: str) -> None:
    with pytest.raises(PatternInvalid):
        Pattern(pattern)


def test_a_beginning_is_enough_only_where_no_place_counts() -> None:
    assert Pattern("ok").found_in_any_that_begins("it is ok")
    assert not Pattern("ok$").found_in_any_that_begins("it is ok")
