"""Secrets stay out of the file: they are replaced before bytes are packed, by pseudonyms.

Equal secrets get equal pseudonyms within one cassette (keyed by a random key that is never stored, so nothing can be
guessed back). At replay a pseudonym matches whatever stands in its place (`matching.normalise`).
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

SECRET_HEADERS = frozenset(
    "authorization proxy-authorization cookie set-cookie x-api-key api-key x-goog-api-key x-auth-token "
    "x-amz-security-token x-csrf-token openai-organization openai-project".split()
)
SECRET_QUERY = frozenset("key api_key apikey api-key token access_token sig signature x-amz-signature secret".split())
_SECRET_ENV = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|COOKIE|DSN", re.IGNORECASE)
PSEUDONYM = re.compile(r"<redacted:[0-9a-f]{12}>")


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
        if _SECRET_ENV.search(name):
            return self.pseudonym(value)
        try:
            return self.url(value) if "://" in value else value
        except ValueError:  # not an address after all
            return self.pseudonym(value)

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
