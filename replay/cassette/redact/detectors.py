"""What looks like a secret or like personal data: one table. Pure.

A detector is tried only where one of its marks is in the text, and most texts are seen to have none (`texts`). All work
on bytes, so that texts, bodies and pieces of streams are the same to them.

Tried and rejected: entropy (digests, ids and base64 have more of it than passwords do); any run of digits as a phone
number (order numbers); one pattern of everything (six times slower than marks, which are found by `memmem`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

from replay.cassette.redact.pseudonyms import luhn, mod97, stands_in
from replay.cassette.redact.sieve import Sieve

Kind = Literal["secret", "email", "card", "phone", "iban"]
"""What is put in its place: a method of `Pseudonyms`."""

REACH: Final = 8192
"""No finding is longer, in bytes."""


RUN: Final = re.compile(rb"[\w%.+/=~?&-]{15}", re.ASCII)
"""A long word. Every secret has one, unless it is a password: what has none needn't be looked at (`texts`)."""


class Finding(NamedTuple):
    """Where in a text, by which detector, and what is put there."""

    start: int
    end: int
    detector: str
    kind: Kind


def _always(_: bytes) -> bool:
    return True


@dataclass(frozen=True)
class Detector:
    """One line of the table.

    Attributes:
        name: by which it is switched off.
        what: for people.
        marks: a finding begins with one of these, in any case; none: with digits, of which it has nine or more.
        before: what leads to the mark and belongs to the match.
        pattern: of the whole; the group `s`, where it has one, is what is replaced.
        sieve: patterns of which each match has one in it, as simple as can be (`replay.cassette.redact.sieve`).
        check: whether a match is one.
        personal: personal data rather than a secret.
    """

    name: str
    what: str
    marks: tuple[bytes, ...]
    pattern: bytes
    sieve: tuple[bytes, ...]
    kind: Kind = "secret"
    before: bytes = b""
    check: Callable[[bytes], bool] = _always
    personal: bool = False

    @cached_property
    def compiled(self) -> re.Pattern[bytes]:
        """The pattern, compiled when it is first needed: a recording begins sooner."""
        return re.compile(self.pattern)

    @cached_property
    def _leads(self) -> re.Pattern[bytes]:
        return re.compile(self.before + rb"\Z")

    def find(self, text: bytes, low: bytes) -> Iterator[Finding]:
        """Its findings. `low`: the text in lower case."""
        return self._checked(text, self._by_marks(text, low))

    def find_around(self, text: bytes, start: int, end: int) -> Iterator[Finding]:
        """Its findings in a part of the text."""
        return self._checked(text, self.compiled.finditer(text, start, end))

    def _checked(self, text: bytes, matches: Iterator[re.Match[bytes]]) -> Iterator[Finding]:
        for found in matches:
            start, end = found.span("s") if "s" in found.re.groupindex else found.span()
            value = text[start:end]
            if self.check(value) and not stands_in(value):
                yield Finding(start, end, self.name, self.kind)

    def _by_marks(self, text: bytes, low: bytes) -> Iterator[re.Match[bytes]]:
        for mark in self.marks:
            at = low.find(mark)
            while at >= 0:
                start = self._start(text, at)
                found = None if start is None else self.compiled.match(text, start)
                if found is not None:
                    yield found
                at = low.find(mark, at + 1 if found is None else max(found.end(), at + 1))

    def _start(self, text: bytes, at: int) -> int | None:
        """Where what leads to the mark begins."""
        if not self.before:
            return at
        found = self._leads.search(text, max(at - _LEAD, 0), at)
        return None if found is None else found.start()


_LEAD: Final = 80

_EDGE: Final = rb"(?:(?<![\w\\%])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
"""Where a word begins, also behind an escaped character of JSON or of a URL."""


def _token(name: str, what: str, *shapes: bytes) -> Detector:
    """Keys that begin with something of their own."""
    marks = tuple(re.split(rb"[(\[\\]", shape)[0].lower() for shape in shapes)
    sieve = tuple(re.sub(rb"\{.*", b"{8}", shape) for shape in shapes)
    return Detector(name, what, marks, _EDGE + rb"(?:" + b"|".join(shapes) + rb")", sieve)


_CARDS: Final = re.compile(
    rb"4\d{15}|4\d{12}|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    rb"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"
)
_IBAN_SIZES: Final = dict(
    item.split(b":")
    for item in (
        b"AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 "
        b"EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 "
        b"IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 "
        b"NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SE:24 SI:19 SK:24 SM:27 ST:25 SV:28 TL:23 "
        b"TN:24 TR:26 UA:29 VA:22 VG:24 XK:20"
    ).split()
)


def _is_card(value: bytes) -> bool:
    digits = re.sub(rb"[ -]", b"", value)
    separated = len(digits) != len(value)
    return _CARDS.fullmatch(digits) is not None and luhn(digits) and (separated or len(digits) > 14)


def _is_iban(value: bytes) -> bool:
    compact = value.replace(b" ", b"")
    return len(compact) == int(_IBAN_SIZES.get(compact[:2], b"0")) and mod97(compact) == 1


def _is_email(value: bytes) -> bool:
    local, _, domain = value.replace(b"%40", b"@").partition(b"@")
    # what is a user only for programs: `git@github.com:org/repo`; what is no domain: `logo@2x.png`
    return local != b"git" and domain != b"r.invalid" and domain.rpartition(b".")[2].lower() not in _FILES


_FILES: Final = frozenset(b"png jpg jpeg gif svg webp js ts py json css html md txt whl gz zip local invalid".split())


def _is_phone(value: bytes) -> bool:
    digits = re.sub(rb"\D", b"", value)
    return 9 <= len(digits) <= 15 and not digits.startswith((b"999", b"000"))


def _is_mixed(value: bytes) -> bool:
    """Digits and letters: not a word, and not a number."""
    return re.search(rb"\d", value) is not None and re.search(rb"[A-Za-z]", value) is not None


_LOCAL: Final = _EDGE + rb"[A-Za-z0-9_](?:[\w.+-]|%2[bB]){0,63}"
_PASSWORD: Final = rb"(?:pass(?:word|wd|phrase)|secret)"
_KEY: Final = rb"(?:(?:api|access|private)[_-]?key|(?:access|refresh|auth|bearer|session|csrf)_?token)"
_GIVEN: Final = rb"(?:\\{0,3}[\"'])?[ \t]*[:=][ \t]*\\{0,3}[\"']"
_NEAR: Final = rb"[\\\"' \t]*[:=][ \t]*"
_BEFORE_NAME: Final = r"(?i:(?:[\w-]{0,32}[_-])?%s)"
PASSWORD_NAME: Final = re.compile(_BEFORE_NAME % _PASSWORD.decode())
"""The name of a field whose whole value is a secret, however short."""
KEY_NAME: Final = re.compile(_BEFORE_NAME % _KEY.decode())
"""The name of a field whose whole value is a secret, if it has a long word in it."""
_OPTION: Final = rb"(?:(?<![\w-])|(?<=\\[nrt]))--(?:[\w-]{0,32}-)?"

FOLDED: Final = (b"\xc5\xbf", b"\xe2\x84\xaa")
"""A long s and the sign for Kelvin are an s and a k in any case, to these two."""

_NAMES: Final = (b"passw", b"secret", b"key", b"token", b"credential")

TABLE: Final = (
    Detector(
        "private-key",
        "private keys (PEM)",
        (b"private key-----",),
        rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:\\+n|\\+r|\s){0,4}(?P<s>[A-Za-z0-9+/=\s:,.\\-]{8,8000}?)"
        rb"(?=(?:\\+n|\\+r|\s){0,4}-----END |\Z)",
        (b"PRIVATE KEY-----",),
        before=rb"-----BEGIN [A-Z0-9 ]{0,40}",
        check=lambda value: RUN.search(value) is not None,
    ),
    _token("anthropic", "Anthropic", rb"sk-ant-[\w-]{16,400}"),
    _token("openai", "OpenAI, OpenRouter, DeepSeek and others whose keys begin so", rb"sk-[\w-]{16,400}"),
    _token(
        "stripe",
        "Stripe",
        *(rb"%s_%s_\w{16,400}" % (a, b) for a in (b"sk", b"rk") for b in (b"live", b"test")),
        rb"whsec_\w{16,400}",
    ),
    _token(
        "github",
        "GitHub",
        *(rb"gh%s_\w{16,400}" % kind for kind in (b"p", b"o", b"u", b"s", b"r")),
        rb"github_pat_\w{16,400}",
    ),
    _token("gitlab", "GitLab", rb"glpat-[\w-]{16,400}"),
    _token(
        "slack",
        "Slack",
        *(rb"xox%s-[\w-]{10,400}" % kind for kind in (b"a", b"b", b"e", b"p", b"r", b"s")),
        rb"xapp-[\w-]{10,400}",
    ),
    _token("huggingface", "Hugging Face", rb"hf_\w{16,400}"),
    _token("aws", "Amazon", rb"AKIA[A-Z0-9]{16}", rb"ASIA[A-Z0-9]{16}", rb"ABSK[\w+/=-]{16,400}"),
    _token("google", "Google", rb"AIza[\w-]{30,400}", rb"ya29\.[\w-]{16,2000}", rb"GOCSPX-[\w-]{16,400}"),
    _token("groq", "Groq", rb"gsk_\w{16,400}"),
    _token("xai", "xAI", rb"xai-[\w-]{16,400}"),
    _token(
        "models",
        "Perplexity, Replicate, NVIDIA, Cerebras",
        rb"pplx-\w{16,400}",
        rb"r8_\w{16,400}",
        rb"nvapi-[\w-]{16,400}",
        rb"csk-[\w-]{16,400}",
    ),
    _token(
        "tools",
        "Tavily, LangSmith, Linear, Notion, Databricks, SendGrid, npm, PyPI",
        rb"tvly-[\w-]{16,400}",
        rb"lsv2_\w{16,400}",
        rb"lin_api_\w{16,400}",
        rb"ntn_\w{16,400}",
        rb"dapi[0-9a-f]{32}",
        rb"SG\.[\w.-]{30,400}",
        rb"npm_\w{30,400}",
        rb"pypi-[\w-]{30,400}",
    ),
    _token("jwt", "signed tokens (JWT)", rb"eyJ[\w-]{8,4000}\.[\w-]{8,4000}(?:\.[\w-]{0,180})?"),
    Detector(
        "bearer",
        "what follows `Bearer`",
        (b"bearer",),
        rb"(?i:bearer)(?:\s|\\+u0020){1,3}(?P<s>[\w.~+/=-]{16,4000})",
        (rb"(?i)bearer(?:[ \t\n\r\f\x0b]|\\+u0020)+[\w.~+/=-]{4}",),
    ),
    Detector(
        "url-user",
        "user and password before a host",
        (b"://",),
        rb"://(?P<s>[^\s/:@\"'<>?#\\]{0,200}:[^\s/@\"'<>?#\\]{1,200})@",
        (rb"://[^ \t\n\r\f\x0b/:@\"'<>?#\\]*:[^ \t\n\r\f\x0b/@\"'<>?#\\]+@",),
    ),
    Detector(
        "query",
        "values of query keys that are secrets",
        (b"key=", b"apikey=", b"token=", b"sig=", b"signature=", b"secret=", b"password="),
        rb"[?&](?=[\w%.+/=~?-]{14})[\w-]{0,60}=(?P<s>[^\s&#\"'<>\\]{6,4000})",
        (rb"(?i)[?&][\w-]*(?:key|token|sig|signature|secret|password)=[^ \t\n\r\f\x0b&#\"'<>\\]{6}",),
        before=rb"[?&](?:[\w-]{0,60}[_-])?",
    ),
    Detector(
        "named",
        "values behind names such as `password`, `client_secret`; long ones behind `api_key`, `access_token`",
        (b"pass", b"secret", b"api", b"access", b"private", b"refresh", b"auth", b"bearer", b"session", b"csrf"),
        rb"(?i:(?:"
        + _PASSWORD
        + rb"|"
        + _KEY
        + rb"(?="
        + _GIVEN
        + rb"[^\"'\\\s]{0,99}?[\w%.+/=~?&-]{15})))"
        + _GIVEN
        + rb"(?P<s>[^\"'\\\s]{6,400})(?=\\{0,3}[\"'])",
        (
            rb"(?i)" + _PASSWORD + rb"(?:[\xa4-\xbf\xd9-\xdb]|" + _NEAR + rb"\\*[\"'][^\"'\\ \t\n\r\f\x0b]{6})",
            rb"(?i)(?:key|token)(?:[\xaf-\xbf\xd9-\xdb]|" + _NEAR + rb"\\*[\"'][^\"'\\ \t\n\r\f\x0b]{8})",
            *FOLDED,
        ),
        check=lambda value: value[:1] not in (b"<", b"$", b"{"),
    ),
    Detector(
        "option",
        "what a command is given as `--password` or so; behind a blank only what isn't a word",
        (b"password", b"passwd", b"passphrase", b"secret"),
        _OPTION
        + rb"(?i:"
        + _PASSWORD
        + rb")(?:=[\"']?|[ \t]{1,3}[\"']?(?![\"'-])(?=[A-Za-z]*[^A-Za-z\s\"'\\]))(?P<s>[^\s\"'\\]{4,400})",
        (rb"(?i)--[\w-]*" + _PASSWORD + rb"(?:=|[ \t])",),
        before=_OPTION,
        check=lambda value: value[:1] not in (b"<", b"$", b"{"),
    ),
    Detector(
        "mixed",
        "16 and more digits and letters behind a name with key, token, secret, password or credential in it",
        _NAMES,
        rb"(?<!WebSocket-)[\w.-]{1,42}"
        rb"\\{0,3}[\"']?[ \t]*[:=][ \t]*\\{0,3}[\"']?(?P<s>[\w+/=.~-]{16,400})",
        (rb"(?i)(?:passw|secret|key|token|credential)[\w.-]*" + _NEAR + rb"[\\\"']*[\w+/=.~-]{12}",),
        check=_is_mixed,
    ),
    Detector(
        "email",
        "e-mail addresses",
        (b"@", b"%40"),
        _LOCAL + rb"(?:@|%40)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,6}[A-Za-z]{2,24}(?![\w-])",
        (rb"[\w.+-](?:@|%40)[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9]",),
        "email",
        _LOCAL,
        _is_email,
        personal=True,
    ),
    Detector(
        "card",
        "payment cards: a known issuer, a check digit that fits",
        (),
        rb"(?<![.+-])"
        + _EDGE
        + rb"(?:\d{15,16}|\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}|\d{4}[ -]\d{6}[ -]\d{4,5})(?![\w-]|\.\d)",
        (rb"\d{15}", rb"\d{4}[ -]\d{4,6}[ -]\d{4}"),
        "card",
        check=_is_card,
        personal=True,
    ),
    Detector(
        "iban",
        "IBANs: a country's length, check digits that fit",
        (),
        _EDGE + rb"[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])",
        (rb"(?:" + b"|".join(_IBAN_SIZES) + rb")\d\d ?[A-Z0-9]{4} ?[A-Z0-9]{4}",),
        "iban",
        check=_is_iban,
        personal=True,
    ),
    Detector(
        "phone",
        "phone numbers: `+` and a country, or (123) 456-7890, 123-456-7890",
        (),
        rb"(?<![+/=.-])" + _EDGE + rb"(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?(?:\d[ .-]?){5,11}\d(?![\w-]|\.\d)"
        rb"|(?:\([2-9]\d{2}\) ?\d{3}-\d{4}|[2-9]\d{2}-[2-9]\d{2}-\d{4})(?![\w-]))",
        (rb"\+[1-9][\d ().-]{8}", rb"\d{3}[) -]{1,2}\d{3}-\d{4}"),
        "phone",
        check=_is_phone,
        personal=True,
    ),
)

PATTERNS: Final = {detector.name: detector.sieve for detector in TABLE}
SIEVE: Final = Sieve(PATTERNS)

_OPEN_WORD: Final = re.compile(
    rb"(?:(?=[a-zA-Z])"
    + _EDGE
    + rb"(?:sk-|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|hf_|[gp]sk_|xai-|pplx-|r8_|nvapi-|csk-|tvly-|lsv2_"
    rb"|lin_api_|ntn_|dapi|npm_|pypi-|[sr]k_(?:live|test)_|whsec_|AKIA|ASIA|ABSK|AIza|ya29\.|GOCSPX-|SG\.|eyJ)[\w.+/=-]*"
    rb"|://[^\s/:@\"'<>?#\\]{0,200}:[^\s/@\"'<>?#\\]*"
    rb"|[?&](?:[\w-]{0,60}[_-])?(?i:key|apikey|token|sig|signature|secret|password)=[^\s&#\"'<>\\]*"
    rb"|[\w.+-]+(?:@|%40)[\w.-]*)\Z"
)
_OPEN_NAME: Final = re.compile(
    rb"(?:(?i:bearer)(?:\s|\\+u0020)+[\w.~+/=-]*"
    rb"|(?i:"
    + _PASSWORD
    + rb"|"
    + _KEY
    + rb")(?:\\{0,3}[\"'])?[ \t]*(?:[:=][ \t]*(?:\\{0,3}[\"'][^\"'\\\s]*)?)?\\{0,3}"
    rb"|" + _OPTION + rb"(?i:" + _PASSWORD + rb")(?:=[\"']?|[ \t]+[\"']?)[^\s\"'\\]*"
    rb"|(?i:passw|secret|key|token|credential)[\w.-]{0,42}\\{0,3}[\"']?[ \t]*[:=][ \t]*\\{0,3}[\"']?[\w+/=.~-]*)\Z"
)
_OPEN_IBAN: Final = re.compile(rb"[A-Z]{2}\d\d(?: ?[A-Z0-9]){3,} ?\Z")
_NUMBER: Final = b"0123456789 ().-"
_ACCOUNT: Final = b"0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NO_DIGITS: Final = bytes(byte for byte in range(256) if not 48 <= byte <= 57)


def begins(text: bytes) -> int | None:
    """Where what may be a secret begins, if the text ends within one: more of it than says what it is. For pieces of
    streams."""
    word = text.rfind(b" ") + 1
    found = _OPEN_WORD.search(text, word) if len(text) > word + 2 else None
    if found is None:
        number = text.rstrip(_NUMBER)
        if len(text[len(number) :].translate(None, _NO_DIGITS)) >= _DIGITS:
            return len(number)
        account = len(text.rstrip(_ACCOUNT))
        if len(text) >= account + _DIGITS:
            found = _OPEN_IBAN.search(text, account)
    if found is None:
        find = text.lower().find
        if (
            find(b"key") >= 0
            or find(b"token") >= 0
            or find(b"pass") >= 0
            or find(b"secret") >= 0
            or find(b"bearer") >= 0
            or find(b"credential") >= 0
        ):
            found = _OPEN_NAME.search(text)
    return None if found is None else found.start()


_DIGITS: Final = 7
"""Six digits of a card may be shown; a phone number's first six say a country and an area."""
