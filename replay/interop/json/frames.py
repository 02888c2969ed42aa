"""Frames as JSON objects, and back. Pure. docs/export.md has the form."""

from __future__ import annotations

from typing import Any, Final

from replay.cassette import frame as f
from replay.cassette import records
from replay.cassette._msgpack import BAD_INPUT
from replay.cassette.layout import Record
from replay.interop.json.values import packed, shown
from replay.semantics.loose import arr

FORMAT: Final = "agent-replay json 1"

FIELDS: Final[dict[int, tuple[str, ...]]] = {
    f.CALL: records.Call._fields,
    f.EVENT: records.Whole._fields,
    f.RETURN: records.Return._fields,
    f.CHUNK: records.Chunk._fields,
    f.LANE: ("number", "path"),
    f.SITE: ("number", "file", "line", "function"),
    f.BLIND: ("what", "detail", "site", "count"),
    f.CHAIN: ("sha256",),
    f.CONTENT: ("content",),
}
"""Names of the parts of payloads that are lists; any other payload is `value`."""

_TYPES: Final = {name: number for number, name in f.NAMES.items()}


def line(record: Record) -> dict[str, Any]:
    """A frame.

    Example:
        >>> line((f.LANE, f.NO_EVENT, b"\\x92\\x00\\xa1m"))
        {'frame': 'LANE', 'number': 0, 'path': 'm'}
    """
    type_, event, payload = record
    head: dict[str, Any] = {"frame": f.NAMES.get(type_, type_)}
    if event != f.NO_EVENT:
        head["event"] = event
    value = shown(payload)
    parts = arr(value)
    names = FIELDS.get(type_, ())
    named = len(parts) == len(names) > 0
    return {**head, **(dict(zip(names, parts, strict=True)) if named else {"value": value})}


def frame(document: dict[str, Any]) -> Record:
    """The frame of an object that `line` made.

    Raises:
        ValueError: it is none.
    """
    name = document.get("frame")
    type_ = name if isinstance(name, int) else _TYPES.get(str(name), 0)
    event = document.get("event", f.NO_EVENT)
    if not (0 < type_ < 256 and isinstance(event, int) and 0 <= event <= f.NO_EVENT):
        raise ValueError(f"no frame is called {name!r}, of event {event!r}")
    names = FIELDS.get(type_, ())
    if document.keys() >= set(names) and names:
        return type_, event, packed([document[each] for each in names])
    if "value" not in document:
        raise ValueError(f"{name} without {', '.join(each for each in names if each not in document) or 'value'}")
    return type_, event, packed(document["value"])


BAD: Final[tuple[type[Exception], ...]] = (*BAD_INPUT, KeyError)
"""What `frame` raises for objects that aren't frames."""
