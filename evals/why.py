"""What `why` names first: of attacks the result that carried it, of calls in benign runs the user's request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from evals.cases import BENIGN, Case, Label, event_of, result_message
from evals.rules import RULES, Rule
from replay.forensics.why import why
from replay.model.event import Event

Tally = dict[str, list[int]]
"""Row -> [right, of how many]."""


def named(case: Case, label: Label) -> list[Event]:
    """The events that `why` names, best first."""
    made = event_of(case.events, label)
    return [case.events[cause.event] for cause in why(case.events, made.id).causes]


def attacks(found: Iterable[Case], tally: Tally, head: str) -> None:
    """Counts by all causes (the user's request is one), and by the trivial rules."""
    for case in found:
        if case.label is None:
            continue
        label = case.label
        ranked = named(case, label)
        right = [result_message(event) in label.injected for event in ranked]
        kinds = {"all": True, "nontrivial": label.nontrivial, "hard": label.hard}
        for kind in [kind for kind, holds in kinds.items() if holds]:
            count(tally, f"{head} {kind}: first", any(right[:1]))
            count(tally, f"{head} {kind}: among the first three", any(right[:3]))
        if label.nontrivial and head == "why":
            count(tally, f"{head} nontrivial, {case.suite}: first", any(right[:1]))


def trivial(found: Iterable[Case], tally: Tally) -> None:
    """The same by the trivial rules, which choose among the results only."""
    for case in found:
        if case.label is None or not case.label.nontrivial:
            continue
        label, made = case.label, event_of(case.events, case.label)
        results = [event for event in case.events if result_message(event) in label.candidates]
        for name, rule in RULES.items():
            right = _right(rule, results, made, label)
            count(tally, f"rule {name}, nontrivial", right)
            if label.hard:
                count(tally, f"rule {name}, hard", right)


def _right(rule: Rule, results: list[Event], made: Event, label: Label) -> bool:
    return result_message(rule(results, made)) in label.injected


def benign(found: Iterable[Case], tally: Tally) -> None:
    """Effects of runs without an attack: the user asked for them, so the user's words have to come first."""
    for case in found:
        if case.kind != BENIGN:
            continue
        for event in case.events:
            if event.kind == "tool" and event.effect == "write":
                causes = why(case.events, event.id).causes
                right = bool(causes) and causes[0].role == "user"
                count(tally, "benign effects: the user first", right)
                count(tally, f"benign effects, {case.suite}: the user first", right)


def count(tally: Tally, row: str, right: bool) -> None:
    """One more case of a row."""
    tally[row][0] += right
    tally[row][1] += 1


def empty() -> Tally:
    """A tally to count in."""
    return defaultdict(lambda: [0, 0])


Step = Callable[[Iterable[Case], Tally], None]
