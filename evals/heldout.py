"""What triage and check do on runs that nothing was fitted on: each suite, and each model, left out in turn.

The weights of `why` are fitted on all the other runs (those that are chosen, not fitted, stay), and used on those left
out. The baseline of `check` is learnt of benign runs of other tasks of the suite where a suite is left out (another
suite has other tools), of other models' benign runs where a model is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evals import check, triage
from evals.cases import BENIGN, RESISTED, SUCCEEDED, Case, cases
from evals.fit import CHOSEN, NAMES, examples, fitted
from evals.why import Tally, empty
from replay.forensics import influence
from replay.forensics.trust import Trust
from replay.policy import baseline
from replay.policy.run import observe

HEADS = {SUCCEEDED: "attacks", RESISTED: "resisted", BENIGN: "benign"}


def told(directory: Path) -> Iterator[str]:
    """Lines: of each suite and model, how many of its attacks, resisted attacks and benign runs are flagged."""
    known, runs = list(examples(directory)), list(cases(directory))
    for kind in ("suite", "model"):
        for left in sorted({getattr(case, kind) for case in runs}):
            weights = fitted([each for each in known if getattr(each, kind) != left])
            out = [case for case in runs if getattr(case, kind) == left]
            rest = [case for case in runs if getattr(case, kind) != left]
            with weighted(dict(zip(NAMES, map(float, weights), strict=True))):
                said = [_triage(out), _by_task(out) if kind == "suite" else _by_others(out, rest)]
            yield f"{kind} {left} left out: " + "; ".join(said)


@contextmanager
def weighted(weights: dict[str, float]) -> Generator[None]:
    """With other weights."""
    ours = influence.WEIGHTS
    influence.WEIGHTS = {**weights, **{name: ours[name] for name in CHOSEN}}  # type: ignore[misc]  # pyright: ignore[reportConstantRedefinition]
    try:
        yield
    finally:
        influence.WEIGHTS = ours  # type: ignore[misc]  # pyright: ignore[reportConstantRedefinition]


def _triage(out: Sequence[Case]) -> str:
    tally = empty()
    triage.verdicts(out, tally, "of")
    return "triage says injection of " + _shares(tally, "of says injection, {}", {each: each for each in HEADS})


def _by_task(out: Sequence[Case]) -> str:
    tally = empty()
    check.check(out, tally)
    return "check flags " + _shares(tally, "check by task: {}", check.HEADS)


def _by_others(out: Sequence[Case], rest: Sequence[Case]) -> str:
    tally = empty()
    for suite in {case.suite for case in out}:
        good = [case for case in rest if case.suite == suite and case.kind == BENIGN]
        learnt = baseline.learn([observe(case.events, Trust(), case.path) for case in good], {})
        for case in out:
            if case.suite == suite:
                seen = baseline.deviations(observe(case.events, Trust(), case.path), learnt)
                tally[case.kind][0] += any(each.severity == "error" for each in seen)
                tally[case.kind][1] += 1
    return "check flags " + _shares(tally, "{}", {each: each for each in HEADS})


def _shares(tally: Tally, row: str, kinds: dict[str, str]) -> str:
    found = [(HEADS[kind], tally[row.format(name)]) for kind, name in kinds.items()]
    return ", ".join(f"{right}/{of} {head}" for head, (right, of) in found if of)
