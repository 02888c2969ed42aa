"""Packed values without their secrets: texts, bytes and keys, however deep. Pure.

Works on what is about to be written and not on the program's objects: one place for all frames, whatever a value was,
and most payloads are seen to have nothing in them without being unpacked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import pairwise
from typing import Any, Final

from replay.cassette import _msgpack as msgpack
from replay.cassette.redact.detectors import KEY_NAME, PASSWORD_NAME, RUN
from replay.cassette.redact.rules import Path, fits
from replay.cassette.redact.texts import Texts

_type: Callable[[Any], Any] = type
"""For type checkers, which would narrow a value to a dict of unknown things."""

CONTAINERS: Final = frozenset((0x01, 0x02, 0x03, 0x0B, 0x10))
"""Ext types whose data is packed itself (docs/format.md, 7). A delta isn't: its bytes were redacted before."""

_SETS: Final = frozenset((0x02, 0x03))


class Values:
    """Redacts packed values.

    Args:
        texts: finds and replaces.
        paths: places in a value whose texts are secrets.
    """

    def __init__(self, texts: Texts, paths: tuple[Path, ...] = ()) -> None:
        self._texts = texts
        self._paths = paths

    def packed(self, data: bytes) -> bytes:
        """The packed value without its secrets; `data` itself where there are none."""
        if not self._texts.suspect(data):
            return data
        value = msgpack.unpack(data, msgpack.ext)
        safe = self.value(self._placed(value, ()) if self._paths else value)
        return data if safe is value else msgpack.plain(safe)

    def fields(self, packed: bytes, kept: Collection[str]) -> bytes:
        """A packed dict; fields that are called so, of it or of a dict in it, stay as they are."""
        if not self._texts.suspect(packed):
            return packed
        found = msgpack.unpack(packed, msgpack.ext)
        return msgpack.plain({key: self._kept(key, value, kept) for key, value in found.items()})

    def _placed(self, value: Any, at: Path) -> Any:
        """The value without the texts at the user's paths; they are secrets elsewhere, too."""
        kind = _type(value)
        if kind is dict:
            return {key: self._placed(item, (*at, str(key))) for key, item in value.items()}
        if kind is list:
            return [self._placed(item, (*at, str(index))) for index, item in enumerate(value)]
        if kind is msgpack.Ext and value.code in CONTAINERS:
            return msgpack.ext(value.code, msgpack.plain(self._placed(msgpack.unpack(value.data, msgpack.ext), at)))
        if kind is str and fits(at, self._paths):
            raw = value.encode("utf-8", "surrogatepass")
            self._texts.learn(raw)
            return self._texts.pseudonyms.secret(raw).decode()
        return value

    def _kept(self, key: str, value: Any, kept: Collection[str]) -> Any:
        if key in kept:
            return value
        if _type(value) is not dict:
            return self.value({key: value})[key]
        return {name: item if name in kept else self.value({name: item})[name] for name, item in value.items()}

    def value(self, value: Any) -> Any:
        """A value of msgpack's own types and ext values; itself where nothing in it is replaced."""
        kind = _type(value)
        if kind is str:
            return self._text(value)
        if kind is bytes:
            return self._texts.redact(value).text
        if kind is list:
            return self._items(value)
        if kind is dict:
            return self._fields(value)
        if kind is msgpack.Ext and value.code in CONTAINERS:
            return self._inside(value)
        return value

    def _text(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        if not self._texts.suspect(raw):  # one of a hundred short ones is
            return text
        safe = self._texts.redact(raw).text
        return text if safe is raw else safe.decode("utf-8", "surrogatepass")

    def _items(self, items: list[Any]) -> list[Any]:
        safe = [self.value(item) for item in items]
        for place, (name, item) in enumerate(pairwise(items), start=1):
            if _type(name) is str and name.startswith("-") and _type(item) is str and not item.startswith("-"):
                safe[place] = self._option(name.lstrip("-"), item)
        return items if all(map(_is, items, safe)) else safe

    def _fields(self, fields: dict[Any, Any]) -> dict[Any, Any]:
        safe: dict[Any, Any] = {}
        for key, value in fields.items():
            named = type(key) is str and type(value) is str
            safe[self.value(key)] = self._named(key, value) if named else self.value(value)
        if all(map(_is, fields, safe)) and all(map(_is, fields.values(), safe.values())):
            return fields
        return safe

    def _named(self, name: str, value: str) -> str:
        """The value of a field, which may be called `password` or so."""
        raw = value.encode("utf-8", "surrogatepass")
        password = len(raw) >= _LEAST and PASSWORD_NAME.fullmatch(name) is not None
        if password or (KEY_NAME.fullmatch(name) and RUN.search(raw)):
            return self._texts.pseudonyms.secret(raw).decode()
        return self._text(value)

    def _option(self, name: str, value: str) -> str:
        """What a command is given as its password is looked for everywhere from then on."""
        safe = self._named(name, value)
        if safe is not value:
            self._texts.learn(value.encode("utf-8", "surrogatepass"))
        return safe

    def _inside(self, value: Any) -> Any:
        items = msgpack.unpack(value.data, msgpack.ext)
        safe = self.value(items)
        if safe is items:
            return value
        if value.code in _SETS:
            packed = sorted(msgpack.plain(item) for item in safe)
            return msgpack.ext(value.code, b"\xdd" + len(packed).to_bytes(4, "big") + b"".join(packed))
        return msgpack.ext(value.code, msgpack.plain(safe))


_LEAST: Final = 4


def _is(one: object, other: object) -> bool:
    return one is other
