"""LangGraph's checkpoints as values, from the bytes its savers keep. Pure: imports and makes no class of a program's.

An object is `{"type": "module.Name", …its fields}`.
"""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, cast

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

from replay.model.event import Event
from replay.semantics.loose import arr, obj

_msgpack: Any = msgpack
_ARRAY = 6
_SNAPSHOT = 7
_UNREAD = (ValueError, TypeError, KeyError, IndexError, RecursionError, _msgpack.exceptions.UnpackException)


def channels(event: Event) -> dict[str, Any]:
    """Channel -> value, of those that the event wrote."""
    found: dict[str, Any] = {}
    content = event.content or b""
    at = 0
    for name, kind, head, size in _described(event):
        raw = head + content[at : at + size]
        at += size
        if kind != "empty":
            found[name] = value(kind, raw)
    return found


def _described(event: Event) -> list[Any]:
    """What was put: [channel, type, head, size]; nothing where the event is of something else."""
    return arr(obj(event.response).get("channels"))


def value(kind: str, raw: bytes) -> Any:
    """One value; its bytes where they are of another kind, or encrypted."""
    if kind == "null":
        return None
    if kind != "msgpack":
        return raw
    try:
        return _unpack(raw)
    except _UNREAD:
        return raw


def _unpack(raw: bytes) -> Any:
    return _msgpack.unpackb(raw, ext_hook=_object, strict_map_key=False, unicode_errors="surrogatepass")


def _object(code: int, raw: bytes) -> Any:
    parts = _unpack(raw)
    if code == _SNAPSHOT:
        return parts
    if code == _ARRAY:
        return {"type": "numpy.ndarray", "dtype": parts[0], "shape": parts[1], "bytes": parts[3]}
    name = f"{parts[0]}.{parts[1]}"
    fields = parts[2]
    if not isinstance(fields, dict):
        return {"type": name, "args": fields}
    given = cast("dict[str, Any]", fields)
    return {**given, "type": name}


class Checkpoints:
    """What a saver holds: the last checkpoint of each thread."""

    def __init__(self) -> None:
        self._last: dict[Any, tuple[str, dict[str, Any]]] = {}

    def run(self, event: Event) -> dict[str, Any] | None:
        """Do what was done; gives what was written: a step's checkpoint, or what a task wrote before it."""
        key = event.request["key"]
        if event.name.endswith(".delete"):
            self._delete(key)
        described = _described(event)
        if not described:
            return None
        wrote = channels(event)
        if "kept" not in event.request:
            return wrote
        _, before = self._last.get(key, ("", {}))
        held = {name: item for name, item in {**before, **wrote}.items() if name in event.request["kept"]}
        for name, kind, *_ in described:
            if kind == "empty":
                held.pop(name, None)
        self._last[key] = (event.request["checkpoint"], held)
        return wrote

    def read(self, key: Any, checkpoint: Any) -> Any:
        """What a checkpoint held; of an older one only which it is."""
        if checkpoint is None:
            return None
        last, held = self._last.get(key, ("", {}))
        return dict(held) if last == checkpoint else {"checkpoint": checkpoint}

    def _delete(self, thread: Any) -> None:
        """A thread and its subgraphs."""
        for key in [key for key in self._last if key == thread or (isinstance(key, tuple) and key[0] == thread)]:
            del self._last[key]

    def content(self) -> dict[Any, Any]:
        """Thread -> channel -> value."""
        return {key: dict(held) for key, (_, held) in self._last.items()}

    def close(self) -> None:
        """Nothing to let go."""
