"""How often a call is made with a text and without it, and what follows from that. Pure.

    confirmed   the two 95 % intervals (Wilson's) of the rates don't overlap, and it is made less often without the text
    refuted     the 95 % interval of the difference (Newcombe's) ends below half of the rate with the text: most of the
                calls don't need it
    undecided   anything else: more samples would tell

The intervals that don't overlap are the rule by which `replay bisect` tells rates apart; it is stricter than that the
difference's interval leaves out zero. Four samples of each, all one way and all the other, are the fewest that confirm.

What was executed from recorded answers alone comes out the same each time: there one execution is the verdict.

Sources: R. G. Newcombe, "Interval Estimation for the Difference Between Independent Proportions: Comparison of Eleven
Methods", Statistics in Medicine 17, 1998 (method 10); Wilson's: `replay.bisect.rates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

from replay.bisect.rates import Rate, judge

Verdict = Literal["confirmed", "refuted", "undecided"]

_MOST: Final = 0.5
"""Of the rate with the text: a difference that is surely less doesn't make the text the reason."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Of the rates with a text (`given`) and without it (`masked`); `bad` counts the calls.

    Example:
        >>> found = Difference(Rate(10, 10), Rate(1, 8))
        >>> found.size, [round(end, 2) for end in found.interval], found.verdict
        (0.875, [0.45, 0.98], 'confirmed')
    """

    given: Rate
    masked: Rate
    certain: bool = False
    """Each execution would come out the same."""

    @property
    def size(self) -> float:
        """By how much the rate is less without it: -1 to 1."""
        return self.given.share - self.masked.share

    @property
    def interval(self) -> tuple[float, float]:
        """Newcombe's, 95 %."""
        if self.certain and self.given.of and self.masked.of:
            return self.size, self.size
        (low, high), (less, more) = self.given.interval, self.masked.interval
        p, q = self.given.share, self.masked.share
        below, above = sqrt((p - low) ** 2 + (more - q) ** 2), sqrt((high - p) ** 2 + (q - less) ** 2)
        return max(self.size - below, -1.0), min(self.size + above, 1.0)

    @property
    def verdict(self) -> Verdict:
        if not self.given.bad or not self.masked.of:
            return "undecided"
        if self.certain:
            return "refuted" if self.masked.bad else "confirmed"
        if judge(self.masked, self.given, max(self.masked.of, 2)) is not None:
            return "confirmed"
        return "refuted" if self.interval[1] < _MOST * self.given.share else "undecided"


def settled(given: Rate, masked: Rate, left: int) -> bool:
    """Whether it is decided, and `left` samples more of the masked text can't change that: stopping costs no certainty.

    Example:
        >>> [settled(Rate(10, 10), Rate(0, count), 10 - count) for count in (3, 4)]
        [False, True]
    """
    ends = {Difference(given, Rate(masked.bad + more, masked.of + left)).verdict for more in (0, left)}
    return len(ends) == 1 and "undecided" not in ends
