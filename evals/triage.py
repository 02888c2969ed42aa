"""How often `triage` says injection: of attacks that succeeded, of those that were resisted, of benign runs."""

from __future__ import annotations

from collections.abc import Iterable

from evals.cases import Case
from evals.why import Tally, count
from replay.forensics.triage import triage


def verdicts(found: Iterable[Case], tally: Tally, head: str) -> None:
    """Counts by kind of run, and by suite."""
    for case in found:
        said = triage(case.events).verdict
        right = said == "prompt_injection"
        count(tally, f"{head} says injection, {case.kind}", right)
        if head == "triage":
            count(tally, f"{head} says injection, {case.kind}, {case.suite}", right)
            count(tally, f"{head} says {said}, {case.kind}", True)
