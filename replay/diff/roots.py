"""Which differences of two runs are causes, and which only follow. Pure.

A program is a function of its inputs. So, step by step, of two aligned runs:

    same request, same answer      nothing differs
    same request, other answer     an *input*: nothing before it explains it (but for a store or a service in which
                                   a differing write was made before: then it follows)
    other request, or none         it follows from any cause that can have reached it; without one it is a cause itself:
                                   *configuration* where model, parameters, tools or prompt changed, *code* otherwise
    all the same, in another order *order*

What can have reached it: a cause on its own lane or on one that began it; one on a lane that had ended before (what
came of it may have been used). Model, parameters, tools and prompts are written by people, not computed from answers: a
change in them follows only from a change that said the same before, or from an answer in which the new text stands.

Two runs always differ in times, random numbers and ids. A step that differs in nothing else is counted apart; where
nothing else explains that the program took another way, that is said: an *input*, time or chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from heapq import heappop, heappush
from typing import Any, Final, Literal

from replay.diff.align import align
from replay.diff.steps import Parts, Step
from replay.matching.shapes import mask
from replay.model.inside import INNER

Class = Literal["input", "code", "config", "order"]

_CONFIG: Final = ("model", "parameter ", "tool ", "prompt")


@dataclass(frozen=True, slots=True)
class Root:
    """One cause.

    Attributes:
        a, b: its event in either run; None where there is none.
        kind: its class.
        what: one line: which seam or part, and how it differs.
        changes: name of each part -> (in a, in b).
        inherited: how many later differences it may have caused; each is counted for the last cause that reached it.
    """

    a: int | None
    b: int | None
    kind: Class
    what: str
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict[str, tuple[Any, Any]])
    inherited: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `replay diff --json` has it."""
        found = asdict(self)
        return {"a": self.a, "b": self.b, "class": self.kind, "what": self.what} | {
            "changes": {name: list(pair) for name, pair in found["changes"].items()},
            "inherited": self.inherited,
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """Steps that are each other's; one is None where the other run has none."""

    a: Step | None
    b: Step | None

    @property
    def lane(self) -> str:
        """Whose it is. What happens inside a tool is its caller's."""
        return "/".join(name for name in _step_of(self).event.lane.split("/") if name != INNER)

    @property
    def inside(self) -> bool:
        """Whether it happened in the body of a tool."""
        return INNER in _step_of(self).event.lane.split("/")


def paired(a: Sequence[Step], b: Sequence[Step]) -> list[Pair]:
    """The steps of two runs, lane by lane aligned; in the order in which they happened."""
    lanes: dict[str, tuple[list[Step], list[Step]]] = {}
    for side, run in enumerate((a, b)):
        for step in run:
            lanes.setdefault(step.event.lane, ([], []))[side].append(step)
    found = [pair for one, other in lanes.values() for pair in _lane(one, other)]
    return _in_order(found)


def _lane(a: Sequence[Step], b: Sequence[Step]) -> Iterable[Pair]:
    for block in align([step.ask for step in a], [step.ask for step in b]):
        one, other = a[block.a0 : block.a1], b[block.b0 : block.b1]
        if block.equal:
            yield from map(Pair, one, other)
            continue
        for inner in align([step.place for step in one], [step.place for step in other]):
            if inner.equal:
                yield from map(Pair, one[inner.a0 : inner.a1], other[inner.b0 : inner.b1])
            else:
                yield from (Pair(step, None) for step in one[inner.a0 : inner.a1])
                yield from (Pair(None, step) for step in other[inner.b0 : inner.b1])


def _in_order(pairs: list[Pair]) -> list[Pair]:
    """By b; what only a has stands where it stood among its neighbours of a."""
    at: dict[int, int] = {pair.a.event.id: pair.b.event.id for pair in pairs if pair.a and pair.b}
    last = -1
    where: dict[int, tuple[int, int]] = {}
    for event in sorted(pair.a.event.id for pair in pairs if pair.a):
        last = max(last, at.get(event, -1))
        where[event] = (last, event)

    def key(pair: Pair) -> tuple[int, int, int]:
        if pair.b is not None:
            return pair.b.event.id, 0, 0
        assert pair.a is not None
        before, event = where[pair.a.event.id]
        return before, 1, event

    return sorted(pairs, key=key)


@dataclass(slots=True)
class Found:
    """What `causes` finds: causes; how many steps differ because of them; and how many differ in drawn values only.

    `caused`: which of the pairs differ because of which of the roots, by their places.
    """

    roots: list[Root]
    inherited: int
    drawn: int
    caused: dict[int, int]


def causes(pairs: Sequence[Pair], *, given: Sequence[Root] = (), same_code: bool | None = None) -> Found:
    """Tells causes from what follows.

    Args:
        pairs: from `paired`.
        given: causes from before the first step, such as other arguments.
        same_code: whether both runs are known to have run the same program; None: nobody knows.
    """
    return _Walk(pairs, given, same_code).walk()


class _Walk:
    """Goes through both runs as they happened: each pair's requests, and where they came its answers."""

    def __init__(self, pairs: Sequence[Pair], given: Sequence[Root], same_code: bool | None) -> None:
        self.pairs = pairs
        self.same_code = same_code
        self.roots: list[tuple[str, Root]] = []  # with its lane
        self.followers: list[int] = []  # of each root
        self.causes: dict[int, int] = {}  # index of a pair that differs -> of the root
        self.drawn: set[int] = set()  # indices of pairs that differ in draws only
        self.known: set[tuple[Any, Any]] = set()  # changes seen before
        self.texts: list[str] = []  # of differing answers
        self.written: dict[str, int] = {}  # what a differing write changed -> its root
        self.swapped = first_swap(pairs)
        self.ends: dict[str, tuple[int, int]] = {}  # last event of each lane, in a and in b
        for pair in pairs:
            a, b = self.ends.get(pair.lane, (-1, -1))
            self.ends[pair.lane] = (max(a, _id(pair.a)), max(b, _id(pair.b)))
        for root in given:
            self._begin("", root)
            self._learn(root.changes)

    def walk(self) -> Found:
        for index, phase in moments(self.pairs):
            (self._asked if phase == "ask" else self._answered)(index, self.pairs[index])
        if not self.roots and self.swapped is not None:
            self._begin("", self.swapped)
        roots = [replace(root, inherited=n) for (_, root), n in zip(self.roots, self.followers, strict=True)]
        return Found(roots, sum(self.followers), len(self.drawn - set(self.causes)), self.causes)

    def _asked(self, index: int, pair: Pair) -> None:
        if pair.a is None or pair.b is None:
            step = _step_of(pair)
            if step.event.kind == "env":
                return  # what it read counts, not that it was looked at
            verb = "is done in addition" if pair.b else "isn't done any more"
            self._explain(index, pair, f"{step.event.kind} {step.event.name} {verb}", {})
            self._learn({name: (None, value) for name, value in step.answered.items()})
            return
        moved = pair.a.address, pair.b.address
        if moved[0] != moved[1] and not self._said(moved):
            self._root(index, pair, "config", f"another address: {moved[0]} -> {moved[1]}", {"address": moved})
            self._learn({"address": moved})
        asked = _changes(pair.a, pair.b, "ask")
        config = {
            name: change for name, change in asked.items() if name.startswith(_CONFIG) and pair.b.call is not None
        }
        fresh = {name: change for name, change in config.items() if not self._said(change)}
        if fresh:
            for kind, changes in _by_kind(fresh).items():
                self._root(index, pair, "config", f"{kind} changed: {', '.join(changes)}", changes)
        elif asked:
            self._explain(index, pair, f"{pair.b.event.kind} {_what(pair.b, asked)} asked otherwise", asked)
        elif pair.a.ask != pair.b.ask:
            self.drawn.add(index)
        self._learn(asked)

    def _explain(self, index: int, pair: Pair, what: str, changes: Mapping[str, tuple[Any, Any]]) -> None:
        """Another request: it follows from what can have reached it, or is a cause."""
        cause = self._reaching(pair)
        if cause is not None:
            self._follows(index, cause)
        elif self.swapped is not None and self.same_code is not False:
            self._begin("", self.swapped)
            self._follows(index, len(self.roots) - 1)
        elif self.same_code and self.drawn:
            self._root(index, pair, "input", f"time or chance: {what}, after draws that differ", changes)
        else:
            self._root(index, pair, "code", what, changes)

    def _answered(self, index: int, pair: Pair) -> None:
        if pair.a is None or pair.b is None:
            return
        answered = _changes(pair.a, pair.b, "answer")
        if not answered:
            if pair.a.answer != pair.b.answer:
                self.drawn.add(index)
            return
        self._learn(answered)
        if index in self.causes:  # asked otherwise
            return
        inner = [cause for number, cause in self.causes.items() if within(self.pairs[number], pair)]
        written = self.written.get(_where(pair.b)) if pair.b.call is None else None
        if inner:
            self._follows(index, inner[-1])
        elif written is not None:
            self._follows(index, written)
        else:
            self._root(index, pair, "input", f"{pair.b.seam}: {_what(pair.b, answered)}", answered)

    def _root(self, index: int, pair: Pair, kind: Class, what: str, changes: Mapping[str, tuple[Any, Any]]) -> None:
        self._begin(pair.lane, Root(_event(pair.a), _event(pair.b), kind, what, changes))
        self._caused(index, len(self.roots) - 1)

    def _begin(self, lane: str, root: Root) -> None:
        self.roots.append((lane, root))
        self.followers.append(0)

    def _follows(self, index: int, cause: int) -> None:
        self.followers[cause] += 1
        self._caused(index, cause)

    def _caused(self, index: int, cause: int) -> None:
        self.causes[index] = cause
        step = _step_of(self.pairs[index])
        if step.event.effect == "write" and step.call is None:
            self.written[_where(step)] = cause

    def _reaching(self, pair: Pair) -> int | None:
        """The last cause that can have reached this step."""
        for number in range(len(self.roots) - 1, -1, -1):
            lane = self.roots[number][0]
            if not lane or f"{pair.lane}/".startswith(f"{lane}/"):
                return number
            ended = self.ends[lane]
            if (pair.b and ended[1] < pair.b.event.id) or (pair.a and ended[0] < pair.a.event.id):
                return number
        return None

    def _learn(self, changes: Mapping[str, tuple[Any, Any]]) -> None:
        for one, other in changes.values():
            self.known.add((one, other))
            self.texts += [text for text in (_text(one), _text(other)) if len(text) > _SHORT]

    def _said(self, change: tuple[Any, Any]) -> bool:
        """The same change was made before; or it is made of changes and answers that were."""
        if change in self.known:
            return True
        one, other = map(_text, change)
        if other and any(other in text for text in self.texts):
            return True
        for old, new in self.known:
            if len(_text(old)) > _SHORT:
                one = one.replace(_text(old), _text(new))
        return bool(other) and masked(one) == masked(other)


_SHAPE: Final = re.compile("‹[a-z ]+›")

_SHORT: Final = 3
"""A text that is no longer stands in any other."""


def moments(pairs: Sequence[Pair]) -> Iterator[tuple[int, Literal["ask", "answer"]]]:
    """Each pair's request, in order, and each pair's answer where it came: after all that was asked before it came."""
    later: list[tuple[int, int]] = []  # (when it came, index), a heap
    for index, pair in enumerate(pairs):
        now = _step_of(pair).event.at
        while later and later[0][0] <= now:
            yield heappop(later)[1], "answer"
        yield index, "ask"
        event = _step_of(pair).event
        heappush(later, (_NEVER if event.took is None else event.at + event.took, index))
    while later:
        yield heappop(later)[1], "answer"


_NEVER: Final = 2**62


def first_swap(pairs: Sequence[Pair]) -> Root | None:
    """The first two answers on different lanes that came in another order."""
    both = [(pair.a, pair.b, pair.lane) for pair in pairs if pair.a and pair.b and pair.a.event.kind != "output"]
    last: tuple[Step, Step, str] | None = None
    for a, b, lane in sorted(both, key=lambda each: _came(each[1])):
        if last is not None and _came(a) < _came(last[0]) and lane != last[2]:
            what = f"{last[1].event.name} ({last[2]}) came before {b.event.name} ({lane}), in a after it"
            return Root(a.event.id, last[1].event.id, "order", what)
        last = (a, b, lane)
    return None


def _came(step: Step) -> int:
    return _NEVER if step.event.took is None else step.event.at + step.event.took


def _step_of(pair: Pair) -> Step:
    step = pair.b or pair.a
    assert step is not None
    return step


def within(inner: Pair, outer: Pair) -> bool:
    """Whether it happened inside of what the other asked for: in the body of a tool."""
    return inner.inside and any(
        one is not None
        and other is not None
        and one.event.lane.startswith(f"{other.event.lane}/{INNER}")
        and other.event.at <= one.event.at <= _came(other)
        for one, other in ((inner.a, outer.a), (inner.b, outer.b))
    )


def _changes(a: Step, b: Step, which: Literal["ask", "answer"]) -> dict[str, tuple[Any, Any]]:
    """The parts that differ in more than drawn values."""
    if getattr(a, which) == getattr(b, which):
        return {}
    one: Parts = a.asked if which == "ask" else a.answered
    other: Parts = b.asked if which == "ask" else b.answered
    found: dict[str, tuple[Any, Any]] = {}
    for name in [*one, *(name for name in other if name not in one)]:
        pair = one.get(name), other.get(name)
        if pair[0] != pair[1] and not (name in one and name in other and _drawn(*pair)):
            found[name] = pair
    return found


def _drawn(one: Any, other: Any) -> bool:
    """Two values that differ in times, ids or random numbers only."""
    return type(one) is type(other) and masked(_text(one)) == masked(_text(other))


def masked(text: str) -> str:
    """The text without its times, ids and random numbers; which of these something is can't be told from a number."""
    return _SHAPE.sub("‹›", mask(text)[0])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _id(step: Step | None) -> int:
    return -1 if step is None else step.event.id


def _event(step: Step | None) -> int | None:
    return None if step is None else step.event.id


def _where(step: Step) -> str:
    """What is changed by a write and seen by a read: the store, the file, the host."""
    request = step.event.request
    if isinstance(request, dict):
        for name in ("store", "path", "file"):
            if name in request:
                return f"{step.event.kind} {request[name]}"  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if "url" in request:
            return "http " + str(request["url"]).partition("://")[2].partition("/")[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return f"{step.event.kind} {step.event.name.partition('.')[0]}"


def _by_kind(changes: Mapping[str, tuple[Any, Any]]) -> dict[str, dict[str, tuple[Any, Any]]]:
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    for name, change in changes.items():
        kind = "tool set" if name.startswith("tool ") else name.split(" ")[0]
        found.setdefault(kind, {})[name] = change
    return found


def _what(step: Step, changes: Mapping[str, tuple[Any, Any]]) -> str:
    names = list(changes)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{step.event.name}: {', '.join(names[:3])}{more}"
