"""The shape of an http event, the same from every client.

request   {"method", "url", "headers": [[name, value], …], "version"?}; body: the bytes after transfer-decoding
response  {"status", "reason", "headers": [[name, value], …], "version"}
pieces    the body's bytes after transfer-decoding and before content-decoding, as they came; never empty
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import Lane
from replay.boundary.traceparent import NAME, outgoing
from replay.model.effect import Effect

Head = dict[str, Any]
"""A response without its body, as it is stored."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def effect_of(method: str) -> Effect:
    """`read` for methods that are defined to change nothing, else `write`."""
    return "read" if method.upper() in _SAFE else "write"


def label(method: str, url: str) -> str:
    """An event's name: method and URL without query, fragment and credentials.

    Example:
        >>> label("GET", "https://me:pw@shop.test/orders?id=7")
        'GET https://shop.test/orders'
    """
    plain = url.partition("?")[0].partition("#")[0]
    scheme, mark, rest = plain.partition("://")
    host, slash, path = rest.partition("/")
    if "@" in host:
        plain = f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
    return f"{method} {plain}"


def call_of(
    lane: Lane, method: str, url: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, version: str | None = None
) -> Call[Any]:
    """The Call of one request; its pieces are the response's body."""
    name = label(method, url)
    request: dict[str, Any] = {"method": method, "url": url, "headers": pairs(headers)}
    if version is not None:
        request["version"] = version
    return Call("http", name, effect_of(method), request, body, chain=(lane.path, name), streams=True)


def tell(lane: Lane, headers: Any) -> None:
    """Tell whoever is about to be asked which trace this is part of, in a mapping of headers without case."""
    told = outgoing(lane)
    if told is not None and NAME not in headers:
        headers[NAME] = told


def pairs(headers: Iterable[tuple[bytes, bytes]]) -> list[list[str]]:
    """Header lines as they are stored: latin-1, so that every byte comes back."""
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def raw(head: Head) -> list[tuple[bytes, bytes]]:
    """The header lines of a stored head, as bytes."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]]
