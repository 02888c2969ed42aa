"""Executing a mixture of two runs, as often as it takes to say whether it is good or bad.

What executes is injected: `execute(applied, path)` runs the good run's program with these differences applied, records
it to `path`, and says how that ended. Good is where the expectation holds of that recording, bad is where it doesn't.
Where the execution came to something that nobody can answer before that was decided, it is unresolved.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

from replay import expect
from replay.bisect.ddmin import Outcome
from replay.bisect.rates import Judge, Rate, judge
from replay.bisect.spans import Chosen
from replay.cassette.cassette import load


class Executed(NamedTuple):
    """How an execution ended: by itself, or at something that nobody could answer; or it wasn't what was wanted."""

    status: Literal["ended", "unresolved", "another"]
    reason: str = ""


Execute = Callable[[Chosen, Path], Executed]


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of differences, executed.

    Attributes:
        rate: how often it was bad, of what could be decided. undecided: how often that couldn't.
        why: what the expectation came upon, or why nobody could say.
    """

    applied: Chosen
    outcome: Outcome
    rate: Rate
    undecided: int
    why: str


class Experiment:
    """Tries sets of differences. Called with one, on several threads at once if need be; its outcome is the verdict.

    Args:
        expectation: what holds of good runs.
        directory: for the recordings of executions, which are removed when they have been looked at.
        samples: how often a set is executed at most, where answers come by chance.
        width: how many executions at a time.

    Attributes:
        trials: all there were, by set. executions: how many. judge: tells rates of good and bad apart.
    """

    def __init__(
        self, execute: Execute, expectation: expect.Expression, directory: Path, *, samples: int = 1, width: int = 1
    ) -> None:
        self._execute = execute
        self._expectation = expectation
        self._directory = directory
        self._samples = samples
        self._width = width
        self._numbers = itertools.count()
        self._lock = Lock()
        self.trials: dict[Chosen, Trial] = {}
        self.executions = 0
        self.judge = Judge(samples=samples)

    def tell_apart(self, none: Chosen, everything: Chosen) -> bool:
        """Execute both ends, as often as allowed; whether they differ. What is between is judged by their rates."""
        if self._samples == 1:
            with ThreadPoolExecutor(self._width) as pool:
                return list(pool.map(self, (none, everything))) == ["good", "bad"]
        rates = [self._rate(applied) for applied in (none, everything)]
        found = judge(rates[0], rates[1], self._samples) if all(rate.of for rate in rates) else None
        if found is not None:
            self.judge = found
            for applied, outcome in ((none, "good"), (everything, "bad")):
                known = self.trials[applied]
                self.trials[applied] = Trial(applied, outcome, known.rate, known.undecided, known.why)  # type: ignore[arg-type]
        return found is not None

    def __call__(self, applied: Chosen) -> Outcome:
        known = self.trials.get(applied)
        if known is not None:
            return known.outcome
        rate, undecided, why = Rate(), 0, ""
        outcome: Outcome | None = None
        while outcome is None:
            holds, said = self.once(applied)
            if holds is None:
                undecided += 1
                why = why or said
                if undecided == self._samples or self._samples == 1 or (not rate.of and undecided == 3):
                    outcome = "unresolved"
                continue
            rate, why = rate.and_one(not holds), said
            outcome = self.judge.verdict(rate)
            if outcome is None and rate.of + undecided >= self._samples:
                outcome = "unresolved"
        self.trials[applied] = Trial(applied, outcome, rate, undecided, why)
        return outcome

    def once(self, applied: Chosen, keep: Path | None = None) -> tuple[bool | None, str]:
        """One execution: whether the expectation holds of it, and why. `keep`: where its recording is to stay."""
        path = keep or self._directory / f"{next(self._numbers)}.cassette"
        done = self._execute(applied, path)
        with self._lock:
            self.executions += 1
        try:
            if done.status == "another" or not path.exists():
                return None, done.reason
            with load(path) as cassette:
                found = expect.judge(self._expectation, expect.recorded(cassette))
        finally:
            if keep is None:
                with suppress(OSError):
                    os.unlink(path)
        return found.holds, found.why if found.holds is not None or done.status == "ended" else done.reason

    def _rate(self, applied: Chosen) -> Rate:
        """Of as many executions as allowed."""
        with ThreadPoolExecutor(self._width) as pool:
            found = list(pool.map(self.once, [applied] * self._samples))
        decided = [holds for holds, _ in found if holds is not None]
        rate = Rate(sum(not holds for holds in decided), len(decided))
        why = next((said for holds, said in found if not holds), "")
        self.trials[applied] = Trial(applied, "unresolved", rate, len(found) - len(decided), why)
        return rate
