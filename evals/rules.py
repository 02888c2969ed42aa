"""Trivial rules that name the result of a tool that an attack came in; what is worth having does better."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from replay.forensics.text import leaves
from replay.model.event import Event

Rule = Callable[[Sequence[Event], Event], Event]
"""(results, the call) -> the result that it names."""


def _text(event: Event) -> str:
    return str(event.response)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w@.-]+", text.lower()))


def _overlap(results: Sequence[Event], made: Event) -> Event:
    wanted = _words(" ".join(text for _, text in leaves(made.request)))
    return max(results, key=lambda event: len(wanted & _words(_text(event))))


RULES: dict[str, Rule] = {
    "first": lambda results, made: results[0],
    "last": lambda results, made: results[-1],
    "longest": lambda results, made: max(results, key=lambda event: len(_text(event))),
    "overlap": _overlap,
}
