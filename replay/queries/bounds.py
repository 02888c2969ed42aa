"""No answer is larger than its door takes: long lists come in pages, what is long in other places is cut. Pure.

A cut value is `{"$cut": its beginning, "of": how much there is, "path": where it stands}`: characters of a text, items
of a list or an object. Asking the same again with `path` and `start` reads on in it, so that nothing is out of reach.
Paths are JSON pointers (RFC 6901) into the whole answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from replay.model.errors import QueryInvalid
from replay.model.visible import UNSAFE

ROOM: Final = 1_000_000
"""Bytes of an answer, where the door doesn't say."""

_LEVELS: Final = ((50_000, 2_000), (10_000, 500), (2_000, 150), (400, 50), (100, 20), (40, 8), (20, 3))
"""How many characters and how many items are left where that is too much, one after the other."""

_SHARE: Final = 10
"""One item of a page has no more than this part of the room."""

_FEW: Final = 64
"""Items of the answer itself, all of which stay."""

_KEY: Final = 200
_DEPTH: Final = 60
_ESCAPED: Final = re.compile(UNSAFE.pattern.replace("\\x00-\\x1f", ""))


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a long list, whose items are made when they are looked at.

    In an answer it becomes the list, and beside it `total`, `offset`, `more` and `next`.

    Attributes:
        begins: where the list goes on behind so many of its items, where `offset` doesn't count items; its length, and
            with it `total`, isn't known then.
    """

    make: Callable[[int], Any]
    total: int
    offset: int
    limit: int
    begins: Callable[[int], int | None] | None = None


def dumps(value: Any) -> str:
    """One line of JSON: characters that aren't seen, or steer a terminal, are escaped; it is always valid UTF-8.

    >>> dumps({"a": "\\u202eb", "c": "é"})
    '{"a": "\\\\u202eb", "c": "é"}'
    """
    return _ESCAPED.sub(_escape, json.dumps(value, ensure_ascii=False, allow_nan=False))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1] if found.group() != "\x7f" else "\\u007f"


def size(value: Any) -> int:
    """In bytes, as `dumps` writes it."""
    return len(dumps(value).encode())


def bounded(document: Mapping[str, Any], room: int = ROOM) -> dict[str, Any]:
    """The answer in at most `room` bytes; the page in it is filled as far as they reach, at least with one item."""
    paged = next((key for key, each in document.items() if isinstance(each, Page)), None)
    if paged is None:
        return dict(fit(document, room))
    page: Page = document[paged]
    rest = dict(fit({key: each for key, each in document.items() if key != paged}, room // 2))
    left = room - size(rest) - 200
    items: list[Any] = []
    first = 0 if page.begins is not None else page.offset
    for number in range(first, min(page.total, first + page.limit)):
        item = fit(page.make(number), max(room // _SHARE, 200), f"/{_key(paged)}/{len(items)}")
        left -= size(item) + 2
        if left < 0 and items:
            break
        items.append(item)
    behind: int | None = first + len(items)
    if page.begins is not None:
        behind = page.begins(len(items))
    elif behind == page.total or not items:
        behind = None
    total = page.total if page.begins is None else None
    place = {"total": total, "offset": page.offset, "more": behind is not None, "next": behind}
    return {key: items if key == paged else rest.get(key) for key in document} | place


def fit(value: Any, room: int, path: str = "") -> Any:
    """The value, cut so that it has at most `room` bytes."""
    for longest, widest in _LEVELS:
        found = _cut(value, longest, widest, path, 0)
        if size(found) <= room:
            return found
    if isinstance(value, dict):
        parts: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        share = max(room // len(parts) - 40, 100)
        return {key[:_KEY]: fit(each, share, f"{path}/{_key(key)}") for key, each in parts.items()}
    return {"$cut": "", "of": _length(value), "path": path}


def _cut(value: Any, longest: int, widest: int, path: str, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else {"$cut": value[:longest], "of": len(value), "path": path}
    if depth >= _DEPTH and isinstance(value, (dict, list)):
        return {"$cut": "", "of": _length(value), "path": path}
    widest = widest if depth else max(widest, _FEW)
    if isinstance(value, dict):
        pairs: list[tuple[str, Any]] = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        found: dict[str, Any] = {}
        for n, (key, each) in enumerate(pairs[:widest]):
            name = key if len(key) <= _KEY else f"{key[:_KEY]}… ({n})"
            found[name] = _cut(each, longest, widest, f"{path}/{_key(key)}", depth + 1)
        return found if len(pairs) <= widest else {"$cut": found, "of": len(pairs), "path": path}
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        some = [_cut(each, longest, widest, f"{path}/{n}", depth + 1) for n, each in enumerate(items[:widest])]
        return some if len(items) <= widest else {"$cut": some, "of": len(items), "path": path}
    return value


def read_on(document: Mapping[str, Any], path: str, start: int, room: int = ROOM) -> dict[str, Any]:
    """What stands at `path` of an answer, from `start` on: characters of a text, items of a list or an object.

    Raises:
        QueryInvalid: nothing stands there.
    """
    value: Any = document
    for part in path.split("/")[1:]:
        value = _step(value, part.replace("~1", "/").replace("~0", "~"), path)
    if isinstance(value, Page):
        raise QueryInvalid(f"{path} is the page itself", hint="`offset` and `limit` read it")
    total = _length(value)
    if isinstance(value, str):
        piece: Any = value[start : start + room]
        while size(piece) > room - 500:
            piece = piece[: len(piece) * 3 // 4]
        count = len(piece)
    elif isinstance(value, (list, dict)):
        piece, count = _part(value, path, start, room)  # pyright: ignore[reportUnknownArgumentType]
    else:
        piece, count = value, 1
    behind = start + count
    more = behind < total
    return {"path": path, "value": piece, "of": total, "start": start, "more": more, "next": behind if more else None}


def _part(value: list[Any] | dict[str, Any], path: str, start: int, room: int) -> tuple[Any, int]:
    keys: list[Any] = list(value)[start:] if isinstance(value, dict) else list(range(len(value)))[start:]
    found: list[tuple[Any, Any]] = []
    left = room - 500
    for key in keys:
        item = fit(value[key], max(room // _SHARE, 200), f"{path}/{_key(str(key))}")
        left -= size(item) + len(str(key)) * 6 + 4
        if left < 0 and found:
            break
        found.append((key, item))
    return (dict(found) if isinstance(value, dict) else [each for _, each in found]), len(found)


def _step(value: Any, part: str, path: str) -> Any:
    number = int(part) if part.isdecimal() and len(part) < 10 else None
    if isinstance(value, Page) and number is not None:
        number += value.offset if value.begins is None else 0
        if number < value.total:
            return value.make(number)
    if isinstance(value, list) and number is not None and number < len(value):  # pyright: ignore[reportUnknownArgumentType]
        return value[number]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict) and part in value:
        return value[part]  # pyright: ignore[reportUnknownVariableType]
    raise QueryInvalid(f"nothing stands at {path[:200]}", hint="a cut value says its path")


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, list, dict, Mapping)) else 1  # pyright: ignore[reportUnknownArgumentType]


def _key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
