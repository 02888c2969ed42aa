"""In which inputs two runs differ: the answers that `replay.diff` calls causes, with what follows from them. Pure.

A difference is applied to the good run by giving the bad run's answer at its event. What only follows from it isn't
chosen from: it comes by itself, where the program asks otherwise. One thing that follows has to be given with it: the
same question to a store or a service in which the program wrote something else before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from replay.bisect.answers import Answer, Both, answer_of
from replay.bisect.spans import Chosen, Span
from replay.diff.compare import Diff
from replay.diff.roots import Pair, Root
from replay.model.event import Event


@dataclass(frozen=True, slots=True)
class Input:
    """One differing input.

    Attributes:
        seam: `model`, `tool`, `memory`, `file`, `env`, …. what: one line.
        good, bad: the events. lane: whose.
        both: the answers, and where they differ.
        following: events of the good run whose answers follow from it, with the bad run's answers.
        weight: how likely it is to be a cause, compared to others.
    """

    seam: str
    what: str
    good: int
    bad: int
    lane: str
    both: Both
    following: Mapping[int, Answer]
    weight: float = 1.0

    @property
    def numbers(self) -> Chosen:
        """Of the differences in it."""
        return self.both.span.numbers

    @property
    def parts(self) -> Sequence[Span]:
        """Parts that can be chosen one by one."""
        return self.both.span.parts


def inputs(found: Diff, *, parts: bool = False, drawn: bool = False) -> list[Input]:
    """The inputs in which they differ, in the order in which they came.

    Args:
        found: of the good run and the bad one, in this order.
        parts: take them apart.
        drawn: also those that differ only in what differs in any two runs: times, ids, random numbers.
    """
    follow: dict[int | None, dict[int, Answer]] = {}
    for place, of in found.caused.items():
        events = _answered_otherwise(found.pairs[place])
        if events is not None:
            good, bad = events
            follow.setdefault(of, {})[good.id] = answer_of(bad)
    root_of = {root.a: number for number, root in enumerate(found.roots) if root.kind == "input"}
    made: list[Input] = []
    first = 0
    for place, pair in enumerate(found.pairs):
        events = _answered_otherwise(pair, exactly=False)
        if events is None or pair.b is None:
            continue
        good, bad = events
        number = root_of.get(good.id)
        root = None if number is None or not _is_answer(found.roots[number], pair) else found.roots[number]
        if root is None and (not drawn or place in found.caused):
            continue
        both = Both.of(answer_of(good), answer_of(bad), kind=good.kind, parts=parts, first=first)
        first = max(both.span.numbers) + 1
        what = f"{pair.b.seam}: {bad.name}" if root is None else root.what
        following = {event: each for event, each in follow.get(number, {}).items() if event != good.id}
        weight = 0.1 if root is None else 2.0 if root.inherited else 1.0
        made.append(Input(pair.b.seam, what, good.id, bad.id, good.lane, both, following, weight))
    return made


def _is_answer(root: Root, pair: Pair) -> bool:
    """Not what a program asked otherwise by time or chance."""
    assert pair.a is not None
    assert pair.b is not None
    return not set(root.changes) - set(pair.a.answered) - set(pair.b.answered)


def left_out(found: Diff) -> Iterator[Root]:
    """Causes that are no answers: other code, configuration or arguments, another order, time and chance."""
    known = {each.good for each in inputs(found)}
    yield from (root for root in found.roots if root.a not in known or root.kind != "input")


def answers(chosen: Chosen, given: Sequence[Input]) -> dict[int, Answer]:
    """What the good run's events are answered when these differences are applied; all others as they were."""
    found: dict[int, Answer] = {}
    for each in given:
        if each.numbers & chosen:
            found |= each.following
            found[each.good] = each.both.mixed(chosen)
    return found


def _answered_otherwise(pair: Pair, *, exactly: bool = True) -> tuple[Event, Event] | None:
    """Both events, if the same was asked (`exactly`) and something else came back; not inside a tool."""
    if pair.a is None or pair.b is None or pair.a.answer == pair.b.answer or pair.inside:
        return None
    return None if exactly and pair.a.ask != pair.b.ask else (pair.a.event, pair.b.event)
