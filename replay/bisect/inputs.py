"""In which inputs two runs differ: the answers that `replay.diff` calls causes, with what follows from them. Pure.

A difference is applied to the good run by giving the bad run's answer at its event. What only follows from it isn't
chosen from: it comes by itself, where the program asks otherwise. One thing that follows has to be given with it: the
same question to a store or a service in which the program wrote something else before.

What differs inside of a tool is the tool's answer, where that differs: its body isn't run then.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from replay.bisect.answers import Answer, Both, answer_of
from replay.bisect.spans import Chosen, Span
from replay.diff.changes import of_answer
from replay.diff.compare import Diff
from replay.diff.pairs import Pair
from replay.diff.roots import Root, within
from replay.fork.history import history
from replay.model.event import Event
from replay.semantics import loose


@dataclass(frozen=True, slots=True)
class Input:
    """One differing input.

    Attributes:
        seam: `model`, `tool`, `memory`, `file`, …. what: one line.
        good, bad: the events. lane: whose.
        both: the answers, and where they differ.
        following: events of the good run whose answers follow from it, with the bad run's answers.
        path: of the file that it is about. read: what the bad run found in that file from there on, if it looked.
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
    path: str | None = None
    read: bytes | None = None

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
    made: list[Input] = []
    first = 0
    for pair, root, following in _chosen(found, drawn=drawn):
        assert pair.a is not None
        assert pair.b is not None
        good, bad = pair.a.event, pair.b.event
        both = Both.of(answer_of(good), answer_of(bad), kind=good.kind, parts=parts, first=first)
        first = max(both.span.numbers) + 1
        named = root is not None and root.a == good.id
        what = root.what if root is not None and named else f"{pair.b.seam}: {bad.name}"
        weight = 0.1 if root is None else 2.0 if root.inherited else 1.0
        path = loose.obj(good.request).get("path") if good.kind == "file" else None
        about = (path, _read(found, path, bad.id)) if isinstance(path, str) else (None, None)
        made.append(Input(pair.b.seam, what, good.id, bad.id, good.lane, both, following, weight, *about))
    return made


def left_out(found: Diff) -> Iterator[Root]:
    """Causes that aren't applied: other code, configuration or arguments, another order, time and chance."""
    for root in found.roots:
        pair = next((pair for pair in found.pairs if pair.a is not None and pair.a.id == root.a), None)
        if root.a is None or pair is None or not _is_answer(root, pair):
            yield root


def answers(chosen: Chosen, given: Sequence[Input], *, models: bool = False) -> dict[int, Answer]:
    """What the good run's events are answered when these differences are applied; all others as they were.

    Args:
        models: also of those inputs of which nothing is applied, where a model would be asked again.
    """
    found: dict[int, Answer] = {}
    for each in given:
        if each.numbers & chosen:
            found |= each.following
        if each.numbers & chosen or (models and each.seam == "model"):
            found[each.good] = each.both.mixed(chosen)
    return found


def files(chosen: Chosen, given: Sequence[Input], directory: str) -> dict[str, bytes | None]:
    """What is in files when these differences are applied, by their absolute paths; None where there is none.

    An answer about a file tells of one event. The program may go on to read it, which the good run never did.
    """
    found: dict[str, bytes | None] = {}
    for each in given:
        if each.path is None or not each.numbers & chosen:
            continue
        answer, path = each.both.mixed(chosen), posixpath.normpath(posixpath.join(directory, each.path))
        if answer.status == "failed":
            if str(loose.obj(answer.value).get("type")).endswith("FileNotFoundError"):
                found[path] = None
        elif answer.content is not None:
            found[path] = answer.content
        elif each.both.good.status == "failed" and each.read is not None:  # where both had it, reading it is an input
            found[path] = each.read
    return found


def _read(found: Diff, path: str, bad: int) -> bytes | None:
    """The first content that the bad run read there, from that event on."""
    events = (pair.b.event for pair in found.pairs if pair.b is not None and pair.b.event.id >= bad)
    of_files = sorted((event for event in events if event.kind == "file"), key=lambda event: event.id)
    known = history(((event, False) for event in of_files), "/").contents
    read = known.get(posixpath.normpath(posixpath.join("/", path)))
    return next((event.content for event in of_files if event.id == read), None)


def _chosen(found: Diff, *, drawn: bool) -> Iterator[tuple[Pair, Root | None, dict[int, Answer]]]:
    """Pairs whose answers are inputs, in order, with their root and what is answered with them."""
    follow: dict[int, dict[int, Answer]] = {}
    for place, number in found.caused.items():
        pair = found.pairs[place]
        if pair.a is not None and pair.b is not None and pair.a.ask == pair.b.ask and _differs(pair):
            follow.setdefault(number, {})[pair.a.id] = answer_of(pair.b.event)
    root_of = {root.a: number for number, root in enumerate(found.roots) if root.a is not None}
    tools = [pair for pair in found.pairs if _differs(pair) and not pair.inside and _kind(pair) == "tool"]
    chosen: dict[int, tuple[Pair, Root | None, dict[int, Answer]]] = {}
    for place, pair in enumerate(found.pairs):
        if not _differs(pair) or pair.a is None:
            continue
        cause = root_of.get(pair.a.id)
        if cause is not None and _is_answer(found.roots[cause], pair):
            holder = next((tool for tool in tools if within(pair, tool) and _same_call(tool)), pair)
            event = _event(holder).id
            following = {other: answer for other, answer in follow.get(cause, {}).items() if other != event}
            _, _, before = chosen.get(event, (holder, None, {}))
            chosen[event] = holder, found.roots[cause], before | (following if holder is pair else {})
        elif drawn and place not in found.caused and not pair.inside and pair.a.kind != "env":
            chosen.setdefault(pair.a.id, (pair, None, {}))
    yield from (chosen[event] for event in sorted(chosen))


def _is_answer(root: Root, pair: Pair) -> bool:
    """Not what a program asked otherwise: by its code, by time or chance."""
    if root.kind != "input" or pair.a is None or pair.b is None or pair.a.kind == "env":
        return False  # what is in the environment is there before the program begins
    return set(root.changes) <= set(of_answer(pair.a, pair.b))


def _differs(pair: Pair) -> bool:
    """In any byte: times, ids and random numbers count here."""
    if pair.a is None or pair.b is None:
        return False
    return pair.a.answer != pair.b.answer or pair.a.exact != pair.b.exact


def _same_call(pair: Pair) -> bool:
    return pair.a is not None and pair.b is not None and pair.a.ask == pair.b.ask


def _kind(pair: Pair) -> str:
    return _event(pair).kind


def _event(pair: Pair) -> Event:
    assert pair.a is not None
    return pair.a.event
