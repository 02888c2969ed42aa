"""Who may ask what of the viewer's server. Pure: a request's lines in, a refusal or nothing out.

Recorded runs hold what nobody but their owner may read, and any page in the owner's browser can send requests to
loopback. Four things keep it out, each enough against most:

1. Every path begins with a random token, so nothing can be asked for by who hasn't seen the address. It isn't a
   cookie: those don't tell ports apart, so every other server on this machine that the browser visits would get it.
2. `Host` has to name the loopback address and our port: a name that was re-bound to 127.0.0.1 (DNS rebinding) doesn't.
3. `Origin` and `Sec-Fetch-Site`, where the browser sends them, have to be those of our own page.
4. Only GET and HEAD; nothing that is asked changes anything.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple

METHODS: Final = ("GET", "HEAD")
NAMES: Final = ("127.0.0.1", "localhost")

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, refusals too. `trusted-types 'none'`: a script that would make markup of a text is stopped."""


class Refusal(NamedTuple):
    """A status, and a sentence that says why."""

    status: int
    why: str


def refused(method: str, headers: Mapping[str, str], port: int) -> Refusal | None:
    """Why this request isn't answered, None where it is. `headers`: by their names in lower case.

    >>> refused("GET", {"host": "evil.example:8080"}, 8080)
    Refusal(status=421, why='Host is not this server')
    """
    if method not in METHODS:
        return Refusal(405, "only GET and HEAD")
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return Refusal(413, "nothing is taken")
    own = {f"{name}:{port}" for name in NAMES} | set[str](NAMES if port == 80 else ())
    if headers.get("host", "").lower() not in own:
        return Refusal(421, "Host is not this server")
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in {f"http://{each}" for each in own}:
        return Refusal(403, "Origin is another page")
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return Refusal(403, "asked by another page")
    return None


def behind(path: str, token: str) -> str | None:
    """What a path asks for behind the token; None where it doesn't begin with it.

    >>> behind("/secret/api/event", "secret"), behind("/other/", "secret")
    ('api/event', None)
    """
    given, slash, rest = path.removeprefix("/").partition("/")
    known = hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())
    return rest if known and slash and path.startswith("/") else None
