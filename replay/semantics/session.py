"""Conversations over one connection (websockets): messages both ways, in which the turns of the model are found.

A turn is then read like any other exchange: its request is what the model had read by then, its frames are what came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from replay.semantics.wire import Exchange, Frame


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model read and wrote between two messages of a session."""

    path: str
    request: dict[str, Any]
    frames: tuple[Frame, ...]


class Session(Protocol):
    """What a dialect keeps of one connection. Nothing here raises."""

    def sent(self, message: Mapping[str, Any]) -> None:
        """A message of the program."""
        ...

    def received(self, message: Mapping[str, Any]) -> Turn | None:
        """A message of the model; the turn that it ends, if it ends one."""
        ...

    def end(self) -> Turn | None:
        """The turn under way when the connection ends."""
        ...


def exchange(turn: Turn, host: str, *, cut: bool = False) -> Exchange:
    """The turn as dialects read it."""
    return Exchange(
        host=host,
        path=turn.path,
        request=turn.request,
        status=None,
        body=b"",
        whole=None,
        frames=turn.frames,
        stream=True,
        cut=cut,
        failure=None,
        warnings=(),
    )
