"""Expressions of all forms, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from replay.expect.syntax import (
    FACTS,
    KINDS,
    OPERATORS,
    VALUES,
    And,
    Compare,
    Count,
    Every,
    Expression,
    Fact,
    Not,
    Or,
    Raises,
    Select,
)

_WORD = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
_NAME = st.one_of(_WORD, st.text(max_size=6), st.sampled_from(["after", "send_*", "math.add", "a-b", "3d", ""]))
_SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)
_ROOT = _WORD.filter(lambda word: word not in "and or not in has true false null at by no".split())


def _comparisons(root: st.SearchStrategy[str]) -> st.SearchStrategy[Compare]:
    """Of a value that begins with such a word."""
    path = st.tuples(root, st.lists(st.one_of(st.text(max_size=4), st.integers(-9, 9)), max_size=3)).map(
        lambda both: (both[0], *both[1])
    )

    def value(operator: str) -> st.SearchStrategy[Any]:
        if operator == "in":
            return st.lists(_SCALAR, max_size=3).map(tuple)
        if operator == "":
            return st.none()
        texts = operator in ("matches", "starts with", "ends with")
        return st.sampled_from(["a+", r"\d", "x|y"]) if texts else _SCALAR

    return st.sampled_from(["", *OPERATORS]).flatmap(
        lambda operator: st.builds(Compare, path, st.just(operator), value(operator))
    )


def _combined(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=6,
    )


_CONDITION = _combined(_comparisons(_ROOT))
_PLAIN = st.builds(Select, st.sampled_from(KINDS), st.none() | _NAME, st.none() | _CONDITION)
_ORDER: st.SearchStrategy[Any] = st.tuples(st.sampled_from(["after", "before"]), _PLAIN)


def _select(one: Select, order: Any) -> Select:
    return Select(one.kind, one.name, one.where, order)


def _count(events: Select, bounds: tuple[int, int | None]) -> Count:
    return Count(events, *bounds)


def _every(events: Select, order: Any) -> Every:
    return Every(events, order=order)


_SELECT = st.builds(_select, _PLAIN, st.none() | _ORDER)
_COUNT = st.tuples(st.integers(0, 5), st.none() | st.integers(0, 5)).filter(lambda c: c[1] is None or c[0] <= c[1])

EXPRESSION: st.SearchStrategy[Expression] = _combined(
    st.one_of(
        st.builds(_count, _SELECT, _COUNT),
        st.builds(Every, _SELECT, has=_CONDITION),
        st.builds(_every, _PLAIN, _ORDER),
        st.builds(Fact, st.sampled_from(FACTS)),
        st.builds(Raises, st.none() | _NAME),
        _comparisons(st.sampled_from(VALUES)),
    )
)
