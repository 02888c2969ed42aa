"""One pass in C over a text, which says what can be in it: of most texts, nothing. Pure.

Hyperscan looks for the patterns of all detectors at once, at 0.7 µs per KB, where trying each takes 10 to 50. It has
no look-around and no captures, so a pattern here says less than a detector's: a detector one of whose patterns is there
is tried as before, and the others would have found nothing.

Building it takes 40 ms. That is done when looking without it has cost about as much, so a short program never pays for
it; a server does it before its first request. Without Hyperscan nothing is known, and every detector is tried.

Tried and rejected: RE2 (four times slower; its lazy automaton takes 4 ms of the first texts), one alternation for `re`
(150 µs per KB), words of few letters as marks for `re` to look behind (every other text has one).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Final

AFTER: Final = 1 << 18
"""Bytes that are looked at without it before it is built."""

_MOST: Final = 1 << 31
"""Hyperscan counts in 32 bits."""

_NOBODY: Final[frozenset[str]] = frozenset()
Scan = Callable[[bytes, Callable[..., None], int, list[int], Any], object]


def _note(number: int, _start: int, _end: int, _flags: int, found: list[int]) -> None:
    found.append(number)


class Sieve:
    r"""Which detectors may find something in a text.

    Args:
        patterns: of each detector: every finding of its has one of them in it. In the syntax that `re` and Hyperscan
            have in common: no `\s` and `\v`, which are more to Hyperscan. And without `^`, `$`, `\b` and look-around: a
            packed value has other values before and behind its texts.
        after: bytes of which nothing is known, before it is built.

    Attributes:
        quietly: a context to import in. It is built wherever a text is looked at, and who does that may hold a lock
            which the one who watches imports wants, too.

    Example:
        >>> sieve = Sieve({"openai": [rb"sk-\w{4}"], "github": [rb"gh[ps]_\w{4}"]}, after=0)
        >>> sieve.who(b"a sk-learned model"), sieve.who(b"a task")
        ({'openai'}, frozenset())
    """

    def __init__(self, patterns: Mapping[str, Collection[bytes]], after: int = AFTER) -> None:
        self._patterns = [pattern for each in patterns.values() for pattern in each]
        self._names = [name for name, each in patterns.items() for _ in each]
        self._left = after
        self.quietly: Callable[[], AbstractContextManager[object]] = nullcontext
        self._scan: Scan | None = None
        self._room: Callable[[], object] = object
        self._idle: list[object] = []  # room to work in: one scan at a time uses one, in whatever thread

    def who(self, data: bytes) -> Collection[str] | None:
        """The names of those who may find something; None where that isn't known."""
        scan = self._scan
        if scan is None:
            self._left -= len(data)
            if self._left >= 0 or (scan := self._built()) is None:
                return None
        if len(data) >= _MOST:
            return None
        try:
            room = self._idle.pop()
        except IndexError:
            room = self._room()
        found: list[int] = []
        scan(data, _note, 0, found, room)
        self._idle.append(room)
        return {self._names[number] for number in found} if found else _NOBODY

    def prepare(self) -> None:
        """Build it now: for a program that runs for long, before it begins."""
        if self._scan is None:
            self._built()

    def _built(self) -> Scan | None:
        """What looks for the patterns; None where it can't be built."""
        self._left = sys.maxsize  # whatever comes of it, it isn't tried again
        try:
            with self.quietly():
                hyperscan: Any = import_module("hyperscan")
        except ImportError:
            return None
        flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
        numbers = range(len(self._patterns))
        database = hyperscan.Database()
        database.compile(expressions=self._patterns, ids=list(numbers), flags=[flags for _ in numbers])
        self._room = lambda: hyperscan.Scratch(database)
        self._scan = database.scan
        return self._scan
