"""The few bodies that the next delta, or the next rebuilding, may start from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The last `count` entries put or got, of at most `total` in all as `size` measures them (the newest always
    stays)."""

    __slots__ = ("_count", "_items", "_left", "_size")

    def __init__(self, count: int, total: int = 0, size: Callable[[V], int] | None = None) -> None:
        self._count = count
        self._left = total
        self._size = size
        self._items: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value, made the most recent; None where there is none."""
        value = self._items.pop(key, None)
        if value is not None:
            self._items[key] = value
        return value

    def put(self, key: K, value: V) -> None:
        """Adds or replaces; those longest unused go where there is too much."""
        if key in self._items:
            self._drop(key)
        self._items[key] = value
        if self._size is not None:
            self._left -= self._size(value)
        while len(self._items) > 1 and (len(self._items) > self._count or self._left < 0):
            self._drop(next(iter(self._items)))

    def pop(self, key: K) -> None:
        """Forgets it, if it is there."""
        if key in self._items:
            self._drop(key)

    def _drop(self, key: K) -> None:
        value = self._items.pop(key)
        if self._size is not None:
            self._left += self._size(value)
