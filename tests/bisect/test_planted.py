"""Planted causes are found, all of them and nothing else: here without executing anything, so that there can be many.

`test_hybrids.py` does the same with an agent that is executed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from replay.bisect.answers import Answer, Both
from replay.bisect.ddmin import Outcome, Trials
from replay.bisect.search import Causes, search
from replay.bisect.spans import Chosen, Span
from tests.bisect.planted import KINDS, Pair, pair

Note = Callable[[str, object], None]


def wholes(given: Pair) -> dict[int, Both]:
    """Where both worlds differ."""
    found: dict[int, Both] = {}
    first = 0
    for number, (good, bad) in enumerate(zip(given.good, given.bad, strict=True)):
        if good != bad:
            answers = Answer("done", good), Answer("done", bad)
            found[number] = Both.of(*answers, kind="tool", parts=given.spans, first=first)
            first = max(found[number].span.numbers) + 1
    return found


def exact(given: Pair, causes: Causes, leaves: list[tuple[int, Span]]) -> bool:
    """Each planted phrase stands in one cause, in its place, and there is no other cause."""
    if len(causes.sets) != 1 or len(causes.sets[0]) != len(given.phrases):
        return False
    said = [leaves[number] for number in causes.sets[0]]
    return all(any(at == place and phrase in str(span.bad) for at, span in said) for place, phrase in given.phrases)


def test_many_pairs(record_property: Note) -> None:
    right: dict[str, int] = dict.fromkeys(KINDS, 0)
    executed: dict[str, list[int]] = {kind: [] for kind in KINDS}
    of = 200
    for seed in range(of):
        given = pair(seed)
        both = wholes(given)

        def world(applied: Chosen, given: Pair = given, both: dict[int, Both] = both) -> list[Any]:
            return [both[n].mixed(applied).value if n in both else good for n, good in enumerate(given.good)]

        def trial(applied: Chosen, given: Pair = given, world: Callable[[Chosen], list[Any]] = world) -> Outcome:
            return "bad" if given.goes_wrong(world(applied)) else "good"

        causes = search([each.span for each in both.values()], Trials(trial))
        leaves = [(place, leaf) for place, each in both.items() for leaf in each.span.leaves()]
        assert causes.verified
        assert causes.trials <= causes.bound
        right[given.kind] += exact(given, causes, leaves)
        executed[given.kind].append(causes.trials)
    for kind, counts in executed.items():
        said = (
            f"{right[kind]} of {len(counts)} exact, {sum(counts) / len(counts):.1f} executions, at most {max(counts)}"
        )
        record_property(f"bisect inputs, {kind}", said)
        print(f"bisect inputs, {kind}: {said}")
    assert sum(right.values()) == of
