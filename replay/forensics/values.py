"""Where the values of a call's arguments had been before: exact, normalised, in part, or nowhere. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from replay.forensics.text import SIGNS, Span, leaves, plain, tokens

How = Literal["exact", "normalised", "fuzzy", "tokens"]
"""Letter by letter; but for case, signs and wrapping; nearly (most of its words, in a row); some rare words of it."""

COMMON: Final = frozenset(
    "the a an of to in on for and or with from by at is are be it this that i you we he she they my your his her our "
    "their as was were will all any not no so if but do does did have has had can could would should about into me us "
    "them than then there here what which who when how hi hello dear thanks thank regards best true false none null "
    "yes".split()
)
"""Words that say nothing of what they stand in."""
_RARE: Final = re.compile(r"\d|@|/|\.\w|<~")
_LONG: Final = 400
"""Of a longer value only so many characters are looked for, unless it stands in a text as it is."""

_SHORT: Final = 4
"""Values with fewer characters are found everywhere: they count as words do."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an argument: its place in the arguments, and its text."""

    argument: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and where it stands in a text. `part`: which part of the value that is."""

    value: Value
    how: How
    span: Span
    part: Span


def values(arguments: Any) -> list[Value]:
    """All values of a call's arguments that say something.

    Example:
        >>> [value.text for value in values({"to": "bo@example.org", "urgent": True})]
        ['bo@example.org']
    """
    return [Value(path or "value", text) for path, text in leaves(arguments) if text.strip()]


class Rarity:
    """How much it says that a word stands in a text: the less, the more of the other texts have it as well.

    A word with digits or signs of addresses in it weighs more than one of letters.
    """

    def __init__(self, texts: Iterable[Iterable[str]]) -> None:
        self._in = Counter(token for text in texts for token in set(text))

    def __call__(self, token: str) -> float:
        base = 1.0 if _RARE.search(token) and len(token) >= _SHORT else 0.35 if len(token) >= _SHORT else 0.15
        return 0.0 if token in COMMON else base / (self._in[token] or 1)


def telling(wanted: Sequence[Value]) -> frozenset[str]:
    """The words of values that aren't in every text anyhow."""
    return frozenset(
        token for value in wanted for token in _wanted(value.text) if len(token) > 1 and token not in COMMON
    )


def share(wanted: frozenset[str], there: frozenset[str], rarity: Rarity) -> float:
    """How much of the wanted words is there, by what they weigh: from 0 to 1."""
    whole = sum(map(rarity, wanted))
    return sum(rarity(token) for token in wanted & there) / whole if whole else 0.0


@lru_cache(maxsize=4096)
def _wanted(value: str) -> tuple[str, ...]:
    """The tokens of a value."""
    return tuple(token for token, _ in tokens(value))


class Taken(NamedTuple):
    """A text taken apart once: its tokens in order, where each stands among these, and where each number first does."""

    tokens: list[tuple[str, Span]]
    places: dict[str, list[int]]
    numbers: dict[float, Span]


@lru_cache(maxsize=1024)
def taken(text: str) -> Taken:
    """Takes a text apart: the same texts are in the windows of many calls."""
    spans = list(tokens(text))
    places: dict[str, list[int]] = {}
    numbers: dict[float, Span] = {}
    for number, (token, span) in enumerate(spans):
        places.setdefault(token, []).append(number)
        if token[:1].isdigit():
            try:
                numbers.setdefault(float(token), span)
            except ValueError:
                continue
    return Taken(spans, places, numbers)


def locate(value: Value, text: str) -> Found | None:
    """Where a value stands in a text, found by the strictest way in which it does.

    Example:
        >>> locate(Value("to", "Bo Ek"), "for bo  ek.").how
        'normalised'
    """
    bare = value.text.strip()
    if len(bare) < 2:
        return None
    at = text.find(bare)
    while at >= 0:
        if _whole(text, at, at + len(bare)):
            return Found(value, "exact", Span(at, at + len(bare)), Span(0, len(value.text)))
        at = text.find(bare, at + 1)
    there = taken(text)
    spans = there.tokens
    wanted = _wanted(bare[:_LONG])
    if not any(token in there.places for token in wanted):
        return _number(value, there)
    run = _run(wanted, there)
    whole = len(bare) <= _LONG and len(plain(bare)) >= _SHORT
    if run and len(run) == len(wanted) == run[-1] - run[0] + 1 and whole:
        return Found(value, "normalised", _from(spans, run), Span(0, len(value.text)))
    if len(wanted) >= 4 and len(run) >= 0.6 * len(wanted):
        return Found(value, "fuzzy", _from(spans, run), Span(0, len(value.text)))
    rare = {token for token in wanted if token not in COMMON and (_RARE.search(token) or len(token) > 6)}
    first = min((there.places[token][0] for token in rare if token in there.places), default=None)
    if first is None:
        return None
    token, span = spans[first]
    start = max(value.text.lower().find(token), 0)
    return Found(value, "tokens", span, Span(start, start + len(token)))


def stands(value: str, text: str) -> bool:
    """Whether a value stands in a text as it is, and not in the middle of a word.

    Example:
        >>> stands("a-1", "order a-1."), stands("a-1", "order a-12.")
        (True, False)
    """
    at = text.find(value)
    while at >= 0:
        if _whole(text, at, at + len(value)):
            return True
        at = text.find(value, at + 1)
    return False


def _whole(text: str, start: int, end: int) -> bool:
    """Not in the middle of a longer word or number."""
    return not (_joined(text[start - 1 : start + 1]) or _joined(text[end - 1 : end + 1]))


def _joined(pair: str) -> bool:
    """Whether two signs next to each other are of one word."""
    return len(pair) == 2 and pair.isalnum() and bool(SIGNS.match(pair)) == bool(SIGNS.match(pair[1]))


def _number(value: Value, there: Taken) -> Found | None:
    """100 and 100.0 and 1,00 are the same number."""
    try:
        number = float(value.text)
    except ValueError:
        return None
    span = there.numbers.get(number)
    return None if span is None else Found(value, "normalised", span, Span(0, len(value.text)))


def _from(spans: Sequence[tuple[str, Span]], run: Sequence[int]) -> Span:
    return Span(spans[run[0]][1].start, spans[run[-1]][1].end)


def _run(wanted: Sequence[str], there: Taken) -> list[int]:
    """Where the most of the wanted words stand in their order, with as many others between them as there are wanted."""
    spans, places = there.tokens, there.places
    rarest = min((token for token in wanted if token in places), key=lambda token: len(places[token]), default=None)
    if rarest is None:
        return []
    best: list[int] = []
    lead = wanted.index(rarest)
    for at in places[rarest][:50]:
        start, end = max(at - 2 * lead - 1, 0), min(at + 2 * (len(wanted) - lead) + 1, len(spans))
        hits: list[int] = []
        for token in wanted:
            found = next((place for place in range(start, end) if spans[place][0] == token), None)
            if found is not None:
                hits.append(found)
                start = found + 1
        if len(hits) > len(best):
            best = hits
    return best


def made_up(wanted: Sequence[Value], texts: Mapping[Any, str]) -> list[Value]:
    """Values that stand in none of the texts: the model made them up, or computed them."""
    return [value for value in wanted if all(locate(value, text) is None for text in texts.values())]
