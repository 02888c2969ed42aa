"""LangGraph's checkpoints and stores in memory: each read and write is an event, and is done again at replay.

They are the program's own state, so nothing is answered for them; the events say what was put where and read from
where. Checkpoints are told by the bytes that the saver itself keeps: channel by channel, those that the step changed.
"""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from replay.boundary.door import Call, Door
from replay.boundary.lanes import Lane, running
from replay.seams._seam import patch

_DEPTH = 20
_EMPTY = ("empty", b"")
_PLAIN = (str, int, float, bool, bytes, type(None))


class _Names:
    """What savers and stores are called in one recording: where they were made, and which one it was there."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._made: dict[str, int] = {}

    def of(self, lane: Lane, holder: Any) -> str:
        """`InMemoryStore`, the next one `InMemoryStore 2`; one that a thread made `InMemoryStore of m/t1`."""
        found = self._of.get(holder)
        if found is None:
            found = type(holder).__name__ if lane.path == "m" else f"{type(holder).__name__} of {lane.path}"
            self._made[found] = count = self._made.get(found, 0) + 1
            self._of[holder] = found = found if count == 1 else f"{found} {count}"
        return found


_names: WeakKeyDictionary[Door, _Names] = WeakKeyDictionary()


def install(module: ModuleType) -> None:
    """Patch the saver or the store: whichever this module has."""
    if hasattr(module, "InMemorySaver"):
        saver: Any = module.InMemorySaver
        for name, wrap in (
            ("__init__", _init),
            ("put", _put),
            ("put_writes", _put_writes),
            ("get_tuple", _get_tuple),
            ("list", _list),
            ("delete_thread", _delete_thread),
        ):
            patch(saver, name, wrap)
    if hasattr(module, "InMemoryStore"):
        patch(module.InMemoryStore, "__init__", _init)
        patch(module.InMemoryStore, "batch", _batch)
        patch(module.InMemoryStore, "abatch", _abatch)


def _say(holder: Any, op: str, key: Any, *, answer: Any = None, read: bool = False, **more: Any) -> None:
    """The event of something that was done."""
    lane = running.lane
    if lane is None:
        return
    request = {"store": _name(lane, holder), "key": key, **more}
    call: Call[Any] = Call("memory", op, "read" if read else "write", request)
    lane.door.cross(lane, call, lambda: answer)


def _say_channels(saver: Any, op: str, key: Any, held: Sequence[tuple[str, str, bytes]], **more: Any) -> None:
    """The event of channels that were put. What they hold is no part of what is asked: a saver packs messages on one
    thread while another one gives them their ids, and in which order is a race in memory."""
    lane = running.lane
    if lane is None:
        return
    described, content = _channels(held)
    store = _name(lane, saver)
    call: Call[Any] = Call("memory", op, "write", {"store": store, "key": key, **more}, chain=(store, key))

    def put() -> Any:
        call.content = content
        return {"channels": described}

    lane.door.cross(lane, call, put)


def _name(lane: Lane, holder: Any) -> str:
    return _names.setdefault(lane.door, _Names()).of(lane, holder)


def _init(original: Callable[..., None]) -> Callable[..., None]:
    """It gets its name when it is made: whoever uses it first may be another one each time."""

    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        if running.lane is not None:
            _name(running.lane, self)

    return init


# -- checkpoints ---------------------------------------------------------------------------------------------------


def _thread(config: Any) -> Any:
    """The key of a checkpoint: its thread; with its namespace where it is a subgraph's."""
    at = config["configurable"]
    return (at["thread_id"], at["checkpoint_ns"]) if at.get("checkpoint_ns") else at["thread_id"]


def _put(original: Callable[..., Any]) -> Callable[..., Any]:
    def put(saver: Any, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        saved = original(saver, config, checkpoint, metadata, new_versions)
        if running.lane is not None:
            at = saved["configurable"]
            held = [
                (name, *saver.blobs.get((at["thread_id"], at["checkpoint_ns"], name, version), _EMPTY))
                for name, version in new_versions.items()
            ]
            kept = sorted(checkpoint["channel_versions"])
            op = "langgraph.checkpoint.put"
            _say_channels(saver, op, _thread(saved), held, checkpoint=checkpoint["id"], kept=kept)
        return saved

    return put


def _channels(held: Sequence[tuple[str, str, bytes]]) -> tuple[list[list[Any]], bytes]:
    """What each channel holds: [name, type, head, size], and their bytes behind each other.

    A list that grows has its length in the first bytes. They are apart, and the largest comes first, so that the bytes
    of two steps begin alike and the recording stays linear in the number of steps.
    """
    described: list[list[Any]] = []
    parts: list[bytes] = []
    for name, kind, raw in sorted(held, key=lambda each: -len(each[2])):
        head = _head(raw) if kind == "msgpack" else 0
        described.append([name, kind, raw[:head], len(raw) - head])
        parts.append(raw[head:])
    return described, b"".join(parts)


def _head(raw: bytes) -> int:
    """How many bytes say the length of a list."""
    first = raw[0] if raw else 0
    return 1 if 0x90 <= first <= 0x9F else {0xDC: 3, 0xDD: 5}.get(first, 0)


def _put_writes(original: Callable[..., Any]) -> Callable[..., Any]:
    def put_writes(saver: Any, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        original(saver, config, writes, task_id, task_path)
        if running.lane is not None:
            at = config["configurable"]
            held = saver.writes.get((at["thread_id"], at.get("checkpoint_ns", ""), at["checkpoint_id"]), {})
            mine = [(name, *typed) for (task, _), (_, name, typed, _) in list(held.items()) if task == task_id]
            op = "langgraph.checkpoint.put_writes"
            _say_channels(saver, op, _thread(config), mine, checkpoint=at["checkpoint_id"])

    return put_writes


def _get_tuple(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_tuple(saver: Any, config: Any) -> Any:
        found = original(saver, config)
        if running.lane is not None:
            _say(saver, "langgraph.checkpoint.get", _thread(config), answer=_which(found), read=True)
        return found

    return get_tuple


def _list(original: Callable[..., Any]) -> Callable[..., Any]:
    def listed(*args: Any, **options: Any) -> Iterator[Any]:
        saver = args[0]
        for found in original(*args, **options):
            _say(saver, "langgraph.checkpoint.list", _thread(found.config), answer=_which(found), read=True)
            yield found

    return listed


def _which(found: Any) -> Any:
    """Which checkpoint was read: what it holds is what was put."""
    return None if found is None else found.config["configurable"]["checkpoint_id"]


def _delete_thread(original: Callable[..., Any]) -> Callable[..., Any]:
    def delete_thread(saver: Any, thread_id: str) -> None:
        original(saver, thread_id)
        _say(saver, "langgraph.checkpoint.delete", thread_id)

    return delete_thread


# -- stores --------------------------------------------------------------------------------------------------------


def _batch(original: Callable[..., Any]) -> Callable[..., Any]:
    def batch(store: Any, ops: Any) -> Any:
        ops = list(ops)
        results = original(store, ops)
        _each(store, ops, results)
        return results

    return batch


def _abatch(original: Callable[..., Any]) -> Callable[..., Any]:
    async def abatch(store: Any, ops: Any) -> Any:
        ops = list(ops)
        results = await original(store, ops)
        _each(store, ops, results)
        return results

    return abatch


def _each(store: Any, ops: list[Any], results: list[Any]) -> None:
    if running.lane is None:
        return
    for op, result in zip(ops, results, strict=True):
        kind = type(op).__name__
        if kind == "PutOp" and op.value is None:
            _say(store, "langgraph.store.delete", (*op.namespace, op.key))
        elif kind == "PutOp":
            _say(store, "langgraph.store.put", (*op.namespace, op.key), value=_plain(op.value))
        elif kind == "GetOp":
            held = None if result is None else _plain(result.value)
            _say(store, "langgraph.store.get", (*op.namespace, op.key), answer=held, read=True)
        elif kind == "SearchOp":
            held = [[(*item.namespace, item.key), _plain(item.value), item.score] for item in result]
            asked = {"query": op.query, "filter": _plain(op.filter), "limit": op.limit, "offset": op.offset}
            _say(store, "langgraph.store.search", tuple(op.namespace_prefix), answer=held, read=True, asked=asked)
        else:
            _say(
                store,
                "langgraph.store.list_namespaces",
                None,
                answer=[tuple(namespace) for namespace in result],
                read=True,
            )


def _plain(value: Any, depth: int = _DEPTH) -> Any:
    """A value as what can always be stored: an object by its class and its attributes."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if depth == 0:
        return "…"
    if kind is dict:
        return {_key(key): _plain(item, depth - 1) for key, item in value.items()}
    if kind in (list, tuple):
        return [_plain(item, depth - 1) for item in value]
    for plain in (str, int, float):
        if isinstance(value, plain):
            return plain(value)
    said = {"type": f"{kind.__module__}.{kind.__qualname__}"}
    return {**said, **{name: _plain(item, depth - 1) for name, item in getattr(value, "__dict__", {}).items()}}


def _key(key: Any) -> Any:
    return key if type(key) in _PLAIN else str(key)
