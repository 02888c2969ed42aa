"""Packed values as JSON, and back: `packed(shown(data)) == data` for any bytes that are msgpack. Pure.

JSON's own types stand for themselves. What JSON doesn't have is an object with one key that begins with `$`:

    {"$text": "…"}       bytes that are UTF-8          {"$base64": "…"}    other bytes
    {"$float": "nan"}    nan, inf, -inf                {"$map": [[k, v]]}  a map whose keys aren't all plain strings
    {"$tuple": [...]}    and the other ext types of docs/format.md, 7: `EXTS` below
    {"$wtf8": "…"}       base64 of a string with lone surrogates: a JSON parser may join them
    {"$packed": "…"}     base64 of msgpack whose bytes the forms above wouldn't give back
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from replay.cassette import _msgpack as msgpack

_type: Callable[[Any], Any] = type
"""For type checkers, which would narrow a value to a dict of unknown things."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How an ext value's data is shown and read. Either may raise for data that isn't of that form."""

    name: str
    shown: Callable[[bytes], Any]
    read: Callable[[Any], bytes]


def _nested(name: str) -> _Form:
    return _Form(name, lambda data: _shown(msgpack.unpack(data, msgpack.ext)), lambda value: _pack(_read(value)))


def _integer(name: str) -> _Form:
    def read(text: Any) -> bytes:
        value = int(text, 16)
        return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)

    return _Form(name, lambda data: hex(int.from_bytes(data, "big", signed=True)), read)


def _ascii(name: str) -> _Form:
    return _Form(name, lambda data: data.decode("ascii"), lambda text: cast("str", text).encode("ascii"))


EXTS: Final = {
    0x01: _nested("$tuple"),
    0x02: _nested("$set"),
    0x03: _nested("$frozenset"),
    0x04: _integer("$int"),
    0x05: _nested("$datetime"),
    0x06: _ascii("$date"),
    0x07: _nested("$time"),
    0x08: _integer("$microseconds"),
    0x09: _ascii("$decimal"),
    0x0A: _Form("$uuid", lambda data: data.hex(), bytes.fromhex),
    0x0B: _nested("$path"),
    0x10: _nested("$object"),
    0x20: _nested("$delta"),
}
_CODES: Final = {form.name: (code, form) for code, form in EXTS.items()}
_BAD: Final[tuple[type[Exception], ...]] = (*msgpack.BAD_INPUT, KeyError)


def shown(data: bytes) -> Any:
    """A packed value as JSON has it.

    Example:
        >>> shown(b"\\x92\\xc4\\x01\\xff\\x07")
        [{'$base64': '/w=='}, 7]
    """
    try:
        value = _shown(msgpack.unpack(data, msgpack.ext))
        if packed(value) == data:
            return value
    except _BAD:
        pass  # not of the forms that have a name
    return {"$packed": b64encode(data).decode()}


def packed(value: Any) -> bytes:
    """The bytes of what `shown` made.

    Raises:
        ValueError: it isn't of that form.
    """
    if _type(value) is dict and list(value) == ["$packed"]:
        return b64decode(value["$packed"], validate=True)
    try:
        return _pack(_read(value))
    except _BAD as error:
        raise ValueError(f"a value that no frame has: {error}") from None


_pack = msgpack.plain


def _shown(value: Any) -> Any:
    kind = _type(value)
    if kind is float and not math.isfinite(value):
        return {"$float": repr(value)}
    if kind is str and not _whole(value):
        return {"$wtf8": b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    if kind is bytes:
        try:
            return {"$text": value.decode()}
        except UnicodeDecodeError:
            return {"$base64": b64encode(value).decode()}
    if kind is list:
        return [_shown(item) for item in value]
    if kind is dict:
        if all(type(key) is str and not key.startswith("$") and _whole(key) for key in value):
            return {key: _shown(item) for key, item in value.items()}
        return {"$map": [[_shown(key), _shown(item)] for key, item in value.items()]}
    return _ext(value.code, value.data) if kind is msgpack.Ext else value


def _whole(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _ext(code: int, data: bytes) -> Any:
    form = EXTS.get(code)
    if form is not None:
        try:
            value = form.shown(data)
            if form.read(value) == data:
                return {form.name: value}
        except _BAD:
            pass  # damaged, or of a later format
    return {"$ext": [code, b64encode(data).decode()]}


def _read(value: Any) -> Any:
    kind = _type(value)
    if kind is list:
        return [_read(item) for item in value]
    if kind is not dict:
        return value
    only = next(iter(value)) if len(value) == 1 else ""
    if not only.startswith("$"):
        return {key: _read(item) for key, item in value.items()}
    inner = value[only]
    if only in _CODES:
        code, form = _CODES[only]
        return msgpack.ext(code, form.read(inner))
    return _PLAIN[only](inner)


def _unknown(inner: Any) -> Any:
    code, data = inner
    return msgpack.ext(code, b64decode(data, validate=True))


_PLAIN: Final[dict[str, Callable[[Any], Any]]] = {
    "$text": lambda inner: inner.encode(),
    "$base64": lambda inner: b64decode(inner, validate=True),
    "$wtf8": lambda inner: b64decode(inner, validate=True).decode("utf-8", "surrogatepass"),
    "$float": float,
    "$map": lambda inner: {_read(key): _read(item) for key, item in inner},
    "$ext": _unknown,
}
