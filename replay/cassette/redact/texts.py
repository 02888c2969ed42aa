"""Findings in a text, and the text without them. Pure, but for what a session has learnt to be secret."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

from replay.cassette.redact.detectors import FOLDED, RUN, SIEVE, TABLE, Detector, Finding
from replay.cassette.redact.pseudonyms import Pseudonyms, stands_in
from replay.cassette.redact.sieve import Sieve

_SURE: Final = 14
"""Random bytes have addresses of six letters in them, but no longer ones."""

_NAMED: Final = "named"
_LEARNT: Final = 64
_FIRST: Final = 4
_LEAST: Final = 8
"""What is shorter than this isn't looked for elsewhere: it would be found in words."""

Find = Callable[[str], Iterable[str]]
"""A user's: the secrets that are in a text."""


class Rule(NamedTuple):
    """A user's detector."""

    name: str
    find: Find


class Redacted(NamedTuple):
    """A text without its secrets.

    Attributes:
        text: of that.
        edges: for each replaced part (start, end in the original; end in `text`), in order.
    """

    text: bytes
    edges: list[tuple[int, int, int]]


_DIGITS: Final = re.compile(rb"\d(?:[ ().-]{0,2}\d){8,}")
_BEFORE: Final = 16
_BEHIND: Final = 40
_WORDS: Final = bytes(97 if RUN.match(bytes((byte,)) * 15) else 32 for byte in range(256))
_NUMBERS: Final = bytes(48 if byte in b"0123456789" else 97 for byte in range(256))
_SEPARATORS: Final = b" ().-"
_AT: Final = re.compile(rb"@(?<=[\w.+-]@)[A-Za-z0-9]")  # a small number is one byte, too
_GIVES: Final = re.compile(rb"(?:pass(?:word|wd|phrase)|secret)(?:[\xa0-\xbf\xd9-\xdb \t]|(?:\\{0,3}[\"'])?[:=])")
"""Something given: in a text, or in a packed map, where a value's first byte says that it is a text."""
_LONG: Final = b"a" * 15
_NINE: Final = b"0" * 9


_LEAD: Final = 140
"""What says that a long word is a secret stands in it, or at most so many bytes before it (`detectors`)."""


def _address(data: bytes) -> bool:
    """Whether there may be an e-mail address, or a password before a host."""
    find = data.find  # `in` on bytes asks for a number first, which takes longer than finding
    at = find(b"@") >= 0
    return (at and (find(b"//") >= 0 or _AT.search(data) is not None)) or find(b"%40") >= 0


def _password(data: bytes) -> bool:
    """Whether something is given behind a name such as `password` or `client_secret`."""
    low = data.lower()
    for name in (b"pass", b"secret"):
        at = low.find(name)
        while at >= 0:
            if _GIVES.match(low, at) is not None:
                return True
            at = low.find(name, at + 1)
    return any(data.find(letter) >= 0 for letter in FOLDED)


_NUMBER: Final = re.compile(
    rb"\d{15}|\d{4}[ -]\d{4}[ -]\d{4}|\d{4}[ -]\d{6}[ -]\d{4}|\+[1-9]|\d{3}-\d{4}|[A-Z]{2}\d\d ?[A-Z0-9]{4}"
)
"""What every card, phone and account has; a second since 1970 has nothing of it."""


def _numbers(data: bytes) -> bool:
    """Whether there may be a number that is somebody's."""
    if not _digits(data):
        return False
    for found in _DIGITS.finditer(data):
        start, end = found.span()
        before = data[max(start - 2, 0) : start]
        if end - start < _CARD and found[0].isdigit() and before[-1:] != b"+" and not before.isalpha():
            continue  # such as a second since 1970
        if _NUMBER.search(data, max(start - _BEFORE, 0), end + _BEHIND) is not None:
            return True
    return False


_CARD: Final = 15


def _digits(data: bytes) -> bool:
    return data.translate(_NUMBERS, _SEPARATORS).find(_NINE) >= 0


def _long_words(data: bytes) -> list[tuple[int, int]]:
    """Where words are that are long enough for a secret.

    The engine of `re` takes 8 ns per byte whatever it looks for; these are calls into C that take a tenth of it.
    """
    found: list[tuple[int, int]] = []
    words = data.translate(_WORDS)
    start = words.find(_LONG)
    while start >= 0:
        end = words.find(b" ", start)
        end = len(words) if end < 0 else end
        found.append((start, end))
        start = words.find(_LONG, end)
    return found


_PLAIN: Final = re.compile(rb"A(?:KIA|SIA|BSK|Iza)|ya29|SG\.|eyJ|dapi")
"""How keys begin that have no `-`, `_` or `=` in them."""


def _said(data: bytes) -> bool:
    """Whether there is anything that is said before a secret that doesn't begin like one."""
    find = data.lower().find
    return (
        find(b"key") >= 0
        or find(b"token") >= 0
        or find(b"secret") >= 0
        or find(b"pass") >= 0
        or find(b"bearer") >= 0
        or find(b"credential") >= 0
    )


class Texts:
    """Finds and replaces.

    Args:
        pseudonyms: what is put in their place.
        off: names of detectors that aren't used.
        rules: the user's own.
        sieve: says which detectors are worth trying.

    Example:
        >>> Texts(Pseudonyms(bytes(16))).redact(b"write to bob@example.com").text
        b'write to 23c0e@r.invalid'
    """

    def __init__(
        self, pseudonyms: Pseudonyms, *, off: Collection[str] = (), rules: Iterable[Rule] = (), sieve: Sieve = SIEVE
    ) -> None:
        self.pseudonyms = pseudonyms
        self._who = sieve.who
        self.rules = tuple(rules)
        self._off = frozenset(off) - {_NAMED}  # whose patterns are those of names of fields, too
        self._plain, self._numbers, self._suspect = _used(frozenset(off))
        self._learnt: dict[bytes, None] = {}
        self._known: re.Pattern[bytes] | None = None

    def learn(self, secret: bytes) -> None:
        """That is a secret wherever it stands from now on; the first 64 of them."""
        if len(secret) < _LEAST or secret in self._learnt or len(self._learnt) == _LEARNT or secret.isalpha():
            return
        if stands_in(secret):
            return
        self._learnt[secret] = None
        # the longest first: one may begin with another
        self._known = re.compile(b"|".join(map(re.escape, sorted(self._learnt, key=len, reverse=True))))

    def suspect(self, data: bytes) -> bool:
        """Whether `data`, which may be a packed value, can have a finding in it. Never wrong in saying no."""
        if self.rules:
            return True
        for secret in self._learnt:
            if data.find(secret) >= 0:
                return True
        who = self._who(data)
        if who is not None:
            return bool(who) and not self._off.issuperset(who)
        if _address(data) or _password(data) or (self._numbers and _numbers(data)):
            return True
        words = _long_words(data)
        return bool(words) and self._suspicious(data, words)

    def _suspicious(self, data: bytes, words: list[tuple[int, int]]) -> bool:
        """Whether a long word may be a secret: it looks like one, or what is before it says so."""
        search, plain, said = self._suspect.search, _PLAIN.search, _said(data)
        for start, end in words:
            if said and search(data, max(start - _LEAD, 0), end) is not None:
                return True
            word = data[start:end]
            signs = word.find(b"-") >= 0 or word.find(b"_") >= 0 or word.find(b"=") >= 0
            if signs and search(word) is not None:
                return True
            if plain(word) is not None:
                return True
        return False

    def begins(self, text: bytes) -> int | None:
        """Where a secret that was learnt begins, if the text ends within it; the last word, if the user has rules."""
        for secret in self._learnt:
            at = text.find(secret[:_FIRST], max(len(text) - len(secret) + 1, 0))
            while at >= 0:
                if secret.startswith(text[at:]):
                    return at
                at = text.find(secret[:_FIRST], at + 1)
        return text.rfind(b" ") + 1 if self.rules and text[-1:].isalnum() else None

    def findings(self, text: bytes) -> list[Finding]:
        """What is in a text, in order, without overlaps: the first, then the table's order decides."""
        who = self._who(text)
        found: list[Finding] = []
        if who is None or who:
            plain, numbers = self._plain, self._numbers
            if who is not None:
                plain = [detector for detector in plain if detector.name in who]
                numbers = [detector for detector in numbers if detector.name in who]
            low = text.lower() if plain else b""
            found += [finding for detector in plain for finding in detector.find(text, low)]
            if numbers and _digits(text):
                for start, end in _around_digits(text):
                    found += [each for detector in numbers for each in detector.find_around(text, start, end)]
        if self._known is not None:
            found += [Finding(*each.span(), "known", "secret") for each in self._known.finditer(text)]
        if self.rules:
            found += self._own(text)
        if found and not _is_text(text):
            found = [finding for finding in found if finding.end - finding.start >= _SURE]
        if len(found) < 2:
            return found
        found.sort(key=_start)
        kept = found[:1]
        for finding in found:
            if finding.start >= kept[-1].end:
                kept.append(finding)
        return kept

    def _own(self, text: bytes) -> list[Finding]:
        readable = text.decode("utf-8", "surrogateescape")
        found: list[Finding] = []
        for rule in self.rules:
            for secret in {each for each in rule.find(readable) if each}:
                raw = secret.encode("utf-8", "surrogateescape")
                at = -1 if stands_in(raw) else text.find(raw)
                while at >= 0:
                    found.append(Finding(at, at + len(raw), rule.name, "secret"))
                    at = text.find(raw, at + len(raw))
        return found

    def redact(self, text: bytes) -> Redacted:
        """The text without them; itself where there are none."""
        found = self.findings(text)
        if not found:
            return Redacted(text, [])
        pieces: list[bytes] = []
        edges: list[tuple[int, int, int]] = []
        done = size = 0
        for start, end, _, kind in found:
            stands: Callable[[bytes], bytes] = getattr(self.pseudonyms, kind)
            put = stands(text[start:end])
            pieces += text[done:start], put
            size += start - done + len(put)
            edges.append((start, end, size))
            done = end
        pieces.append(text[done:])
        return Redacted(b"".join(pieces), edges)


@functools.cache
def _used(off: frozenset[str]) -> tuple[list[Detector], list[Detector], re.Pattern[bytes]]:
    """Detectors with marks, those of numbers, and what finds any mark: of all but those."""
    plain = [detector for detector in TABLE if detector.name not in off and detector.marks]
    numbers = [detector for detector in TABLE if detector.name not in off and not detector.marks]
    return plain, numbers, re.compile(_any_of(frozenset(mark for detector in plain for mark in detector.marks)))


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return data.find(b"\0") < 0


def _around_digits(text: bytes) -> Iterator[tuple[int, int]]:
    """The parts that numbers may be in: nine digits, and what may be before and behind them in an IBAN."""
    start = end = 0
    for found in _DIGITS.finditer(text):
        if found.start() - _BEFORE > end:
            if end:
                yield start, end
            start = max(found.start() - _BEFORE, 0)
        end = found.end() + _BEHIND
    if end:
        yield start, end


def _start(finding: Finding) -> int:
    return finding.start


_SELDOM: Final = b"%@=/zqxj_+-:kvbwygpfmucldrhsnioate0123456789. "


def _any_of(marks: frozenset[bytes]) -> bytes:
    """A pattern that finds any mark, in any case. It is looked for by its rarest character, because the engine skips
    what can't begin a match many times faster than it tries to match."""
    by_rarest: dict[bytes, list[bytes]] = {}
    for mark in sorted(marks):
        if any(other in mark for other in marks if other != mark):
            continue  # who has the longer one has the shorter one
        at = min(range(len(mark)), key=lambda place: _SELDOM.index(mark[place]))
        head, tail = re.escape(mark[: at + 1]), re.escape(mark[at + 1 :])
        by_rarest.setdefault(mark[at : at + 1], []).append(b"(?<=%s)%s" % (head, tail))
    return b"|".join(
        b"%s(?i:%s)" % (re.escape(spelled), b"|".join(rest))
        for rarest, rest in by_rarest.items()
        for spelled in sorted({rarest, rarest.upper()})
    )
