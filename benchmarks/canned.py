"""A client whose connection pool gives canned answers: all of the library and the seam, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Self


class _Body:
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        """Nothing is open."""


class Pool:
    """Stands where httpcore's pool is.

    Args:
        core: httpcore or httpcore2.
        answer: the pieces of the next body.
    """

    def __init__(self, core: ModuleType, answer: Callable[[], list[bytes]], kind: bytes = b"application/json") -> None:
        self._response: Any = core.Response
        self._answer = answer
        self._kind = kind

    def handle_request(self, _request: Any) -> Any:
        """What the pool does with a request."""
        headers = [(b"Content-Type", self._kind), (b"Date", b"Mon, 01 Dec 2026 08:00:00 GMT")]
        return self._response(200, headers=headers, content=_Body(self._answer()))

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


def transport(
    httpx: ModuleType, core: ModuleType, answer: Callable[[], list[bytes]], kind: bytes = b"application/json"
) -> Any:
    """A real HTTPTransport of httpx or httpx2 over such a pool."""
    made: Any = httpx.HTTPTransport()
    made._pool = Pool(core, answer, kind)
    return made
