"""What a call cost, by prices that the caller supplies: none are built in, since they change and differ by contract."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from replay.semantics.call import LLMCall

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens, in whatever currency. `cached` and `cache_write` are those of `input` where not given."""

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None


_FIELDS = ("input", "output", "cached", "cache_write")
Prices = Mapping[str, Price]


def prices(document: Any) -> dict[str, Price]:
    """Prices from a JSON document: `{model: {"input": …, "output": …, "cached": …, "cache_write": …}}`, of a million
    tokens each. A model may be a pattern with `*`, and may have its provider before it: `azure.ai.openai/gpt-4o*`.

    Raises:
        ValueError: what is wrong with it, in words.

    Example:
        >>> prices({"gpt-4o*": {"input": 2.5, "output": 10}})
        {'gpt-4o*': Price(input=2.5, output=10.0, cached=None, cache_write=None)}
    """
    if not isinstance(document, dict):
        raise ValueError("prices have to be an object: model -> price")
    found: dict[str, Price] = {}
    for model, given in cast("Mapping[str, Any]", document).items():
        if not isinstance(given, dict):
            raise ValueError(f"{model}: a price has to be an object")
        price = cast("Mapping[str, Any]", given)
        unknown = sorted(set(price) - set(_FIELDS))
        if unknown:
            raise ValueError(f"{model}: {', '.join(unknown)} isn't one of {', '.join(_FIELDS)}")
        for name in ("input", "output"):
            if name not in price:
                raise ValueError(f"{model}: the price of {name} is missing")
        for name, number in price.items():
            right = isinstance(number, (int, float)) and not isinstance(number, bool)
            if not right or not math.isfinite(number) or number < 0:
                raise ValueError(f"{model}: {name} has to be a number of 0 or more")
        found[model] = Price(**{name: float(number) for name, number in price.items()})
    return found


def cost(call: LLMCall, known: Prices) -> float | None:
    """What the call cost; None when its model has no price, or the provider didn't say how many tokens it was.

    Example:
        >>> from replay.semantics import Usage
        >>> call = LLMCall("openai.chat", "chat", "openai", "gpt-4o", usage=Usage(1000, 100, cached=400))
        >>> cost(call, {"gpt-4o": Price(2.5, 10, cached=1.25)})
        0.003
    """
    usage = call.usage
    price = _price(call, known)
    if price is None or (usage.input is None and usage.output is None):
        return None
    cached, written = usage.cached or 0, usage.cache_write or 0
    fresh = max((usage.input or 0) - cached - written, 0)
    total = fresh * price.input + (usage.output or 0) * price.output
    total += cached * (price.input if price.cached is None else price.cached)
    total += written * (price.input if price.cache_write is None else price.cache_write)
    return total / MILLION


def _price(call: LLMCall, known: Prices) -> Price | None:
    """By the model that answered, then the one that was asked for; exact names first, then the longest pattern."""
    models = [model for model in (call.response_model, call.request_model) if model]
    names = [name for model in models for name in (f"{call.provider}/{model}", model)]
    exact = next((known[name] for name in names if name in known), None)
    if exact is not None:
        return exact
    patterns = sorted((pattern for pattern in known if "*" in pattern), key=len, reverse=True)
    return next((known[p] for name in names for p in patterns if fnmatchcase(name, p)), None)
