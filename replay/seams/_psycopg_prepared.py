"""Which statements psycopg prepared, and which it forgot, as the recording has it.

A connection may have been used where a replay doesn't run, inside of a tool that is answered: then it knows other
prepared statements, and would ask for another number of answers. So what it decided is part of each crossing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from replay.seams._psycopg_answers import Unopened
from replay.seams._seam import patch

Decisions = list[list[Any]]
"""Of a crossing, in order: `["get", prepare, name]`, and `["flush", names]` where there was something to forget."""


def install(hearing: Callable[[], Decisions | None]) -> None:
    """Note decisions while a crossing is performed (`hearing` gives where to), and give the recorded ones at replay."""
    from psycopg import _cursor_base as cursors  # pyright: ignore[reportPrivateUsage]
    from psycopg import _preparing as preparing  # pyright: ignore[reportPrivateUsage]

    patch(cursors.BaseCursor, "_get_prepared", _deciding(preparing.Prepare, hearing))
    patch(preparing.PrepareManager, "maintain_gen", _flushing(hearing))


def _deciding(prepare: Any, hearing: Callable[[], Decisions | None]) -> Callable[..., Any]:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def decide(self: Any, *args: Any, **kwargs: Any) -> Any:
            given = _given(self._pgconn, "get")
            if given:
                return prepare(given[0]), given[1].encode()
            decided, name = original(self, *args, **kwargs)
            heard = hearing()
            if heard is not None:
                heard.append(["get", int(decided), name.decode()])
            return decided, name

        return decide

    return wrap


def _flushing(hearing: Callable[[], Decisions | None]) -> Callable[..., Any]:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def maintain_gen(self: Any, connection: Any) -> Generator[Any, Any, None]:
            given = _given(connection.pgconn, "flush")
            if given is not None:
                names: list[str | None] = given[0] if given else []
                self._to_flush = deque(None if name is None else name.encode() for name in names)
            heard = hearing()
            if heard is not None and self._to_flush:
                heard.append(["flush", [None if name is None else name.decode() for name in self._to_flush]])
            yield from original(self, connection)

        return maintain_gen

    return wrap


def _given(pgconn: Any, what: str) -> list[Any] | None:
    """The recorded decision, if the next one is of that kind, else nothing; None where none were recorded."""
    left: deque[list[Any]] | None = pgconn.decisions if isinstance(pgconn, Unopened) else None
    if left is None:
        return None
    return left.popleft()[1:] if left and left[0][0] == what else []
