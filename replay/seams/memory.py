"""`replay.memory`: any mapping or client object as a store whose reads and writes are crossings.

Each method call is one event `<name>.<method>` of kind memory: its arguments (the first is usually the key) and what
came back. At replay the store isn't touched. Views (`keys()`, `items()`, …) and iterators come back as lists, when
recorded too, since a view of a store that isn't there can't be replayed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from typing import Any, TypeVar, cast

from replay.boundary.door import Call
from replay.boundary.lanes import running
from replay.model.effect import Effect

S = TypeVar("S")

_READS = frozenset(
    "__getitem__ __contains__ __len__ __iter__ __bool__ get keys values items copy "
    "has exists search query find fetch read load list count scan mget hget hgetall lrange smembers similarity_search "
    "aget aread alist asearch afind afetch peek".split()
)


def memory(store: S, name: str, *, owner: str | None = None, trust: str | None = None) -> S:
    """`store`, with every read and write recorded under `name`.

    Args:
        store: a mapping or any object with methods, synchronous or not.
        name: how the store is called in the recording.
        owner: who answers for it.
        trust: whether what it holds is `trusted` or `untrusted`, for `replay why` and `triage`; None: not said.

    Raises:
        ValueError: another trust.

    Returns:
        A stand-in that behaves like the store; it is not an instance of its class.

    Example:
        notes = replay.memory({}, name="notes")
        notes["policy"] = "no refunds after 30 days"
    """
    if trust not in (None, "trusted", "untrusted"):
        raise ValueError(f"replay.memory(trust={trust!r}): it is 'trusted' or 'untrusted'")
    said = {"owner": owner, "trust": trust}
    return cast("S", _Store(store, name, {key: each for key, each in said.items() if each is not None} or None))


class _Store:
    """The stand-in; special methods are looked up on the class, so they are spelled out."""

    __slots__ = ("_meta", "_name", "_store")
    _store: Any
    _name: str
    _meta: dict[str, Any] | None

    def __init__(self, store: Any, name: str, meta: dict[str, Any] | None) -> None:
        object.__setattr__(self, "_store", store)
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_meta", meta)

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._store, attribute)
        if not callable(found):
            return self._ask(attribute, (), {}, lambda: getattr(self._store, attribute), effect="read")
        if inspect.iscoroutinefunction(found):

            async def asynchronous(*args: Any, **kwargs: Any) -> Any:
                lane = running.lane
                if lane is None:
                    return await found(*args, **kwargs)

                async def perform() -> Any:
                    return _plain(await found(*args, **kwargs))

                return await lane.door.across(lane, self._call(attribute, args, kwargs), perform)

            return asynchronous

        def synchronous(*args: Any, **kwargs: Any) -> Any:
            return self._ask(attribute, args, kwargs, lambda: found(*args, **kwargs))

        return synchronous

    def __setattr__(self, attribute: str, value: Any) -> None:
        self._ask(f"{attribute}=", (value,), {}, lambda: setattr(self._store, attribute, value), effect="write")

    def __getitem__(self, key: Any) -> Any:
        return self._ask("__getitem__", (key,), {}, lambda: self._store[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("__setitem__", (key, value), {}, lambda: self._store.__setitem__(key, value))

    def __delitem__(self, key: Any) -> None:
        self._ask("__delitem__", (key,), {}, lambda: self._store.__delitem__(key))

    def __contains__(self, key: Any) -> bool:
        return bool(self._ask("__contains__", (key,), {}, lambda: key in self._store))

    def __len__(self) -> int:
        return int(self._ask("__len__", (), {}, lambda: len(self._store)))

    def __bool__(self) -> bool:
        return bool(self._ask("__bool__", (), {}, lambda: bool(self._store)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ask("__iter__", (), {}, lambda: list(self._store)))

    def __repr__(self) -> str:
        return f"<memory {self._name}>"

    def _call(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], effect: Effect | None = None
    ) -> Call[Any]:
        request: dict[str, Any] = {"args": list(args)}
        if kwargs:
            request["kwargs"] = kwargs
        plain = method.strip("_=")
        does: Effect = effect or ("read" if method in _READS else "write")
        return Call("memory", f"{self._name}.{plain}", does, request, meta=self._meta)

    def _ask(
        self,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        perform: Callable[[], Any],
        effect: Effect | None = None,
    ) -> Any:
        lane = running.lane
        if lane is None:
            return _plain(perform())
        return lane.door.cross(lane, self._call(method, args, kwargs, effect), lambda: _plain(perform()))


def _plain(result: Any) -> Any:
    """Views and iterators as lists; a mapping that is no dict as one: what can be replayed."""
    if isinstance(result, (KeysView, ValuesView, ItemsView)) or (
        isinstance(result, Iterator) and not hasattr(cast("object", result), "send")
    ):
        return list(cast("Iterator[Any]", result))
    if isinstance(result, Mapping) and not isinstance(result, MutableMapping):
        return dict(cast("Any", result))
    return cast("Any", result)
