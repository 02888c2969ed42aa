"""The first event at which something holds. Pure: it is told by asking.

Two ways. *Halving* asks at about log2 of the events. It assumes that what holds goes on holding: of something that
comes and goes it finds one beginning, not necessarily the first, and where it doesn't hold at the last event, none.
*Scanning* asks at each event, in order, and assumes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """The answer.

    Attributes:
        event: the first at which it holds; None: none was found. before: the last one asked at which it doesn't.
        asked: how many events were looked at.
    """

    event: int | None
    before: int | None
    asked: int


def halve(events: Sequence[int], holds: Callable[[int], bool]) -> Found:
    """By halving; `events` ascend.

    Example:
        >>> halve(range(1000), lambda event: event >= 700)
        Found(event=700, before=699, asked=11)
    """
    if not events:
        return Found(None, None, 0)
    asked = 1
    if not holds(events[-1]):
        return Found(None, events[-1], asked)
    low, high = 0, len(events) - 1
    before: int | None = None
    while low < high:
        middle = (low + high) // 2
        asked += 1
        if holds(events[middle]):
            high = middle
        else:
            before, low = events[middle], middle + 1
    return Found(events[high], before, asked)


def scan(events: Sequence[int], holds: Callable[[int], bool]) -> Found:
    """At one after the other.

    Example:
        >>> scan(range(10), lambda event: event in (3, 4, 9))
        Found(event=3, before=2, asked=4)
    """
    before: int | None = None
    for number, event in enumerate(events, 1):
        if holds(event):
            return Found(event, before, number)
        before = event
    return Found(None, before, len(events))
