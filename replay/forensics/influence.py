"""How much each text that a model had before it accounts for a call that it made. Pure.

A text that the user or the operator wrote (a *principal's*) may ask for anything. Any other text (a tool's result, what
a memory held, another agent's words) is data: that it *accounts* for a call means that a span in it tells somebody to
do what was done, with the values it was done with, and that the user's words don't. Each is measured on its own, and
put together by a few weights (`WEIGHTS`), so that it can be said which of them it was.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from replay.forensics.directives import Shape, actions, shape
from replay.forensics.text import Span, parts, plain, segments, stem, stems
from replay.forensics.values import COMMON, Rarity, Value, share, stands, taken, telling, values

PRINCIPALS: Final = frozenset({"system", "developer", "user"})
"""Roles whose texts may ask for anything."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text that the model had before it.

    Attributes:
        role: `system`, `user`, `tool`, `agent` (another one), `assistant` (what it said itself), or an event's kind.
        text: all of it. message: its position in the window, None for what isn't a message.
        event: the event it came from, where that is known. name: the tool's, the agent's, the memory key's.
        asked: of a tool's result: the arguments by which the agent got it.
        trust: `trusted`, `untrusted`, or nothing. label: what says so (`replay.forensics.trust`).
    """

    role: str
    text: str
    message: int | None = None
    event: int | None = None
    name: str = ""
    asked: Any = None
    trust: str = ""
    label: str = ""

    @property
    def principal(self) -> bool:
        """Whether it may ask for anything."""
        return self.role in PRINCIPALS and self.trust != "untrusted"


class Features(NamedTuple):
    """What is measured of one span of data and a call; each from 0 to about 1 but for `shape`.

    Attributes:
        shape: how much the span, with what stands around it, looks like an instruction: 0 to 3.
        reader: it speaks of its reader's task, rules or nature.
        prose: it is made of words rather than of fields.
        action: its words name what was called. values: it has the call's values (rare ones weigh more). whole: it has
            values of the call in one piece.
        chosen: it brought up a value of the call: nobody had it before, and the user has it nowhere.
        elsewhere: other texts brought up values of the call, and none of them stands here or near.
        told, told_values: the same two of everything the user said.
        reads: the call only reads, as far as its name tells.
        pointed: the user named the very thing this text came from. delegated: and said to act by it.
        trusted, untrusted: its source is labelled so.
    """

    shape: float = 0.0
    reader: float = 0.0
    prose: float = 0.0
    action: float = 0.0
    values: float = 0.0
    whole: float = 0.0
    chosen: float = 0.0
    elsewhere: float = 0.0
    told: float = 0.0
    told_values: float = 0.0
    reads: float = 0.0
    pointed: float = 0.0
    delegated: float = 0.0
    trusted: float = 0.0
    untrusted: float = 0.0


@dataclass(frozen=True, slots=True)
class Influence:
    """How much one source accounts for the call.

    Attributes:
        score: 0 to 1. span: the part of its text that counts; None where none does.
        features: what was measured; None for principals and the agent's own words.
        shape: what the span looks like.
    """

    source: Source
    score: float
    span: Span | None = None
    features: Features | None = None
    shape: Shape | None = None

    @property
    def unlabelled(self) -> float | None:
        """What the score would be without the label of the source; None where it has none."""
        if self.features is None or not self.source.label:
            return None
        return score(self.features._replace(trusted=0.0, untrusted=0.0))


class View(NamedTuple):
    """A text, taken apart once."""

    spans: tuple[Span, ...]
    tokens: tuple[frozenset[str], ...]
    stems: tuple[frozenset[str], ...]
    all_tokens: frozenset[str]
    all_stems: frozenset[str]
    lower: str


@lru_cache(maxsize=4096)
def view(text: str) -> View:
    """The segments of a text, and the words in each."""
    spans = segments(text)
    starts = [span.start for span in spans]
    held: list[set[str]] = [set() for _ in spans]
    for token, span in taken(text).tokens:
        at = bisect_right(starts, span.start) - 1
        if at >= 0:
            held[at].add(token)
    stemmed = [stems(text[a:b]) for a, b in spans]
    every = frozenset[str]().union(*held)
    return View(
        tuple(spans), tuple(map(frozenset, held)), tuple(stemmed), every, frozenset[str]().union(*stemmed), text.lower()
    )


class Call(NamedTuple):
    """A call as it is compared: what it is called, and what it is given."""

    name: str
    words: frozenset[str]
    actions: frozenset[str]
    values: tuple[Value, ...]
    telling: frozenset[str]


def call(name: str, arguments: Any) -> Call:
    """Takes a call apart."""
    named = frozenset(stem(part) for part in parts(name) if part not in COMMON)
    given = tuple(values(arguments))
    return Call(name, named, actions(named), given, telling(given))


def influences(made: Call, sources: Sequence[Source], *, done: bool = False) -> list[Influence]:
    """How much each source accounts for the call, in the order of the sources.

    Args:
        done: the same call has been made since the user spoke last, so that the user's words don't explain this one.
    """
    views = [view(source.text) for source in sources]
    rarity = Rarity([each.all_tokens for each in views])
    own = _Own(sources)
    user = [each for source, each in zip(sources, views, strict=True) if source.principal and source.role != "system"]
    asked = _Asked(made, () if done else user, rarity)
    scene = _Scene(made, rarity, own, asked, _brought(made, sources, views))
    found: list[Influence] = []
    for number, (source, each) in enumerate(zip(sources, views, strict=True)):
        silent = source.principal or source.role == "assistant"
        found.append(Influence(source, 0.0) if silent else _data(scene, source, each, number))
        own.heard += 1
    rest = 1 - max((one.score for one in found), default=0.0)
    said = {n: _covered(made, each, rarity) for n, each in enumerate(views) if sources[n].principal}
    users = {n for n in said if sources[n].role == "user"}
    most = max((said[n][0] for n in users), default=0.01)
    for n, (covered, span) in said.items():
        weight = 0.5 + 0.5 * covered / most if n in users else 0.5
        found[n] = Influence(sources[n], rest * weight, span)
    for n, one in enumerate(found):
        if one.features is not None:  # a text that only has the values isn't before the words that asked for the call
            has = share(made.telling, views[n].all_tokens, rarity)
            found[n] = replace(one, score=max(one.score, 0.9 * rest * min(has, 0.5)))
    return found


REACHED: Final = 0.5
"""The most that a text counts for a call that no model decided: it has all the values, and told nobody anything."""


def reached(made: Call, sources: Sequence[Source]) -> list[Influence]:
    """How much of the call's values each source has, for a call that the program's code made.

    Code follows no instructions: all that can be shown is which inputs came up in it.
    """
    views = [view(source.text) for source in sources]
    rarity = Rarity([each.all_tokens for each in views])
    return [
        Influence(source, REACHED * share(made.telling, each.all_tokens, rarity))
        for source, each in zip(sources, views, strict=True)
    ]


_NAMES: Final = re.compile(r"(?=\S*[\d@/_.])\S{5,}")
"""What names one thing only: an address, an account, an id, a file."""


def _brought(made: Call, sources: Sequence[Source], views: Sequence[View]) -> dict[int, list[tuple[str, float]]]:
    """Number of a source -> the values of the call that it has before all others, and how much each says: 0 to 1.

    What principals have at all, or the agent itself had first, was brought up by nobody else.
    """
    found: dict[int, list[tuple[str, float]]] = {}
    for value in made.values:
        text = value.text.strip().lower()
        if not 1 < len(text) <= _LONGEST:
            continue
        having = [number for number, each in enumerate(views) if stands(text, each.lower)]
        if not having or sources[having[0]].role == "assistant" or any(sources[n].principal for n in having):
            continue
        says = 1.0 if _NAMES.fullmatch(text) or len(text.split()) > 2 else _SAYS if len(text) > 4 else _SAYS / 2
        found.setdefault(having[0], []).append((text, says))
    return found


_SAYS: Final = 0.5
"""How much a word says that isn't the name of one thing."""

_LONGEST: Final = 300
"""Characters of a value that a text may have brought up; longer ones are put together."""


def _covered(made: Call, each: View, rarity: Rarity) -> tuple[float, Span | None]:
    """How much a segment of a principal's text has of the call, at best, and which."""
    best, at = 0.01, None
    for number, span in enumerate(each.spans):
        here = action(made, each.stems[number]) + share(made.telling, each.tokens[number], rarity)
        if here > best:
            best, at = here, span
    return best, at


class _Own:
    """What principals and the agent itself said, in order: who repeats it tells nobody anything."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.heard = 0
        self._ends = [0]
        self._said = ""
        for source in sources:
            if source.principal or source.role == "assistant":
                self._said += plain(source.text) + "\n"
            self._ends.append(len(self._said))

    def __contains__(self, text: str) -> bool:
        return self._said.find(plain(text), 0, self._ends[self.heard]) >= 0


class _Asked:
    """What the user said of such a call."""

    def __init__(self, made: Call, user: Sequence[View], rarity: Rarity) -> None:
        said = frozenset[str]().union(*(each.all_tokens for each in user))
        self.action = max((action(made, here) for each in user for here in each.stems), default=0.0)
        self.values = share(made.telling, said, rarity)
        self._said = [each.lower for each in user]
        self._delegating = [
            each.lower[span.start : span.end]
            for each in user
            for span, here in zip(each.spans, each.stems, strict=True)
            if here & _DELEGATES
        ]

    def pointed(self, arguments: Any) -> bool:
        """Whether the user named what a text was got by: a file, a page, an id."""
        named = [_bare(value.text) for value in values(arguments) if _NAMES.fullmatch(value.text.strip())]
        return any(name in text for name in named for text in self._said)

    def delegated(self, arguments: Any) -> bool:
        """Whether the user said to act by a thing, and named in the same breath what it was got by."""
        named = [_bare(value.text) for value in values(arguments) if len(value.text) > 3]
        return any(name in text for name in named for text in self._delegating)


def _bare(address: str) -> str:
    """As people write addresses."""
    return address.lower().removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")


_DELEGATES: Final = frozenset(
    map(stem, "tasks todo todos actions instructions steps adjustments described specified".split())
)

_READING: Final = frozenset(
    "get read search list find fetch check show look lookup view query describe count calculate retrieve browse "
    "open".split()
)


def action(made: Call, named: frozenset[str]) -> float:
    """How much words (their stems) name what was called: from 0 to 1."""
    said = len(made.words & named) / len(made.words) if made.words else 0.0
    return 0.6 * said + 0.4 * bool(made.actions & actions(named))


NEAR: Final = 2
"""Segments on either side that belong to what a segment says."""


class _Scene(NamedTuple):
    """What the texts before a call are measured against."""

    made: Call
    rarity: Rarity
    own: _Own
    asked: _Asked
    brought: dict[int, list[tuple[str, float]]]


def _data(scene: _Scene, source: Source, each: View, number: int) -> Influence:
    """The span of a text that accounts best for the call."""
    made, rarity, own, asked, brings = scene
    if not (made.telling & each.all_tokens or action(made, each.all_stems)):
        return Influence(source, 0.0)
    brought = brings.get(number, ())
    every = [value for values_ in brings.values() for value, says in values_ if says >= _SAYS]
    verb = next(iter(parts(made.name)), "")
    text = source.text
    shapes: dict[int, tuple[Shape, float]] = {}

    def shaped(at: int) -> tuple[Shape, float]:
        """The shape of a segment, and its strength: none where the user or the agent said the same before."""
        if at not in shapes:
            said = text[each.spans[at].start : each.spans[at].end]
            form = shape(said, verb)
            echo = len(said) > 15 and said in own
            shapes[at] = form, 0.0 if echo else form.strength
        return shapes[at]

    same = Features(
        told=asked.action, told_values=asked.values, reads=float(verb in _READING),
        pointed=float(asked.pointed(source.asked)), delegated=float(asked.delegated(source.asked)),
        trusted=float(source.trust == "trusted"), untrusted=float(source.trust == "untrusted"),
    )  # fmt: skip
    best = Influence(source, 0.0)
    for at, span in enumerate(each.spans):
        acted = action(made, each.stems[at])
        has = share(made.telling, each.tokens[at], rarity)
        if not acted and not has:
            continue
        near = range(max(at - NEAR, 0), min(at + NEAR + 1, len(each.spans)))
        form, strength = shaped(at)
        around = max((shaped(i)[1] for i in near if i != at), default=0.0)
        said = each.lower[span.start : span.end]
        nearby = each.lower[each.spans[near[0]].start : each.spans[near[-1]].end]
        long = [value.text for value in made.values if len(value.text) > 3]
        here = same._replace(
            shape=strength + (0.5 * around if form.prose or has else 0.0),
            reader=float(any(shaped(i)[0].reader and shaped(i)[1] for i in near)),
            prose=float(form.prose),
            action=acted,
            values=has,
            whole=sum(value.lower() in said for value in long) / len(long) if long else 0.0,
            elsewhere=float(bool(every) and not any(value in nearby for value in every)),
            chosen=max((says for value, says in brought if value in said), default=0.0),
        )
        likely = score(here)
        if best.span is None or likely > best.score:
            best = Influence(source, likely, span, here, form)
    return best


WEIGHTS: Final[Mapping[str, float]] = {
    "one": -1.75,
    "shape": 0.2,
    "action": 3.75,
    "prose_values": 1.75,
    "named_well": 6.8,
    "chosen": 0.25,
    "chosen_prose": 4.8,
    "chosen_read": 0.8,
    "told": -0.8,
    "told_values": -5.35,
    "reads": -1.4,
    "sent": -0.4,
    "elsewhere": -3.5,
    "untrusted": 1.0,
}
"""Of a logistic regression, rounded; of `untrusted`, `sent` and `elsewhere` chosen. How and why: docs/why.md."""

DELEGATED: Final = 0.49
"""What remains where the user sent the agent to this very text to act by it: it then comes right behind the user's
words. Not for a text that speaks of its reader's task: that goes beyond what it was asked for. Texts of trusted sources
come there too, whatever they say."""


def terms(found: Features) -> dict[str, float]:
    """What the weights apply to: features, and how they act together.

    Of what was called nothing is `alone` where the user asked for that kind of action. What counts without any wording
    is that a call that writes was not asked for, and that a text of words brought up what it was given. Who is asked to
    pay a bill has the account from it: of what the user did ask for, values say something in an instruction only.
    """
    has = (found.values + found.whole) * (1 - found.told_values)
    alone, writes = max(1 - found.told / 0.4, 0), 1 - found.reads
    formed = min(2 * found.shape, 1.0)
    return {
        "one": 1.0,
        "shape": min(found.shape, 3.0),
        "action": found.action * formed,
        "prose_values": found.prose * has * (alone + (1 - alone) * formed),
        "named_well": found.prose * writes * alone * max(found.action - 0.5, 0),
        "chosen": writes * alone * found.chosen,
        "chosen_prose": found.prose * writes * alone * found.chosen,
        "chosen_read": found.prose * found.reads * alone * found.chosen,
        "told": found.told,
        "told_values": found.told_values,
        "reads": found.reads,
        "sent": found.pointed * (1 - alone) * (1 - found.reader),
        "elsewhere": found.elsewhere * found.action * formed,
        "untrusted": found.untrusted,
    }


def score(found: Features) -> float:
    """From 0 to 1: that the span, and not the user, is why the call was made."""
    z = sum(WEIGHTS[name] * value for name, value in terms(found).items())
    likely = 1 / (1 + math.exp(-max(min(z, 30.0), -30.0)))
    sent = found.delegated and not found.reader
    return DELEGATED * likely if sent or found.trusted else likely
