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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from heapq import heappop, heappush
from typing import Any, Final, Literal

from replay.diff.changes import Change, Changes, masked, of_answer, of_request, of_settings, text
from replay.diff.pairs import Pair
from replay.diff.steps import Step
from replay.model.inside import INNER
from replay.semantics import loose

Class = Literal["input", "code", "config", "order"]


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
        pairs: from `pairs.paired`.
        given: causes from before the first step, such as other arguments.
        same_code: whether both runs are known to have run the same program; None: nobody knows.
    """
    return _Walk(pairs, given, same_code).walk()


class _Walk:
    """Goes through what differs in both runs as it happened: each pair's requests, and where they came its answers."""

    def __init__(self, pairs: Sequence[Pair], given: Sequence[Root], same_code: bool | None) -> None:
        self.pairs = pairs
        self.same_code = same_code
        self.roots: list[tuple[str, Root]] = []  # with its lane
        self.followers: list[int] = []  # of each root
        self.causes: dict[int, int] = {}  # index of a pair that differs -> of the root
        self.differing: list[int] = []
        self.drawn: set[int] = set()  # indices of pairs that differ in draws only
        for index, (a, b, _) in enumerate(pairs):
            if a is None or b is None or a.ask != b.ask or a.answer != b.answer:
                self.differing.append(index)
            elif a.exact != b.exact:
                self.drawn.add(index)
        self.told = _Told()
        self.inner = _Inner(pairs, self.differing)
        self.written: dict[str, int] = {}  # what a differing write changed -> its root; as far as somebody asked
        self.writes: list[tuple[Step, int]] = []
        for root in given:
            self._begin("", root)
            self.told.learn(lambda root=root: root.changes)  # type: ignore[misc]

    @cached_property
    def swapped(self) -> Root | None:
        """Two answers that came in another order."""
        return first_swap(self.pairs)

    @cached_property
    def ends(self) -> Mapping[str, tuple[int, int]]:
        """Last event of each lane, in a and in b."""
        found: dict[str, tuple[int, int]] = {}
        for one, other, lane in self.pairs:
            a, b = found.get(lane, (-1, -1))
            found[lane] = (max(a, _id(one)), max(b, _id(other)))
        return found

    def walk(self) -> Found:
        for index, phase in moments(self.pairs, self.differing):
            (self._asked if phase == "ask" else self._answered)(index, self.pairs[index])
        if not self.roots and self.swapped is not None:
            self._begin("", self.swapped)
        roots = [replace(root, inherited=n) for (_, root), n in zip(self.roots, self.followers, strict=True)]
        return Found(roots, sum(self.followers), len(self.drawn - set(self.causes)), self.causes)

    def _asked(self, index: int, pair: Pair) -> None:
        a, b = pair.a, pair.b
        if a is None or b is None:
            step = pair.step
            if step.kind == "env":
                return  # what it read counts, not that it was looked at
            verb = "is done in addition" if b else "isn't done any more"
            self._explain(index, pair, lambda: (f"{step.kind} {step.place.name} {verb}", {}))
            self.told.learn(lambda: {name: (None, value) for name, value in step.answered.items()})
            return
        moved = a.place.address, b.place.address
        if moved[0] != moved[1] and not self.told.said(moved):
            self._root(index, pair, "config", f"another address: {moved[0]} -> {moved[1]}", {"address": moved})
            self.told.learn(lambda: {"address": moved})
        if a.ask == b.ask:
            return
        chosen = of_settings(a, b)
        fresh = {name: change for name, change in chosen.items() if not self.told.said(change)}
        for kind, changes in _by_kind(fresh).items():
            self._root(index, pair, "config", f"{kind} changed: {', '.join(changes)}", changes)
        self.told.learn(lambda: {**chosen, **of_request(a, b)})
        if fresh:
            return
        # Once something differs, all that is asked otherwise counts as following: nobody looks at the parts then.
        changed = next((n for n, (_, root) in reversed([*enumerate(self.roots)]) if root.kind == "config"), None)
        if chosen and changed is not None and self._reaching(pair) is None:
            self._follows(index, changed)  # the same change in another lane
        elif chosen or self._reaching(pair) is not None or of_request(a, b):
            self._explain(index, pair, lambda: _otherwise(a, b, of_request(a, b)))
        else:
            self.drawn.add(index)

    def _explain(self, index: int, pair: Pair, said: Callable[[], tuple[str, Changes]]) -> None:
        """Another request: it follows from what can have reached it, or is a cause."""
        cause = self._reaching(pair)
        if cause is not None:
            self._follows(index, cause)
            return
        if self.swapped is not None and self.same_code is not False:
            self._begin("", self.swapped)
            self._follows(index, len(self.roots) - 1)
            return
        what, changes = said()
        if self.same_code and self.drawn:
            self._root(index, pair, "input", f"time or chance: {what}, after draws that differ", changes)
        else:
            self._root(index, pair, "code", what, changes)

    def _answered(self, index: int, pair: Pair) -> None:
        a, b = pair.a, pair.b
        if a is None or b is None or a.answer == b.answer:
            return
        self.told.learn(lambda: of_answer(a, b))
        if index in self.causes:  # asked otherwise
            return
        answered = of_answer(a, b)
        if not answered:
            self.drawn.add(index)
            return
        inner = self.inner.cause(index, self.causes)
        written = self._written(_where(b)) if b.call is None else None
        if inner is not None:
            self._follows(index, inner)
        elif written is not None:
            self._follows(index, written)
        else:
            self._root(index, pair, "input", f"{b.seam}: {_what(b, answered)}", answered)

    def _root(self, index: int, pair: Pair, kind: Class, what: str, changes: Changes) -> None:
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
        self.writes.append((self.pairs[index].step, cause))

    def _written(self, where: str) -> int | None:
        """The cause of what was last written there, if that differed."""
        for step, cause in self.writes:
            if step.event.effect == "write" and step.call is None:
                self.written[_where(step)] = cause
        self.writes.clear()
        return self.written.get(where)

    def _reaching(self, pair: Pair) -> int | None:
        """The last cause that can have reached this step."""
        for number in range(len(self.roots) - 1, -1, -1):
            lane = self.roots[number][0]
            if not lane or f"{pair.lane}/".startswith(f"{lane}/"):
                return number
            ended = self.ends[lane]
            if (pair.b and ended[1] < pair.b.id) or (pair.a and ended[0] < pair.a.id):
                return number
        return None


class _Told:
    """The changes that were seen so far; looked at only where somebody asks."""

    def __init__(self) -> None:
        self._later: list[Callable[[], Changes]] = []
        self._known: set[tuple[str, str]] = set()
        self._texts: list[str] = []  # of whatever differed

    def learn(self, changes: Callable[[], Changes]) -> None:
        self._later.append(changes)

    def said(self, change: Change) -> bool:
        """The same change was made before; or it is made of changes and answers that were."""
        for later in self._later:
            for pair in later().values():
                one, other = map(text, pair)
                self._known.add((one, other))
                self._texts += [each for each in (one, other) if len(each) > _SHORT]
        self._later.clear()
        one, other = map(text, change)
        if (one, other) in self._known:
            return True
        if other and any(other in each for each in self._texts):
            return True
        for old, new in self._known:
            if len(old) > _SHORT:
                one = one.replace(old, new)
        return bool(other) and masked(one) == masked(other)


_SHORT: Final = 3
"""A text that is no longer stands in any other."""


class _Inner:
    """Which differing steps happened inside of what another one asked for: in the body of a tool."""

    def __init__(self, pairs: Sequence[Pair], differing: Sequence[int]) -> None:
        self._pairs = pairs
        self._inside = [index for index in differing if pairs[index].inside]

    def cause(self, index: int, causes: Mapping[int, int]) -> int | None:
        """The last cause inside of that step."""
        outer = self._pairs[index]
        found = [causes[each] for each in self._inside if each in causes and within(self._pairs[each], outer)]
        return found[-1] if found else None


def moments(pairs: Sequence[Pair], which: Sequence[int]) -> Iterator[tuple[int, Literal["ask", "answer"]]]:
    """Each pair's request, in order, and each pair's answer where it came: after all that was asked before it came."""
    later: list[tuple[int, int]] = []  # (when it came, index), a heap
    for index in which:
        step = pairs[index].step
        while later and later[0][0] <= step.at:
            yield heappop(later)[1], "answer"
        yield index, "ask"
        heappush(later, (step.came, index))
    while later:
        yield heappop(later)[1], "answer"


def first_swap(pairs: Sequence[Pair]) -> Root | None:
    """The first two answers on different lanes that came in another order."""
    if len({lane for _, _, lane in pairs}) < 2:
        return None
    both = [(b.came, a, b, lane) for a, b, lane in pairs if a and b and a.kind != "output"]
    both.sort(key=lambda each: each[0])
    last: tuple[Step, Step, str] | None = None
    for _, a, b, lane in both:
        if last is not None and a.came < last[0].came and lane != last[2]:
            what = f"{last[1].place.name} ({last[1].lane}) came before {b.place.name} ({b.lane}), in a after it"
            return Root(a.id, last[1].id, "order", what)
        last = (a, b, lane)
    return None


def within(inner: Pair, outer: Pair) -> bool:
    """Whether it happened inside of what the other asked for: in the body of a tool."""
    return inner.inside and any(
        one is not None
        and other is not None
        and one.lane.startswith(f"{other.lane}/{INNER}")
        and other.at <= one.at <= other.came
        for one, other in ((inner.a, outer.a), (inner.b, outer.b))
    )


def _id(step: Step | None) -> int:
    return -1 if step is None else step.id


def _event(step: Step | None) -> int | None:
    return None if step is None else step.id


def _where(step: Step) -> str:
    """What is changed by a write and seen by a read: the store, the file, the host."""
    request = step.event.request
    if isinstance(request, dict):
        for name in ("store", "path", "file"):
            if name in request:
                return f"{step.kind} {request[name]}"  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if step.kind == "http":
        return f"http {step.place.address.partition('://')[2]}"
    return f"{step.kind} {step.place.name.partition('.')[0]}"


def _otherwise(a: Step, b: Step, changes: Changes) -> tuple[str, Changes]:
    seam = "the model" if a.readable and b.readable else b.kind
    return f"{seam} is asked otherwise: {_what(b, changes)}", changes


def _by_kind(changes: Changes) -> dict[str, dict[str, Change]]:
    found: dict[str, dict[str, Change]] = {}
    for name, change in changes.items():
        kind = "tool set" if name.startswith("tool ") else name.split(" ")[0]
        found.setdefault(kind, {})[name] = change
    return found


def _what(step: Step, changes: Changes) -> str:
    names = list(changes)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    path = loose.obj(step.event.request).get("path") if step.kind == "file" else None
    asked = f"{step.event.name} {path}" if isinstance(path, str) else step.event.name
    failed = changes.get("error", (None, None))
    if (failed[0] is None) != (failed[1] is None):
        said = [str(error).rpartition(".")[2] if error else "an answer" for error in failed]
        return f"{asked}: {said[0]} -> {said[1]}"
    return f"{asked}: {', '.join(names[:3])}{more}"
