"""The few bodies that the next delta, or the next rebuilding, may start from."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The last `size` entries put or got."""

    __slots__ = ("_items", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value, made the most recent; None where there is none."""
        value = self._items.pop(key, None)
        if value is not None:
            self._items[key] = value
        return value

    def put(self, key: K, value: V) -> None:
        """Adds or replaces; the entry longest unused goes where there are too many."""
        items = self._items
        items.pop(key, None)
        if len(items) >= self._size:
            del items[next(iter(items))]
        items[key] = value
