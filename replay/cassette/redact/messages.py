"""Takes secrets out of what is written: by the places where they stand, then by what they look like.

Equal secrets get equal pseudonyms within one cassette (keyed by a random key that is never stored, so nothing can be
guessed back). At replay a pseudonym matches whatever stands in its place (`matching.redacted`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from replay.cassette.redact import databases
from replay.cassette.redact.bodies import Body, redacted
from replay.cassette.redact.packed import whole
from replay.cassette.redact.pseudonyms import Pseudonyms
from replay.cassette.redact.rules import Rules
from replay.cassette.redact.streams import Streams
from replay.cassette.redact.texts import Texts
from replay.cassette.redact.values import Values

SECRET_HEADERS = frozenset(
    "authorization proxy-authorization cookie set-cookie x-api-key api-key x-goog-api-key x-auth-token "
    "x-amz-security-token x-csrf-token openai-organization openai-project".split()
)
SECRET_QUERY = frozenset("key api_key apikey api-key token access_token sig signature x-amz-signature secret".split())
_SECRET_ENV = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|COOKIE|DSN", re.IGNORECASE)
_ADDRESS_ENV = re.compile(r"DSN$", re.IGNORECASE)
_PASSWORD = re.compile(r"\b((?:ssl)?passw(?:or)?d|pwd)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s;&]+)", re.IGNORECASE)
_ASSIGNED = re.compile(rb"^([ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*[\"']?)([^\r\n\"'#]*[^\s\"'#])", re.MULTILINE)
_ENV_FILE = re.compile(r"(?:^|/)(?:\.env(?:\.[\w.-]*)?|[\w.-]*\.env|\.netrc|credentials|\.pgpass)$")
_SHORT = 6  # what is shorter (`MAX_TOKENS=5`) is a setting
_NO_RULES: Final = Rules()
_PLACES: Final = frozenset(("cwd", "file", "path", "id", "created", "distributions"))
"""Fields of a header, and of the entry and environment in it, that stay as they are."""


class Redactor:
    """Replaces secrets by pseudonyms of one recording.

    Args:
        key: secret of this recording, 16 random bytes; never stored.
        rules: the user's own.
        texts: instead of what these two make.

    Attributes:
        texts: finds them by what they look like.

    Example:
        >>> Redactor(bytes(16)).header("Authorization", "Bearer sk-1")
        'Bearer <~a>'
    """

    def __init__(self, key: bytes, rules: Rules = _NO_RULES, texts: Texts | None = None) -> None:
        self.texts = texts or Texts(Pseudonyms(key), off=rules.off, rules=rules.found)
        self._values = Values(self.texts, rules.paths)
        self._headers = SECRET_HEADERS | rules.headers

    def packing(self, pack: Callable[[object], bytes]) -> Callable[[object], bytes]:
        """`pack`, whose bytes have no secrets in them."""
        packed = self._values.packed
        return lambda value: packed(pack(value))

    def streams(self, pack: Callable[[object], bytes]) -> Streams:
        """What looks at texts that come in pieces."""
        return Streams(self.texts, pack)

    def head(self, packed: bytes) -> bytes:
        """A packed header. Where the program is stays readable: a replay goes there."""
        return self._values.fields(packed, _PLACES)

    def text(self, text: str) -> str:
        """Any text."""
        return cast("str", self._values.value(text))

    def body(self, raw: bytes) -> Body:
        """The large part of a request."""
        return redacted(self.texts, raw)

    def packed(self, request: Any, body: bytes, tell: Callable[[str], None]) -> bytes:
        """The body of an http request, which may be compressed; `tell` gets what can't be searched."""
        headers = cast("dict[str, Any]", request).get("headers") if isinstance(request, dict) else None
        return whole(self.texts, headers, body, tell)

    def pseudonym(self, secret: str) -> str:
        """The stand-in for `secret`, which is looked for everywhere from now on; of a stand-in itself."""
        raw = secret.encode("utf-8", "surrogateescape")
        stands = self.texts.pseudonyms.secret(raw)
        if stands is not raw:
            self.texts.learn(raw)
        return stands.decode()

    def header(self, name: str, value: str) -> str:
        """A header's value as it may be stored; an authentication scheme stays readable."""
        lower = name.lower()
        if lower not in self._headers:
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
        secrets, too.
        """
        if data.startswith(databases.MAGIC):
            return databases.redacted(self.texts, data)
        if _ENV_FILE.search(os.fsdecode(path)):
            data = _ASSIGNED.sub(self._assigned, data)
        return self.texts.redact(data).text if self.texts.suspect(data) else data

    def _assigned(self, found: re.Match[bytes]) -> bytes:
        start, name, value = found.groups()
        secret = len(value) >= _SHORT and not value.isdigit() and _SECRET_ENV.search(name.decode("latin-1"))
        return start + self.texts.pseudonyms.secret(value) if secret else found[0]

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
            secret = self._headers
            safe["headers"] = [
                [name, self.header(name, value) if name.lower() in secret else value] for name, value in safe["headers"]
            ]
        if "url" in safe:
            safe["url"] = self.url(safe["url"])
        return safe
