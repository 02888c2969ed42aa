"""What of an HTTP request counts when it is compared.

Counts: method; URL (scheme and host without case, default port dropped, an empty path is `/`, the query with its
order, no fragment); headers except NOISE (names without case, order only among values of one name); body.

Bodies are equal when their bytes are. When the bytes differ but both are JSON of the same value, they count as equal
too: what the server is told is the same, and another key order or spacing comes from a library's version, not from the
agent. Numbers are compared with their type (1 is not 1.0, nor true), texts as they are, lists in order.

NOISE is what transports, tracers and retries add and what no server answers by. It is not stored as a setting:
a request that differs in a header outside this list is another request.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

NOISE = frozenset(
    # the connection and the client
    "user-agent host connection keep-alive proxy-connection te accept-encoding content-length transfer-encoding date "
    # tracing
    "traceparent tracestate baggage b3 sentry-trace x-cloud-trace-context x-amzn-trace-id uber-trace-id "
    # ids that are new for each attempt
    "idempotency-key x-idempotency-key x-request-id x-client-request-id request-id amz-sdk-request "
    "amz-sdk-invocation-id "
    # what SDKs tell about themselves and the time
    "x-goog-api-client x-amz-date x-amz-user-agent x-fern-language x-fern-sdk-name x-fern-sdk-version".split()
)
NOISE_PREFIXES = ("x-stainless-", "x-b3-", "x-datadog-")

_PORTS = {"http": 80, "https": 443}
_SIGNED = re.compile(r"^(AWS4-[A-Z0-9-]+) .*", re.DOTALL)
NOT_JSON = object()
"""What `json_of` gives for bytes that aren't JSON; None is JSON's null."""


class Http(NamedTuple):
    """What counts, in comparable form. `headers` = ((name, (value, …)), …) sorted by name."""

    method: str
    url: str
    headers: tuple[tuple[str, tuple[str, ...]], ...]


def http(request: Mapping[str, Any]) -> Http:
    """The request value of an http event, normalised. Never raises.

    Example:
        >>> http({"method": "get", "url": "HTTPS://API.example.com:443#x", "headers": [["User-Agent", "x"]]})
        Http(method='GET', url='https://api.example.com/', headers=())
    """
    headers: dict[str, list[str]] = {}
    pairs = request.get("headers")
    for pair in cast("Sequence[Any]", pairs) if isinstance(pairs, (list, tuple)) else ():
        match pair:
            case [str(name), str(value)]:
                name = counted(name)
                if name:
                    # AWS signs the time: the same request is signed anew each second
                    headers.setdefault(name, []).append(_SIGNED.sub(r"\1", value) if name == "authorization" else value)
            case _:  # no seam writes this; it still has to count
                headers.setdefault(repr(pair), [])
    return Http(
        str(request.get("method", "")).upper(),
        url(str(request.get("url", ""))),
        tuple((name, tuple(headers[name])) for name in sorted(headers)),
    )


@functools.lru_cache(maxsize=512)
def counted(name: str) -> str:
    """The header's name in lower case; empty when it is noise.

    Example:
        >>> counted("Content-Type"), counted("X-Stainless-Lang")
        ('content-type', '')
    """
    name = name.lower()
    return "" if name in NOISE or name.startswith(NOISE_PREFIXES) else name


@functools.lru_cache(maxsize=512)  # an agent asks few addresses, many times
def url(text: str) -> str:
    """The URL in the form that is compared; as it is when it can't be read.

    Example:
        >>> url("http://User@Example.com:80?b=1&a=2")
        'http://User@example.com/?b=1&a=2'
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return text
    user, at, _ = parts.netloc.rpartition("@")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    shown = "" if port is None or port == _PORTS.get(parts.scheme) else f":{port}"
    return parts._replace(netloc=f"{user}{at}{host}{shown}", path=parts.path or "/", fragment="").geturl()


def json_of(body: bytes) -> Any:
    """The JSON value of a body; NOT_JSON when it isn't JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NOT_JSON
