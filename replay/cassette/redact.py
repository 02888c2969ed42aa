"""Secrets stay out of the file: they are replaced before bytes are packed, by pseudonyms.

Equal secrets get equal pseudonyms within one cassette (keyed by a random key that is never stored, so nothing can be
guessed back). At replay a pseudonym matches whatever stands in its place (`matching.normalise`).
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

SECRET_HEADERS = frozenset(
    "authorization proxy-authorization cookie set-cookie x-api-key api-key x-goog-api-key x-auth-token "
    "x-amz-security-token x-csrf-token openai-organization openai-project".split()
)
SECRET_QUERY = frozenset("key api_key apikey api-key token access_token sig signature x-amz-signature secret".split())
_SECRET_ENV = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|COOKIE|DSN", re.IGNORECASE)
_ADDRESS_ENV = re.compile(r"DSN$", re.IGNORECASE)
_PASSWORD = re.compile(r"\b((?:ssl)?passw(?:or)?d|pwd)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s;&]+)", re.IGNORECASE)
_TOKEN_MARKS = (
    b"sk- sk_live_ sk_test_ rk_live_ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xoxb- xoxp- xoxa- xoxe- hf_ AKIA "
    b"ASIA AIza eyJ"
).split()
_TOKEN = re.compile(rb"\b(?:" + b"|".join(_TOKEN_MARKS) + rb")[\w.-]{16,}")
_PEM_MARK = b"PRIVATE KEY-----"
_PEM = re.compile(rb"(PRIVATE KEY-----\s)([A-Za-z0-9+/=\s:,.-]+?)(?=-----END )")
_NAME_MARKS = (b"key", b"secret", b"token", b"passw", b"credential")
_NAMED = re.compile(
    rb"([\w.-]{0,32}[\"']?[ \t]*[:=][ \t]*[\"']?)(?=[\w+/=.~-]*\d)(?=[\w+/=.~-]*[A-Za-z])([\w+/=.~-]{16,})"
)
_ASSIGNED = re.compile(rb"^([ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*[\"']?)([^\r\n\"'#]*[^\s\"'#])", re.MULTILINE)
_ENV_FILE = re.compile(r"(?:^|/)(?:\.env(?:\.[\w.-]*)?|[\w.-]*\.env|\.netrc|credentials|\.pgpass)$")
_SHORT = 6  # what is shorter (`MAX_TOKENS=5`) is a setting
_LENGTHS = range(len("<redacted:>") + 4, len("<redacted:>") + 16385)  # a private key is 3 KB long
PSEUDONYM = re.compile(r"<redacted:[0-9a-f]{4,16384}>")


class Redactor:
    """Replaces secrets by pseudonyms of one cassette.

    Args:
        key: secret of this recording, 16 random bytes; never stored.

    Example:
        >>> Redactor(bytes(16)).header("Authorization", "Bearer sk-1")
        'Bearer <redacted:e3ae7cc0ea3b>'
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def pseudonym(self, secret: str) -> str:
        """The stand-in for `secret`; a text that is a pseudonym already stays as it is."""
        if PSEUDONYM.fullmatch(secret):
            return secret
        digest = hashlib.blake2b(secret.encode("utf-8", "surrogateescape"), key=self._key, digest_size=6)
        return f"<redacted:{digest.hexdigest()}>"

    def header(self, name: str, value: str) -> str:
        """A header's value as it may be stored; an authentication scheme stays readable."""
        lower = name.lower()
        if lower not in SECRET_HEADERS:
            return value
        if lower in ("cookie", "set-cookie"):
            return self._cookies(value, every=lower == "cookie")
        scheme, space, secret = value.partition(" ")
        if space and scheme.lower() in ("bearer", "basic", "token", "digest"):
            return f"{scheme} {self.pseudonym(secret)}"
        return self.pseudonym(value)

    def _cookies(self, value: str, *, every: bool) -> str:
        """Names and attributes stay, for the cookie jar at replay; in `Set-Cookie` only the first is a value."""
        parts = value.split(";")
        for index, part in enumerate(parts if every else parts[:1]):
            key, equals, secret = part.partition("=")
            if secret:
                parts[index] = f"{key}={self.pseudonym(secret)}"
            elif not equals and key.strip():  # without a name: all of it is the value
                parts[index] = self.pseudonym(key)
        return ";".join(parts)

    def url(self, url: str) -> str:
        """The URL with the values of secret query keys and a password before the host replaced."""
        if "?" not in url and "@" not in url:
            return url
        parts = urlsplit(url)
        host = parts.netloc
        if "@" in host:
            user, _, rest = host.rpartition("@")
            host = f"{self.pseudonym(user)}@{rest}"
        query = parts.query
        if any(name.lower() in SECRET_QUERY for name, _ in parse_qsl(query, keep_blank_values=True)):
            fields = [field.partition("=") for field in query.split("&")]
            query = "&".join(
                f"{name}{equals}{quote(self.pseudonym(value), safe='<>:') if name.lower() in SECRET_QUERY else value}"
                for name, equals, value in fields
            )
        return urlunsplit((parts.scheme, host, parts.path, query, parts.fragment))

    def env(self, name: str, value: str) -> str:
        """An environment variable's value as it may be stored; of an address, without its password."""
        if not value:
            return value
        keywords = _PASSWORD.sub(lambda found: found[1] + found[2] + self.pseudonym(found[3]), value)
        address = "://" in value or keywords != value
        if _SECRET_ENV.search(name) and not (address and _ADDRESS_ENV.search(name)):
            return self.pseudonym(value)
        try:
            return self.url(keywords) if "://" in value else keywords
        except ValueError:  # not an address after all
            return self.pseudonym(value)

    def file(self, path: str | bytes, data: bytes) -> bytes:
        """A file's content as it may be stored: keys, tokens and passwords that look like it are replaced.

        In files of settings (`.env`) every variable with a secret's name counts, elsewhere only values that look like
        secrets, too. A stand-in is as long as what it stands for where that can be, so that sizes stay right.
        """
        if _ENV_FILE.search(os.fsdecode(path)):
            data = _ASSIGNED.sub(self._assigned, data)
        if any(mark in data for mark in _TOKEN_MARKS):
            data = _TOKEN.sub(lambda found: self._as_long(found[0]), data)
        if _PEM_MARK in data:
            data = _PEM.sub(lambda found: found[1] + self._as_long(found[2].rstrip()) + b"\n", data)
        return self._named(data)

    def _named(self, data: bytes) -> bytes:
        """Values behind names of secrets. Looked for by their names first: a pattern over everything takes ten times
        as long."""
        lower = data.lower()
        found: dict[int, re.Match[bytes]] = {}
        for mark in _NAME_MARKS:
            at = lower.find(mark)
            while at >= 0:
                match = _NAMED.match(data, at + len(mark))
                if match is not None:
                    found[match.start(2)] = match
                at = lower.find(mark, at + len(mark))
        pieces: list[bytes] = []
        done = 0
        for start in sorted(found):
            if start >= done:
                pieces += data[done:start], self._as_long(found[start][2])
                done = found[start].end()
        return b"".join((*pieces, data[done:])) if pieces else data

    def _assigned(self, found: re.Match[bytes]) -> bytes:
        start, name, value = found.groups()
        secret = len(value) >= _SHORT and not value.isdigit() and _SECRET_ENV.search(name.decode("latin-1"))
        return start + self._as_long(value) if secret else found[0]

    def _as_long(self, secret: bytes) -> bytes:
        if PSEUDONYM.fullmatch(secret.decode("latin-1")):
            return secret
        length = (len(secret) if len(secret) in _LENGTHS else len("<redacted:>") + 12) - len("<redacted:>")
        digest = hashlib.shake_256(self._key + secret).hexdigest((length + 1) // 2)
        return b"<redacted:%s>" % digest[:length].encode()

    def process(self, request: Any) -> Any:
        """The request of a process event with the values of secret variables replaced."""
        if not isinstance(request, dict) or not isinstance(request.get("env"), dict):  # pyright: ignore[reportUnknownMemberType]
            return request  # pyright: ignore[reportUnknownVariableType]
        safe: dict[str, Any] = dict(cast("dict[str, Any]", request))
        safe["env"] = {name: self.env(name, value) for name, value in safe["env"].items()}
        return safe

    def mcp(self, request: Any) -> Any:
        """What opens an MCP transport: a process or an address. Messages stay as they are."""
        return self.http_message(self.process(request))

    def http_message(self, message: Any) -> Any:
        """A request or response of an http event with its secret headers and query values replaced."""
        if not isinstance(message, dict):
            return message
        safe: dict[str, Any] = dict(cast("dict[str, Any]", message))
        if "headers" in safe:
            safe["headers"] = [[name, self.header(name, value)] for name, value in safe["headers"]]
        if "url" in safe:
            safe["url"] = self.url(safe["url"])
        return safe
