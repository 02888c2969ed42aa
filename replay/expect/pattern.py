r"""Regular expressions that take time linear in the text: a set of states is carried along, nothing is tried again.

What there is: characters, `.`, classes `[a-z\d]` and `[^…]`, `\d \w \s` and their contraries, `\b \B`, `^ $`, groups,
`|`, `* + ? {m,n}` (`?` behind them says nothing, since only whether it matches is asked), `(?i)` at the beginning. Not:
references and looking around, for which no such machine exists. `.` is any character but a line's end; `$` is the end
of the text, or before its last line's end: as in `re`.

Method: Thompson's construction, simulated with the sets of states as states of a machine that is built while the text
is read (K. Thompson 1968; R. Cox, "Regular Expression Matching Can Be Simple And Fast", 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

MOST_STATES: Final = 1_000
"""Of a pattern, once its repetitions are written out."""

_MOST_KEPT: Final = 5_000
"""Sets of states that a machine remembers, before it forgets them all."""

Accepts = Callable[[str], bool]

_CHAR, _SPLIT, _HOLDS, _MATCH = range(4)
_BEGIN, _END, _BORDER, _NO_BORDER = range(4)


class _Instruction(NamedTuple):
    """CHAR goes on behind a character that it accepts, SPLIT at any place, HOLDS where `place` is. MATCH is the end."""

    kind: int
    following: tuple[int, ...] = ()
    accepts: Accepts = str.isascii
    place: int = _BEGIN


class PatternInvalid(ValueError):
    """No such pattern. `at`: where in it, from 0."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.at = at


class Pattern:
    """A compiled pattern.

    Raises:
        PatternInvalid: it can't be read, or is too large.

    Example:
        >>> Pattern(r"order [A-Z]\\d+").found_in("refund order A17, please")
        True
    """

    def __init__(self, text: str) -> None:
        self._code = [_Instruction(_MATCH)]
        self._start = _Reader(text, self._code).all()
        self._next: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._needs_place = any(each.kind == _HOLDS for each in self._code)

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in `text`."""
        if self._needs_place:
            return self._search_with_places(text)
        states = self._closure((self._start,), None)
        known = self._next
        for char in text:
            if 0 in states:
                return True
            after = known.get((states, char))
            if after is None:
                after = self._step(states, char, None)
                if len(known) >= _MOST_KEPT:
                    known.clear()
                known[states, char] = after
            states = after
        return 0 in states

    def found_in_any_that_begins(self, text: str) -> bool:
        """Whether it matches in every text that begins with that one; False where that can't be told."""
        return not self._needs_place and self.found_in(text)

    def _search_with_places(self, text: str) -> bool:
        """As above, for patterns in which it matters what stands around: every step looks at the place."""
        known: dict[tuple[frozenset[int], str, tuple[bool, ...]], frozenset[int]] = {}
        states = self._closure((self._start,), _place(text, 0))
        for at, char in enumerate(text):
            if 0 in states:
                return True
            place = _place(text, at + 1)
            after = known.get((states, char, place))
            if after is None:
                after = self._step(states, char, place)
                if len(known) >= _MOST_KEPT:
                    known.clear()
                known[states, char, place] = after
            states = after
        return 0 in states

    def _step(self, states: frozenset[int], char: str, place: tuple[bool, ...] | None) -> frozenset[int]:
        onward = [self._start]
        for state in states:
            found = self._code[state]
            if found.kind == _CHAR and found.accepts(char):
                onward.append(found.following[0])
        return self._closure(onward, place)

    def _closure(self, states: list[int] | tuple[int, ...], place: tuple[bool, ...] | None) -> frozenset[int]:
        found: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in found:
                continue
            found.add(state)
            here = self._code[state]
            if here.kind == _SPLIT or (here.kind == _HOLDS and place is not None and place[here.place]):
                waiting += here.following
        return frozenset(state for state in found if self._code[state].kind in (_CHAR, _MATCH))


def _place(text: str, at: int) -> tuple[bool, ...]:
    """What holds between two characters, by _BEGIN, _END, _BORDER and _NO_BORDER."""
    before = at > 0 and _is_word(text[at - 1])
    behind = at < len(text) and _is_word(text[at])
    end = at == len(text) or (at == len(text) - 1 and text[at] == "\n")
    return at == 0, end, before != behind, before == behind


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CLASSES: Final[dict[str, Accepts]] = {
    "d": str.isdecimal,
    "w": _is_word,
    "s": str.isspace,
    "D": lambda char: not char.isdecimal(),
    "W": lambda char: not _is_word(char),
    "S": lambda char: not char.isspace(),
}
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}

# What is read: a function that writes the instructions before those that follow, and returns where they begin.
_Piece = Callable[[int], int]


class _Reader:
    """Reads a pattern and writes its instructions, the last one first."""

    def __init__(self, text: str, code: list[_Instruction]) -> None:
        self._text = text
        self._code = code
        self._at = 0
        self._depth = 0
        self._work = 0
        self._any_case = text.startswith("(?i)")
        if self._any_case:
            self._at = 4

    def all(self) -> int:
        piece = self._either()
        if self._at < len(self._text):
            raise PatternInvalid("a ) without its (", self._at)
        return piece(0)

    def _write(self, instruction: _Instruction) -> int:
        if len(self._code) >= MOST_STATES:
            raise PatternInvalid(f"the pattern has more than {MOST_STATES} states", 0)
        self._code.append(instruction)
        return len(self._code) - 1

    def _split(self, *following: int) -> int:
        return self._write(_Instruction(_SPLIT, following))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _either(self) -> _Piece:
        self._depth += 1
        if self._depth > 50:
            raise PatternInvalid("more than 50 groups in each other", self._at)
        pieces = [self._row()]
        while self._peek() == "|":
            self._at += 1
            pieces.append(self._row())
        self._depth -= 1
        if len(pieces) == 1:
            return pieces[0]
        return lambda then: self._split(*(piece(then) for piece in pieces))

    def _row(self) -> _Piece:
        pieces: list[_Piece] = []
        while self._peek() not in ("", "|", ")"):
            pieces.append(self._repeated(self._one()))

        def write(then: int) -> int:
            for piece in reversed(pieces):
                then = piece(then)
            return then

        return write

    def _repeated(self, piece: _Piece) -> _Piece:
        begin = self._at
        while True:
            char = self._peek()
            if char in ("*", "+", "?") and char:
                self._at += 1
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
            elif char == "{" and (bounds := self._bounds()) is not None:
                least, most = bounds
            else:
                return piece
            if self._peek() == "?":
                self._at += 1  # which of several matches is found isn't asked
            if self._at - begin > 20:
                raise PatternInvalid("repeated too often", begin)
            piece = self._times(piece, least, most)

    def _bounds(self) -> tuple[int, int | None] | None:
        """Of `{m}`, `{m,}`, `{,n}` or `{m,n}`; None where it is none: then { is a character."""
        end = self._text.find("}", self._at)
        least, comma, most = self._text[self._at + 1 : max(end, 0)].partition(",")
        if end < 0 or not (least or most) or not all(each == "" or _digits(each) for each in (least, most)):
            return None
        low = int(least or 0)
        high = (int(most) if most else None) if comma else low
        if low > MOST_STATES or (high is not None and (high > MOST_STATES or high < low)):
            raise PatternInvalid("no such number of repetitions", self._at)
        self._at = end + 1
        return low, high

    def _times(self, piece: _Piece, least: int, most: int | None) -> _Piece:
        def write(then: int) -> int:
            self._work += 1 + max(least, most or 0)
            if self._work > 50 * MOST_STATES:  # of repetitions of nothing, too, which make no states
                raise PatternInvalid("the pattern repeats too much", 0)
            if most is None:
                again = self._split(then)
                self._code[again] = _Instruction(_SPLIT, (piece(again), then))
                then = again
            else:
                for _ in range(most - least):
                    then = self._split(piece(then), then)
            for _ in range(least):
                then = piece(then)
            return then

        return write

    def _one(self) -> _Piece:
        begin, char = self._at, self._peek()
        self._at += 1
        if char == "(":
            return self._group(begin)
        if char == "[":
            return self._class(begin)
        if char in "*+?":
            raise PatternInvalid(f"nothing before {char} that could be repeated", begin)
        if char in "^$":
            return self._holding(_BEGIN if char == "^" else _END)
        if char == ".":
            return self._char(lambda other: other != "\n")
        if char == "\\":
            escaped = self._peek()
            if escaped in ("b", "B"):
                self._at += 1
                return self._holding(_BORDER if escaped == "b" else _NO_BORDER)
            found = self._escaped(begin)
            return self._char(found if callable(found) else self._equal(found))
        return self._char(self._equal(char))

    def _holding(self, what: int) -> _Piece:
        return lambda then: self._write(_Instruction(_HOLDS, (then,), place=what))

    def _char(self, accepts: Accepts) -> _Piece:
        return lambda then: self._write(_Instruction(_CHAR, (then,), accepts))

    def _equal(self, char: str) -> Accepts:
        if not self._any_case:
            return lambda other: other == char
        folded = char.lower()
        return lambda other: other.lower() == folded

    def _group(self, begin: int) -> _Piece:
        if self._peek() == "?":
            if self._text[self._at + 1 : self._at + 2] != ":":
                raise PatternInvalid("only (?:…) and (?i) at the beginning: no looking around, no names", begin)
            self._at += 2
        piece = self._either()
        if self._peek() != ")":
            raise PatternInvalid("this ( is never closed", begin)
        self._at += 1
        return piece

    def _escaped(self, begin: int) -> str | Accepts:
        char = self._peek()
        self._at += 1
        if char == "":
            raise PatternInvalid("nothing behind the last \\", begin)
        if char in _CLASSES:
            return _CLASSES[char]
        if char in _CONTROL:
            return _CONTROL[char]
        if char.isalnum():
            raise PatternInvalid(f"\\{char} isn't known", begin)
        return char

    def _class(self, begin: int) -> _Piece:
        without = self._peek() == "^"
        self._at += without
        singles: set[str] = set()
        others: list[Accepts] = []
        first = True
        while self._peek() != "]" or first:
            first = False
            low = self._member(begin)
            if callable(low):
                others.append(low)
            elif self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = self._member(begin)
                if callable(high) or high < low:
                    raise PatternInvalid("no such range of characters", begin)
                others.append(self._between(low, high))
            else:
                singles.add(low)
        self._at += 1
        if self._any_case:
            singles |= {char.lower() for char in singles} | {char.upper() for char in singles}

        def accepts(char: str) -> bool:
            return (char in singles or any(each(char) for each in others)) is not without

        return self._char(accepts)

    def _between(self, low: str, high: str) -> Accepts:
        if not self._any_case:
            return lambda char: low <= char <= high
        return lambda char: low <= char <= high or low <= char.lower() <= high or low <= char.upper() <= high

    def _member(self, begin: int) -> str | Accepts:
        char = self._peek()
        if char == "":
            raise PatternInvalid("this [ is never closed", begin)
        self._at += 1
        return self._escaped(begin) if char == "\\" else char


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


@lru_cache(maxsize=64)
def compiled(text: str) -> Pattern:
    """The pattern, made once."""
    return Pattern(text)
