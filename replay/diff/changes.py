"""In which parts two requests, or two answers, differ; what is new in every run is no part. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from replay.diff.steps import PROMPTS, Step
from replay.diff.window import shifts
from replay.matching.explain import between
from replay.matching.shapes import mask
from replay.matching.stable import stable

Change = tuple[Any, Any]
Changes = Mapping[str, Change]
"""Name of a part -> (in a, in b); None where it is missing."""


def of_request(a: Step, b: Step) -> dict[str, Change]:
    """What was asked otherwise; of a model what is in its window, and not what people chose (`of_settings`)."""
    if a.ask == b.ask:
        return {}
    if a.readable and b.readable:
        return dict(_of_windows(a, b))
    return _structured(a.asked, b.asked)


def of_settings(a: Step, b: Step) -> dict[str, Change]:
    """Model, parameters, tools and prompts of a call of a model that differ; nothing where it is none."""
    if a.ask == b.ask or not (a.may_be_call and b.may_be_call) or _chosen_alike(a.json, b.json):
        return {}
    if not a.readable or not b.readable:
        return {}
    return _flat(a.settings, b.settings)


def of_answer(a: Step, b: Step) -> dict[str, Change]:
    """What was answered otherwise."""
    return {} if a.answer == b.answer else _structured(a.answered, b.answered)


def drawn(one: Any, other: Any) -> bool:
    """Two values that differ in times, ids or random numbers only."""
    return type(one) is type(other) and masked(text(one)) == masked(text(other))


@lru_cache(maxsize=512)
def masked(said: str) -> str:
    """The text without its times, ids and random numbers; which of these something is can't be told from a number."""
    quick = stable(said.encode("utf-8", "surrogatepass")).decode("utf-8", "backslashreplace")
    return _SHAPE.sub("\\\\xff", mask(quick)[0]) if len(said) <= _LOOKED_AT else quick


def text(value: Any) -> str:
    """As it is compared with other texts."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def _chosen_alike(one: Any, other: Any) -> bool:
    """Whether two bodies differ in nothing but messages that nobody chose: most do, and this is seen fast."""
    if not isinstance(one, dict) or not isinstance(other, dict) or one.keys() != other.keys():  # pyright: ignore[reportUnknownMemberType]
        return False
    return all(_alike(_chosen(value), _chosen(other[key])) for key, value in one.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _alike(one: Any, other: Any) -> bool:
    return one == other or stable(repr(one).encode("utf-8", "surrogatepass")) == stable(
        repr(other).encode("utf-8", "surrogatepass")
    )


def _chosen(value: Any) -> Any:
    """Of a list of messages, the prompts."""
    if isinstance(value, list) and value and all(isinstance(each, dict) and "role" in each for each in value):  # pyright: ignore[reportUnknownVariableType]
        return [each for each in value if each["role"] in PROMPTS]  # pyright: ignore[reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _structured(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Change]:
    found = between(dict(one), dict(other), 0)
    return {
        each.path: (each.expected, each.got)
        for each in found
        if each.what != "changed" or not drawn(each.expected, each.got)
    }


def _flat(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Change]:
    both = {name: (one.get(name), other.get(name)) for name in [*one, *(name for name in other if name not in one)]}
    return {
        name: pair
        for name, pair in both.items()
        if pair[0] != pair[1] and not (name in one and name in other and drawn(*pair))
    }


def _of_windows(a: Step, b: Step) -> Iterator[tuple[str, Change]]:
    for shift in shifts(a.window, b.window):
        role = (shift.after or shift.before).partition(":")[0]
        if role not in PROMPTS and (shift.what == "moved" or not drawn(shift.before, shift.after)):
            number = shift.b if shift.b is not None else shift.a
            yield f"message {number} {shift.what}", (shift.before or None, shift.after or None)


_SHAPE: Final = re.compile("‹[a-z ]+›")
_LOOKED_AT: Final = 20_000
"""Characters of a text in which all shapes are looked for, and not only those that are found fast."""
