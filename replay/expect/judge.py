"""Whether an expectation holds of a run: true, false, or undecided, with the reason. Pure and total.

Rules:
- What the run doesn't show is undecided, never guessed: an answer that wasn't stored, an argument left to its default,
  whatever came after the end of a torn recording. `and`, `or` and `not` are Kleene's: a part that is undecided only
  matters where the others don't decide.
- Of selected events it is known which are *certain* and which are *possible* (a condition is undecided), and whether
  *more* may have come. A count holds if it does whatever those were.
- After and before are told by the order in which events began.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from replay.expect.grammar import parse
from replay.expect.seen import Seen, seen, tokens, took
from replay.expect.subject import Subject
from replay.expect.syntax import (
    And,
    Compare,
    Count,
    Every,
    Expression,
    Fact,
    Not,
    Or,
    Raises,
    Select,
    show,
    show_path,
)
from replay.expect.values import Absent, Answer, Beginning, compare, walk


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether it holds.

    Attributes:
        holds: None: undecided. why: the reason, in words. events: ids of those that decide it, at most 20.
    """

    holds: bool | None
    why: str = ""
    events: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"holds": self.holds, "why": self.why, "events": list(self.events)}


_MOST: Final = 20
_OUTPUTS: Final = {"output": ("stdout", "stderr"), "stdout": ("stdout",), "stderr": ("stderr",)}


def judge(expression: str | Expression, subject: Subject) -> Judged:
    """Whether it holds of that run.

    Raises:
        ExpressionInvalid: the text is no expression.

    Example:
        >>> judge("exit == 0 and tool refund", Subject(events=(), values={"exit": 0}))
        Judged(holds=False, why='tool refund: called 0 times', events=())
    """
    return _Judge(subject).claim(parse(expression) if isinstance(expression, str) else expression)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Selected events. `why`: the reason why some are only possible, or why there may be more."""

    certain: tuple[Seen, ...]
    possible: tuple[Seen, ...]
    more: bool
    why: str

    @property
    def all(self) -> tuple[Seen, ...]:
        return self.certain + self.possible


class _Judge:
    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._seen: dict[str, list[Seen]] = {}

    def claim(self, expression: Expression) -> Judged:
        match expression:
            case And(items):
                return self._combined(items, decides=False)
            case Or(items):
                return self._combined(items, decides=True)
            case Not(item):
                found = self.claim(item)
                return Judged(None if found.holds is None else not found.holds, found.why, found.events)
            case Count():
                return self._count(expression)
            case Every():
                return self._every(expression)
            case Fact(name):
                return self._fact(name)
            case Raises(name):
                return self._raises(name)
            case Compare():
                return self._value(expression)

    def _combined(self, items: Sequence[Expression], *, decides: bool) -> Judged:
        """The first part that decides alone; else the first that is undecided; else all of them."""
        found = [self.claim(items[0])]
        for item in items[1:]:
            if found[-1].holds is decides:
                break
            found.append(self.claim(item))
        for wanted in (decides, None):
            for each in found:
                if each.holds is wanted:
                    return each
        events = tuple(dict.fromkeys(event for each in found for event in each.events))
        return Judged(not decides, "; ".join(each.why for each in found), events[:_MOST])

    # -- values of the run -------------------------------------------------------------------------------------

    def _value(self, expression: Compare) -> Judged:
        value = self._of_run(expression)
        holds, why = compare(value, expression.operator, expression.value)
        path = show_path(expression.path)
        if holds is None:
            return Judged(None, f"{path}: {why}" + (f" ({self._subject.open})" if self._subject.open else ""))
        shown = f"is {_brief(value)}" if not isinstance(value, Beginning) else f"begins with {_brief(value.text)}"
        return Judged(holds, f"{path} {shown}")

    def _of_run(self, expression: Compare) -> Any:
        root, *rest = expression.path
        if root in _OUTPUTS and root not in self._subject.values:
            names = _OUTPUTS[str(root)]
            text = "".join(
                _as_text(event.request)
                for event in self._subject.events
                if event.kind == "output" and event.name in names
            )
            value: Any = Beginning(text) if self._subject.open else text
        elif root == "tokens":
            value = Absent.UNKNOWN if self._subject.open else tokens(self._subject.events)
        elif root == "took":
            value = Absent.UNKNOWN if self._subject.open else took(self._subject.events)
        else:
            value = self._subject.values.get(str(root), Absent.UNKNOWN)
        return walk(value, tuple(rest))

    def _fact(self, name: str) -> Judged:
        known = self._subject.facts.get(name)
        if known is None:
            return Judged(None, f"{name}: nothing was executed again that could say so")
        return Judged(known, f"{'' if known else 'not '}{name}")

    def _raises(self, name: str | None) -> Judged:
        raised = self._subject.values.get("exception", Absent.UNKNOWN)
        if raised is Absent.UNKNOWN:
            return Judged(None, f"how it ended isn't known{self._because()}")
        if raised is None:
            return Judged(False, "no exception ended it")
        kind = str(raised).partition(":")[0]
        same = name is None or _matches(name, (kind, kind.rpartition(".")[2]))
        return Judged(same, f"{_brief(str(raised))} ended it")

    def _because(self) -> str:
        return f": {self._subject.open}" if self._subject.open else ""

    # -- events ------------------------------------------------------------------------------------------------

    def _count(self, claim: Count) -> Judged:
        chosen = self._chosen(claim.events)
        low, high = len(chosen.certain), len(chosen.all)
        what = _called(claim.events)
        events = tuple(each.event for each in chosen.all)[:_MOST]
        if low < claim.least and high < claim.least and not chosen.more:
            return Judged(False, f"{what} {_times(high)}", events)
        if claim.most is not None and low > claim.most:
            return Judged(False, f"{what} {_times(low)}", events)
        if low >= claim.least and (claim.most is None or (high <= claim.most and not chosen.more)):
            return Judged(True, f"{what} {_times(low)}", events)
        return Judged(None, f"{what} {_times(low)} for certain; {chosen.why}", events)

    def _every(self, claim: Every) -> Judged:
        chosen = self._chosen(claim.events)
        against: list[Seen] = []
        unsure: list[tuple[Seen, str]] = []
        if claim.has is not None:
            for each in chosen.all:
                holds, why = self._condition(claim.has, each)
                if holds is None:
                    unsure.append((each, why))
                elif not holds:
                    against.append(each)
            covered = False
        else:
            assert claim.order is not None
            word, other = claim.order
            others = self._chosen(other)
            for each in chosen.all:
                holds = _ordered(word, each, others)
                if holds is None:
                    unsure.append((each, others.why))
                elif not holds:
                    against.append(each)
            covered = word == "after" and bool(others.certain)  # whatever came later came after it, too
        what = _named(claim.events)
        for each in against:
            if each in chosen.certain:
                return Judged(False, f"{what} didn't, at event {each.event}", (each.event,))
        if against or unsure or (chosen.more and not covered):
            why = unsure[0][1] if unsure else chosen.why
            return Judged(None, f"every {what}: {why}", tuple(each.event for each, _ in unsure)[:_MOST])
        return Judged(True, f"every {what} did, {len(chosen.all)} of them", tuple(e.event for e in chosen.all)[:_MOST])

    def _chosen(self, select: Select) -> _Chosen:
        certain: list[Seen] = []
        possible: list[Seen] = []
        more, why = bool(self._subject.open), self._subject.open
        for each in self._all(select.kind):
            if select.name is not None and not _matches(select.name, each.names):
                continue
            holds: bool | None = each.known or None
            reason = "" if each.known else "a crossing wasn't stored"
            if select.where is not None:
                suits, reason_too = self._condition(select.where, each)
                holds = False if suits is False else (None if suits is None else holds)
                reason = reason_too or reason
            if holds:
                certain.append(each)
            elif holds is None:
                possible.append(each)
                why = f"event {each.event}: {reason}"
        undeclared = select.kind == "tool" and not certain and not possible and self._undeclared(select)
        if undeclared:
            more, why = True, undeclared
        chosen = _Chosen(tuple(certain), tuple(possible), more, why)
        return chosen if select.order is None else self._in_order(chosen, *select.order)

    def _in_order(self, chosen: _Chosen, word: str, other: Select) -> _Chosen:
        others = self._chosen(other)
        certain = tuple(each for each in chosen.certain if _ordered(word, each, others))
        kept = set(map(id, certain))
        possible = tuple(
            each for each in chosen.all if id(each) not in kept and _ordered(word, each, others) is not False
        )
        more = chosen.more and (others.more if word == "before" else others.more or bool(others.all))
        return _Chosen(certain, possible, more, others.why or chosen.why)

    def _undeclared(self, select: Select) -> str:
        """Models asked for that tool, and the program says of none what it does: nobody saw whether it was called."""
        if self._all("tool"):
            return ""
        asked = [each for each in self._all("asked") if select.name is None or _matches(select.name, each.names)]
        if not asked:
            return ""
        name = asked[0].names[0]
        return f"models asked for {name}, and no tool of this program is recorded: say 'asked {name}'"

    def _all(self, kind: str) -> list[Seen]:
        if kind not in self._seen:
            self._seen[kind] = list(seen(self._subject.events, kind))
        return self._seen[kind]

    def _condition(self, condition: Expression, each: Seen) -> Answer:
        match condition:
            case And(items):
                return self._conditions(items, each, decides=False)
            case Or(items):
                return self._conditions(items, each, decides=True)
            case Not(item):
                holds, why = self._condition(item, each)
                return (None if holds is None else not holds), why
            case Compare(path, operator, value):
                holds, why = compare(each.at(path), operator, value)
                return holds, f"{show_path(path)} {why}" if why else ""
            case _:
                return None, f"{show(condition)} is no condition"

    def _conditions(self, items: Sequence[Expression], each: Seen, *, decides: bool) -> Answer:
        undecided: Answer | None = None
        for item in items:
            holds, why = self._condition(item, each)
            if holds is decides:
                return holds, why
            if holds is None and undecided is None:
                undecided = None, why
        return undecided or (not decides, "")


def _ordered(word: str, each: Seen, others: _Chosen) -> bool | None:
    """Whether one of the others came before it (`after`), or behind it (`before`)."""
    if word == "after":
        if any(other.event < each.event for other in others.certain[:1]):
            return True
        return None if any(other.event < each.event for other in others.possible[:1]) else False
    if any(other.event > each.event for other in others.certain[-1:]):
        return True
    return None if others.more or any(other.event > each.event for other in others.possible[-1:]) else False


def _matches(name: str, names: Sequence[str]) -> bool:
    if "*" not in name:
        return name in names
    return any(_fits(name, each) for each in names)


def _fits(name: str, text: str) -> bool:
    """Linear: the first piece at the beginning, the last one at the end, the others as early as they come."""
    first, *middle, last = re.split(r"\*+", name)
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _named(select: Select) -> str:
    return select.kind if select.name is None else f"{select.kind} {select.name}"


def _called(select: Select) -> str:
    more = " like that" if select.where is not None else ""
    order = "" if select.order is None else f" {select.order[0]} {_named(select.order[1])}"
    return f"{_named(select)}{more}{order}: called"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _brief(value: Any) -> str:
    if isinstance(value, Absent):
        return "missing"
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:80]}…{text[-30:]}"


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
