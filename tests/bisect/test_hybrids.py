"""Planted causes are found by executing a real agent again: all of them, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from replay.bisect.ddmin import Outcome, Trials, ddmin
from replay.bisect.hybrids import Bisected, Terms, bisect_inputs
from tests.bisect.clerk import World, model, recordings
from tests.bisect.planted import Pair, pair

Note = Callable[[str, object], None]
GOOD = "tool refund never called"


def exact(given: Pair, found: Bisected) -> bool:
    """Each planted phrase stands in one cause, and there is no other."""
    said = [str(part.bad) for cause in found.named for part in cause.parts]
    one_each = all(sum(phrase in text for text in said) == 1 for _, phrase in given.phrases)
    return found.causes.verified and len(said) == len(given.phrases) and one_each


def ddmins(found: Bisected) -> int:
    """How many executions plain ddmin takes to find these among all parts."""
    causes = frozenset(found.causes.sets[0]) if found.causes.sets else frozenset[int]()

    def trial(applied: frozenset[int]) -> Outcome:
        return "bad" if causes <= applied else "good"

    trials = Trials(trial)
    ddmin([frozenset([number]) for number in range(found.parts)], trials)
    return trials.executed


def bisected(seeds: Sequence[int], directory: Path, note: Note, most: int = 200) -> None:
    right = 0
    began = time.perf_counter()
    executions = plain = worst = 0
    for seed in seeds:
        given = pair(seed, most)
        here = directory / str(seed)
        here.mkdir()
        with World() as world:
            good, bad = recordings(world, given, here)
        terms = Terms(GOOD, model=model(given, here), width=2)
        found = bisect_inputs(good, bad, terms, spans=given.spans)
        is_exact = exact(given, found)
        right += is_exact
        executions += found.executions
        plain += ddmins(found)
        worst += found.causes.bound
        if not is_exact:
            print(given.kind, given.phrases, found.why, [cause.to_json() for cause in found.named])
        print(
            f"bisect inputs, pair {seed}: {given.kind}, {len(given.phrases)} of {found.differences}, "
            f"{found.parts} parts: "
            f"{found.executions} executions, bound {found.causes.bound}, {'exact' if is_exact else 'NOT EXACT'}"
        )
    each = (time.perf_counter() - began) / max(executions, 1)
    said = f"{right} of {len(seeds)} exact; {executions} executions of {each:.2f} s"
    note("bisect inputs: pairs with planted causes", said)
    print(f"bisect inputs: {said}; ddmin alone {plain}, its bound {worst}")
    assert right * 50 >= len(seeds) * 48


def test_two_pairs(tmp_path: Path, record_property: Note) -> None:
    bisected((5, 6), tmp_path, record_property, most=45)


@pytest.mark.torture
def test_fifty_pairs(tmp_path: Path, record_property: Note) -> None:
    bisected(range(50), tmp_path, record_property)
