"""One pass in C over a text, which says of most texts that nothing in them can be a secret. Pure.

Hyperscan looks for all of a table's patterns at once, at 0.7 µs per KB, where `texts` takes 10 to 50 for words that
are long and innocent. It has no look-around and no captures, so a pattern here says less than a detector's: what lets a
text through is looked at as before, and what it stops has nothing that a detector finds.

Building it takes 40 ms. That is done as soon as looking without it has cost about as much, so a short program never
pays for it. Where there is no Hyperscan everything gets through.

Tried and rejected: RE2 (four times slower; its lazy automaton takes 4 ms of the first texts), one alternation for `re`
(150 µs per KB), words of few letters as marks for `re` to look behind (every other text has one).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

AFTER: Final = 1 << 20
"""Bytes that are looked at without it before it is built."""

_MOST: Final = 1 << 31
"""Hyperscan counts in 32 bits."""

Scan = Callable[[bytes, Callable[..., bool], int, None, Any], object]


def _stop(*_: object) -> bool:
    return True


class Sieve:
    r"""Whether any of some patterns is in a text.

    Args:
        patterns: of the syntax that `re` and Hyperscan have in common, without `^`, `$`, `\b` and look-around: a packed
            value has other values before and behind its texts.
        after: bytes that get through before it is built.

    Example:
        >>> sieve = Sieve([rb"sk-\w{4}"], after=0)
        >>> sieve.passes(b"a sk-learned model"), sieve.passes(b"a task")
        (True, False)
    """

    def __init__(self, patterns: Sequence[bytes], after: int = AFTER) -> None:
        self._patterns = patterns
        self._left = after
        self._scan: Scan | None = None
        self._scratch: Callable[[], object] = object
        self._idle: list[object] = []  # room to work in: one scan at a time uses one, in whatever thread
        self._errors: type[Exception] = Exception

    def passes(self, data: bytes) -> bool:
        """Whether there may be something in it. Never wrong in saying no."""
        scan = self._scan
        if scan is None:
            self._left -= len(data)
            if self._left >= 0 or not self._built() or (scan := self._scan) is None:
                return True
        if len(data) >= _MOST:
            return True
        try:
            room = self._idle.pop()
        except IndexError:
            room = self._scratch()
        try:
            scan(data, _stop, 0, None, room)
        except self._errors:  # it was told to stop: there is one
            return True
        finally:
            self._idle.append(room)
        return False

    def _built(self) -> bool:
        """Whether it could be."""
        self._left = sys.maxsize  # whatever comes of it, it isn't tried again
        try:
            hyperscan: Any = import_module("hyperscan")
        except ImportError:
            return False
        flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
        database = hyperscan.Database()
        database.compile(
            expressions=self._patterns,
            ids=list(range(len(self._patterns))),
            flags=[flags] * len(self._patterns),
        )
        self._errors = hyperscan.error
        self._scratch = lambda: hyperscan.Scratch(database)
        self._scan = database.scan
        return True
