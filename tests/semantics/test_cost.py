"""Costs by prices that the caller supplies."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.semantics import LLMCall, Price, Usage, cost, prices

COUNTS = st.none() | st.integers(0, 10**7)


def call(usage: Usage, *, model: str = "gpt-4o", answered: str | None = None, provider: str = "openai") -> LLMCall:
    """A call of that many tokens."""
    return LLMCall("openai.chat", "chat", provider, model, answered, usage=usage)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_every_token_is_paid_once(
    input_: int | None, output: int | None, cached: int | None, written: int | None
) -> None:
    usage = Usage(input_, output, cached, None, written)
    one = cost(call(usage), {"gpt-4o": Price(1, 1)})
    if input_ is None and output is None:
        assert one is None
        return
    assert one is not None
    read = max(input_ or 0, (cached or 0) + (written or 0))
    assert math.isclose(one * 1_000_000, read + (output or 0))
    assert cost(call(usage), {"gpt-4o": Price(0, 0, 0, 0)}) == 0
    dear = cost(call(usage), {"gpt-4o": Price(1, 1, 2, 3)})
    assert dear is not None
    assert math.isclose(dear * 1_000_000, read + (output or 0) + (cached or 0) + 2 * (written or 0))


def test_which_price() -> None:
    usage = Usage(1_000_000, 0)
    known = {"gpt-4o": Price(1, 0), "gpt-4o-2024-*": Price(2, 0), "gpt-*": Price(3, 0), "azure/gpt-5": Price(4, 0)}
    for model, answered, provider, paid in (
        ("gpt-4o", None, "openai", 1),
        ("gpt-4o", "gpt-4o-2024-08-06", "openai", 1),
        ("x", "gpt-4o-2024-08-06", "openai", 2),
        ("gpt-4o-mini", None, "openai", 3),
        ("gpt-5", None, "azure", 4),
        ("claude", None, "anthropic", None),
    ):
        assert cost(call(usage, model=model, answered=answered, provider=provider), known) == paid


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "prices have to be an object"),
        ({"m": 1}, "m: a price has to be an object"),
        ({"m": {"input": 1}}, "m: the price of output is missing"),
        ({"m": {"input": 1, "output": -1}}, "m: output has to be a number"),
        ({"m": {"input": True, "output": 1}}, "m: input has to be a number"),
        ({"m": {"input": 1, "output": math.inf}}, "m: output has to be a number"),
        ({"m": {"input": 1, "output": 1, "chached": 1}}, "m: chached isn't one of"),
    ],
)
def test_prices_that_are_none(document: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        prices(document)
