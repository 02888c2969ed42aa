"""W3C trace context: which trace a session belongs to, and what its requests and children are told of it.

    traceparent: 00-<trace id, 32 hex>-<span id, 16 hex>-<flags, 2 hex>

A session that was called with one belongs to that trace, any other one begins its own. Each request that it sends has a
span id of its own, made from the session's span, the lane and a count: so a replay sends the same, and whoever was
called names the very request that called him.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from replay.boundary.lanes import Lane

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
NAME = "traceparent"


class Parsed(NamedTuple):
    """What a `traceparent` says."""

    trace: str
    span: str
    flags: str


class Trace(NamedTuple):
    """A session's place in a trace.

    Attributes:
        id: of the trace. span: of this session. parent: span of the request that called it, None where nobody did.
        flags: as they came. sends: whether its requests and child processes are told.
    """

    id: str
    span: str
    parent: str | None
    flags: str
    sends: bool

    def below(self, entropy: bytes) -> Trace:
        """That of a child process. `entropy`: 8 random bytes."""
        return self._replace(span=entropy.hex(), parent=self.span)

    def to_header(self) -> dict[str, Any]:
        """For the cassette's header."""
        return dict(self._asdict())


def parse(text: str | None) -> Parsed | None:
    """What that header says; None where it isn't one."""
    found = None if text is None else _FORM.fullmatch(text.strip().lower())
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return None
    return Parsed(found[1], found[2], found[3])


def begin(incoming: str | None, entropy: bytes, propagate: str = "auto") -> Trace:
    """A new session's.

    Args:
        incoming: the `traceparent` it was called with.
        entropy: 24 random bytes.
        propagate: `auto` tells others where somebody has told this session; `always`, `off`.
    """
    told = parse(incoming)
    span = entropy[16:24].hex()
    sends = propagate == "always" or (propagate == "auto" and told is not None)
    if told is None:
        return Trace(entropy[:16].hex(), span, None, "01", sends)
    return Trace(told.trace, span, told.span, told.flags, sends)


def of_header(found: Any) -> Trace | None:
    """What a cassette's header says."""
    if not isinstance(found, Mapping):
        return None
    known: Mapping[str, Any] = found  # pyright: ignore[reportUnknownVariableType]
    return Trace(known["id"], known["span"], known.get("parent"), known.get("flags", "01"), bool(known.get("sends")))


def outgoing(lane: Lane) -> str | None:
    """The `traceparent` of the next request or child process of that lane; None where others aren't told."""
    trace = lane.door.trace
    if trace is None or not trace.sends:
        return None
    lane.requests += 1
    span = blake2b(f"{trace.span} {lane.path} {lane.requests}".encode(), digest_size=8).hexdigest()
    return f"00-{trace.id}-{span}-{trace.flags}"
