"""Events as everyone above the cassette reads them. See `docs/design/spine.md` for the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from replay.model.effect import Effect

Kind = str
"""One of KINDS; a str, so that a cassette with a kind this version doesn't know stays readable."""

KINDS = frozenset(
    "llm tool memory http grpc mcp db file process clock entropy env output agent entry gap order".split()
)

LEFT_OUT: Final = b"(left out)"
"""Stands, as this object, for a body that wasn't put together: `Events.light` gives events so."""

Status = Literal["done", "failed", "streamed", "open"]
"""`open`: the recording ended before the outcome came."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the source: where the program crossed the boundary."""

    file: str
    line: int
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A recorded exception: never a live object, so that loading executes nothing.

    `type` is `module.qualname`; `value` is the storable form that `codec.revive` turns back into an exception.
    """

    type: str
    message: str
    value: Any = None


PieceStatus = Literal["piece", "error", "end", "closed"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of an event's stream. `at` in microseconds since the recording began.

    Attributes:
        status: `end`: there was no more; `closed`: the program left it before that.
    """

    at: int
    status: PieceStatus
    value: Any


@dataclass(frozen=True, slots=True)
class Event:
    """One crossing between program and world.

    Attributes:
        id: position in the cassette, from 0.
        lane: path of spawns, such as `m/t3/e1`.
        at, took: microseconds since the recording began / until the outcome; `took` is None while it is open.
        request, body: what was asked; `body` is the large part of it (bytes), whole, already rebuilt.
        response: what came back (for a stream: its head; the pieces are in `pieces`).
        content: the large part of the response (what was in a file), whole.
        error: the exception instead of a response.
        meta: agent, owner and other labels.
    """

    id: int
    kind: Kind
    name: str
    effect: Effect
    lane: str
    at: int
    took: int | None
    site: Site | None
    request: Any
    body: bytes | None
    status: Status
    response: Any = None
    error: Failure | None = None
    pieces: tuple[Piece, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """Something nondeterministic that no seam saw: what kind, a readable detail, where, how often."""

    what: str
    detail: str
    site: Site | None
    count: int = 1
