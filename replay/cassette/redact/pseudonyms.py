"""What stands in the file for a secret: keyed, so that equal stays equal and nothing can be guessed back. Pure.

A stand-in is as long as what it stands for, in bytes, so that `Content-Length`, frames and sizes of files stay right,
and it is a well-formed value of its kind that nobody can have, so that a program which parses it at replay goes the
same way:

    secret        <redacted:1f3a…>, or <~1f3a> where that is too long; behind what such keys begin with: sk-<redacted:…>
    e-mail        1f3a9c@r.invalid     a domain that can't exist (RFC 2606)
    card          0099 8731 …          no issuer has this number; the check digit fits
    phone         +999 …, (000) …      a country and an area that are never assigned
    IBAN          XX31 …               no country; the check digits fit
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from replay.model.pseudonym import PSEUDONYM

_LONG: Final = len("<redacted:>")
_BITS: Final = 4  # hexadecimal digits that a long one has at least
_SHORT: Final = len("<~>")
_MOST: Final = 16384

_BEGINS: Final = re.compile(
    rb"(?:sk-(?:ant-(?:api\d\d-)?|proj-|or-v1-)?|[sr]k_(?:live|test)_|whsec_|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-"
    rb"|A[KS]IA|AIza|hf_|gsk_|xai-|pplx-|r8_)(?=[\w<~:>-]{12})"
)

FORM: Final = re.compile(PSEUDONYM.encode())


def luhn(digits: bytes) -> bool:
    """Whether the check digit of a card's number fits.

    Example:
        >>> luhn(b"4111111111111111"), luhn(b"4111111111111112")
        (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit - 48
        total += value if place % 2 == 0 else value * 2 - 9 * (value > 4)
    return total % 10 == 0


def mod97(iban: bytes) -> int:
    """The rest of an IBAN without spaces; 1 where its check digits fit.

    Example:
        >>> mod97(b"GB82WEST12345698765432")
        1
    """
    return int("".join(str(int(chr(byte), 36)) for byte in iban[4:] + iban[:4])) % 97


def stands_in(value: bytes) -> bool:
    """Whether the whole of it is a stand-in already.

    Example:
        >>> stands_in(b"sk-<redacted:c1dd7>"), stands_in(b"sk-0123456789abcdef")
        (True, False)
    """
    return FORM.fullmatch(value, len(_beginning(value))) is not None


def _beginning(value: bytes) -> bytes:
    found = _BEGINS.match(value)
    return b"" if found is None else found.group()


_TAIL: Final = re.compile(rb"(?<=<redacted:)[0-9a-f]+(?=>)|\b[0-9a-f]{4,}(?=(?:@|%40)r\.invalid)")


def plainer(text: bytes, kept: int) -> bytes:
    """The text with stand-ins that pack better: of their hexadecimal digits so many stay.

    Example:
        >>> plainer(b"sk-<redacted:c1dd7>", 4)
        b'sk-<redacted:c1dd0>'
    """
    return _TAIL.sub(lambda found: found[0][:kept].ljust(len(found[0]), b"0"), text)


class Pseudonyms:
    """The stand-ins of one key.

    Args:
        key: secret of this recording, 16 random bytes; never stored.

    Example:
        >>> Pseudonyms(bytes(16)).secret(b"sk-0123456789abcdef")
        b'sk-<redacted:c1dd7>'
        >>> Pseudonyms(bytes(16)).card(b"4111 1111 1111 1111")
        b'0099 9415 8446 3352'
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def secret(self, value: bytes) -> bytes:
        """For keys, tokens, passwords: as long as `value` where that has four bytes or more.

        What every key of a provider begins with stays: programs look at it to tell whether it is one.
        """
        if stands_in(value):
            return value
        known = _beginning(value)
        return known + self._secret(value, len(value) - len(known))

    def _secret(self, value: bytes, size: int) -> bytes:
        if _LONG + _BITS <= size <= _MOST:
            return b"<redacted:%s>" % self._hex(value, size - _LONG)
        if size > _MOST:
            return b"<redacted:%s>" % self._hex(value, 12)
        return b"<~%s>" % self._hex(value, max(size - _SHORT, 1))

    def email(self, value: bytes) -> bytes:
        """Spelled `@` or `%40` as it was; short ones become 14 bytes long."""
        at = b"@" if b"@" in value else b"%40"
        domain = at + b"r.invalid"
        return self._hex(value.replace(b"%40", b"@"), max(len(value) - len(domain), 4)) + domain

    def card(self, value: bytes) -> bytes:
        """The separators stay."""
        digits = _digits(value)
        made = b"0099" + self._decimal(digits, len(digits) - 5)
        made += next(b"%d" % digit for digit in range(10) if luhn(b"%s%d" % (made, digit)))
        return _filled(value, made)

    def phone(self, value: bytes) -> bytes:
        """The separators stay."""
        digits = _digits(value)
        return _filled(value, (b"999" if value[:1] == b"+" else b"000") + self._decimal(digits, len(digits) - 3))

    def iban(self, value: bytes) -> bytes:
        """The spaces stay."""
        compact = value.replace(b" ", b"")
        rest = self._decimal(compact, len(compact) - 4)
        made = iter(b"XX%02d%s" % (98 - mod97(b"XX00" + rest), rest))
        return bytes(byte if byte == 32 else next(made) for byte in value)

    def _hex(self, value: bytes, length: int) -> bytes:
        return hashlib.shake_256(self._key + value).hexdigest((length + 1) // 2)[:length].encode()

    def _decimal(self, value: bytes, length: int) -> bytes:
        number = int.from_bytes(hashlib.shake_256(self._key + value).digest(length), "big")
        return b"%0*d" % (length, number % 10**length)


def _digits(value: bytes) -> bytes:
    return bytes(byte for byte in value if 48 <= byte <= 57)


def _filled(shape: bytes, digits: bytes) -> bytes:
    made: Iterator[int] = iter(digits)
    return bytes(next(made) if 48 <= byte <= 57 else byte for byte in shape)
