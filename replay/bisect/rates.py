"""Verdicts on what is answered by chance: how often it goes wrong, and when enough is known. Pure.

With a live model the same set of inputs goes wrong in some executions and not in others. GOOD does so at one rate and
BAD at another; a set's verdict is the one of the two whose rate it has. *Wald's sequential test* says after each
execution whether that is decided; no test of that strength needs fewer executions on average. What isn't decided after
K executions is unresolved. The interval that is shown is Wilson's.

Sources: A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Stat. 16(2), 1945; E. B. Wilson, "Probable
Inference", JASA 22, 1927.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from replay.bisect.ddmin import Outcome

_Z: Final = 1.959964
"""Of a normal distribution, 95 % lie within that many deviations."""

_WRONG: Final = 0.05
"""How often either verdict may be wrong."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often it was bad.

    Example:
        >>> rate = Rate(bad=3, of=4)
        >>> rate.share, [round(end, 2) for end in rate.interval]
        (0.75, [0.3, 0.95])
    """

    bad: int = 0
    of: int = 0

    def and_one(self, bad: bool) -> Rate:
        """With one execution more."""
        return Rate(self.bad + bad, self.of + 1)

    @property
    def share(self) -> float:
        return self.bad / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %."""
        if not self.of:
            return 0.0, 1.0
        n, p, z = self.of, self.share, _Z
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return middle - half if self.bad else 0.0, middle + half if self.bad < n else 1.0

    @property
    def likely(self) -> float:
        """Between 0 and 1, never either: what few executions can't rule out."""
        return (self.bad + 0.5) / (self.of + 1)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.bad} of {self.of} ({low:.0%} to {high:.0%})"


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells the rates of good and bad apart.

    Attributes:
        good, bad: how often either goes wrong, between 0 and 1, `good` less.
        samples: executions at most. 1: what it does once is the verdict.

    Example:
        >>> judge = Judge(good=0.1, bad=0.9, samples=10)
        >>> judge.verdict(Rate(1, 1)), judge.verdict(Rate(2, 2)), judge.verdict(Rate(5, 10))
        (None, 'bad', 'unresolved')
    """

    good: float = 0.1
    bad: float = 0.9
    samples: int = 1

    def verdict(self, rate: Rate) -> Outcome | None:
        """None: go on."""
        if self.samples == 1:
            return None if not rate.of else "bad" if rate.bad else "good"
        evidence = rate.bad * log(self.bad / self.good)
        evidence += (rate.of - rate.bad) * log((1 - self.bad) / (1 - self.good))
        enough = log((1 - _WRONG) / _WRONG)
        if abs(evidence) >= enough:
            return "bad" if evidence > 0 else "good"
        return "unresolved" if rate.of >= self.samples else None


def judge(good: Rate, bad: Rate, samples: int) -> Judge | None:
    """Of what good and bad did in `samples` executions each; None where these can't be told apart.

    Example:
        >>> judge(Rate(0, 5), Rate(5, 5), 5) is None, judge(Rate(2, 5), Rate(3, 5), 5) is None
        (False, True)
    """
    if samples == 1:
        return Judge() if good.bad < bad.bad else None
    if good.interval[1] >= bad.interval[0]:
        return None
    return Judge(good.likely, bad.likely, samples)
