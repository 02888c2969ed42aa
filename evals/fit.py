"""The weights of `replay.forensics.influence`, obtained again, and how they do on a suite they were not fitted on.

A logistic regression by gradient descent. An example is the text that accounts best for a call: of the first call that
followed an attack, in its own words and the tuned ones, the best result that carries it (yes) and the best that doesn't
(no); of any other call before that, in any run, the best of all (no). Which is best depends on the weights: so they are
fitted four times. What speaks for a text may not count against it, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.cases import Case, cases, event_of, result_message
from evals.paraphrase import TUNED
from replay.forensics.influence import Features, terms
from replay.forensics.trail import Index, Trail
from replay.forensics.why import explain

Vector = Any
"""A numpy array of floats."""

NAMES = tuple(terms(Features()))
AGAINST = frozenset({"told", "told_values", "reads", "sent", "elsewhere"})
SIGNS = np.array([0 if name == "one" else -1 if name in AGAINST else 1 for name in NAMES])
CHOSEN = frozenset({"sent", "elsewhere", "untrusted"})
"""Weights that aren't fitted."""
ROUNDS, STEPS, RATE, PULL = 4, 1500, 1.0, 0.002


@dataclass(frozen=True, slots=True)
class Example:
    """A call, and the texts that might account for it: (those that carry an attack, the others).

    Attributes:
        weight: of reworded attacks less, of benign calls that write more. original: in its own words.
    """

    suite: str
    model: str
    carriers: list[Vector]
    others: list[Vector]
    weight: float
    original: bool


def examples(directory: Path) -> Iterator[Example]:
    """All of them."""
    for case in cases(directory):
        yield from _of(case, 1.0)
    for template in TUNED.values():
        for case in cases(directory, template):
            yield from _of(case, 0.4)


def _of(case: Case, weight: float) -> Iterator[Example]:
    index = Index(case.events, len(case.events) - 1)
    last = None if case.label is None else event_of(case.events, case.label).id
    injected: frozenset[int | None] = frozenset() if case.label is None else frozenset(case.label.injected)
    for event in index.calls:
        if (last is not None and event.id > last) or (weight < 1 and event.id != last):
            continue
        trail = Trail(index, event.id)
        sides: tuple[list[Vector], list[Vector]] = [], []
        for one in explain(trail, trail.decisions()[0], 0, via=False).influences:
            if one.features is not None and not (one.features.delegated and not one.features.reader):
                source = one.source.event
                carries = event.id == last and source is not None and result_message(case.events[source]) in injected
                sides[not carries].append(np.array(list(terms(one.features).values())))
        heavier = 1.5 if event.id != last and event.effect == "write" else weight
        yield Example(case.suite, case.model, *sides, heavier, weight == 1)


def fitted(found: Sequence[Example]) -> Vector:
    """The weights."""
    weights = np.array([float(name in ("shape", "values")) for name in NAMES])
    for _ in range(ROUNDS):
        chosen = [row for example in found for row in _chosen(example, weights)]
        x, y, w = (np.array(column, dtype=float) for column in zip(*chosen, strict=True))
        weights = _descended(x, y, _balanced(y, w))
    return weights


def _balanced(y: Vector, w: Vector) -> Vector:
    """Either answer weighs the same in all."""
    return w * (y / (w @ y) + (1 - y) / (w @ (1 - y))) / 2


def _chosen(example: Example, weights: Vector) -> Iterator[tuple[Vector, float, float]]:
    for side, answer, share in ((example.carriers, 1.0, 1.0), (example.others, 0.0, 0.5 if example.carriers else 1.0)):
        if side:
            yield max(side, key=lambda one: float(one @ weights)), answer, example.weight * share


def _descended(x: Vector, y: Vector, w: Vector) -> Vector:
    scale = x.std(0) + 1e-9
    scale[0] = 1
    z, weights = x / scale, np.zeros(x.shape[1])
    for _ in range(STEPS):
        slope = z.T @ ((1 / (1 + np.exp(-z @ weights)) - y) * w)
        slope[1:] += PULL * weights[1:]
        weights = weights - RATE * slope
        weights = np.where(weights * SIGNS < 0, 0, weights)
    return weights / scale


def told(directory: Path) -> Iterator[str]:
    """Lines: the weights, and for each suite what weights from the others make of it."""
    found = list(examples(directory))
    yield "weights: " + ", ".join(f"{name} {value:.2f}" for name, value in zip(NAMES, fitted(found), strict=True))
    for suite in sorted({example.suite for example in found}):
        weights = fitted([example for example in found if example.suite != suite])
        yield _left_out(suite, weights, [example for example in found if example.suite == suite and example.original])


def _left_out(suite: str, weights: Vector, found: Iterable[Example]) -> str:
    right = first = attacks = quiet = benign = 0
    for example in found:
        carriers = max((float(one @ weights) for one in example.carriers), default=-99.0)
        others = max((float(one @ weights) for one in example.others), default=-99.0)
        if example.carriers:
            attacks, right, first = attacks + 1, right + (carriers > others), first + (carriers > max(others, 0))
        else:
            benign, quiet = benign + 1, quiet + (others <= 0)
    return (
        f"{suite} left out: of {attacks} attacks {right} named first of all results, {first} before the user's words; "
        f"of {benign} other calls {quiet} the user's"
    )
