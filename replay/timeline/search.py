"""The first event at which something holds. Pure: it is told by asking: True, False, or None where it can't be told
(the frame that has the variable isn't running).

Two ways. *Halving* asks at few of them, some multiple of log2. It assumes that what holds goes on holding, as far as it
can be told: of something that comes and goes it finds one beginning, not necessarily the first, and where it doesn't
hold at the last event where it can be told, none. Where it can't be told, it asks around, further and further; what
can't be told there either is taken for too early, at the end for too late. *Scanning* asks at each event, in order, and
assumes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

Holds = Callable[[int], bool | None]
_NOTHING: Final = (None, None)


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


def halve(events: Sequence[int], holds: Holds) -> Found:
    """By halving; `events` ascend.

    Example:
        >>> halve(range(1000), lambda event: event >= 700)
        Found(event=700, before=699, asked=11)
        >>> halve(range(1000), lambda event: None if event > 900 else event >= 700).event
        700
    """

    @cache
    def at(index: int) -> bool | None:
        return holds(events[index])

    high = _last_told(len(events), at)
    if not at(high) if high >= 0 else True:
        return Found(None, None if high < 0 else events[high], at.cache_info().currsize)
    low, before = 0, None
    while low < high:
        middle = (low + high) // 2
        near, held = next(_told_near(middle, low, high, at), _NOTHING)
        if near is None:
            low = middle + 1
        elif held:
            high = near
        else:
            low, before = near + 1, events[near]
    return Found(events[high], before, at.cache_info().currsize)


def _last_told(count: int, at: Holds) -> int:
    """The last index at which it can be told; -1: nowhere. From the end back, then by halving what was passed over."""
    low, high = -1, count
    for distance in _distances():
        index = max(count - 1 - distance, 0)
        if count == 0 or at(index) is not None:
            low = index if count else -1
            break
        if index == 0:
            return -1
        high = index
    while high - low > 1:
        middle = (low + high) // 2
        near, _ = next(_told_near(middle, low + 1, high, at), _NOTHING)
        low, high = (low, middle) if near is None else (near, high)
    return low


def _told_near(middle: int, low: int, high: int, at: Holds) -> Iterator[tuple[int, bool]]:
    """(index, whether it holds) where it can be told, from `middle` on outwards, in `low` … `high` - 1."""
    for distance in _distances():
        if middle + distance >= high and middle - distance < low:
            return
        for index in dict.fromkeys((middle - distance, middle + distance)):
            held = at(index) if low <= index < high else None
            if held is not None:
                yield index, held


def _distances() -> Iterator[int]:
    """0 to 7, then three by three at powers of two: what is so at every second or third is met."""
    yield from range(8)
    power = 8
    while True:
        yield from (power, power + 1, power + 2)
        power *= 2


def scan(events: Sequence[int], holds: Holds) -> Found:
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
