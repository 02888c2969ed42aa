"""Protocol buffers read by a table of the fields one wants, for wires that are gRPC. Never raises.

A schema maps field numbers to `(name, type)`: a scalar type below, a tuple of names (an enum, by its numbers' order), a
mapping of numbers to names (an enum with holes), or a `Message` around a schema. A type in a list is repeated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

Schema = Mapping[int, tuple[str, Any]]
STRING, BYTES, INT, BOOL, FLOAT = "string", "bytes", "int", "bool", "float"


@dataclass(frozen=True, slots=True)
class Message:
    """A field that is a message itself."""

    schema: Schema


def decode(data: bytes, schema: Schema, depth: int = 20) -> tuple[dict[str, Any], str | None]:
    """The message as JSON would have it, and what is wrong with the rest (None when nothing is).

    Fields that the table doesn't have are left out; proto3 leaves out what has its default.

    Example:
        >>> decode(bytes([0x0A, 2]) + b"hi" + bytes([0x10, 5]), {1: ("text", STRING), 2: ("n", INT)})
        ({'text': 'hi', 'n': 5}, None)
    """
    found: dict[str, Any] = {}
    problem: str | None = None
    if depth == 0:
        return found, "messages are nested too deep"
    try:
        for number, kind, value in _fields(data):
            if number not in schema:
                continue
            name, type_ = schema[number]
            repeated = isinstance(type_, list)
            one: Any = cast("list[Any]", type_)[0] if repeated else type_
            values, wrong = _values(kind, value, one, depth)
            problem = problem or wrong
            if repeated:
                found.setdefault(name, []).extend(values)
            elif values:
                found[name] = values[-1]
    except (IndexError, struct.error):
        problem = "the message is cut or damaged"
    return found, problem


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, raw value) of each field."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: Any
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise IndexError
            value, at = data[at : at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            (value,), at = struct.unpack_from("<d" if kind == 1 else "<f", data, at), at + size
        else:
            raise IndexError  # groups are of the last century
        yield number, kind, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise IndexError


def _values(kind: int, value: Any, type_: Any, depth: int) -> tuple[list[Any], str | None]:
    """Mostly one value; several when numbers are packed, none when the type on the wire is another."""
    if isinstance(type_, Message):
        if kind != 2:
            return [], None
        inner, problem = decode(value, type_.schema, depth - 1)
        return [inner], problem
    if type_ in (STRING, BYTES):
        return ([] if kind != 2 else [value.decode("utf-8", "replace") if type_ == STRING else value]), None
    if type_ == FLOAT:
        return ([value] if kind in (1, 5) else []), None
    numbers: list[int] = []
    if kind == 0:
        numbers = [value]
    elif kind == 2:
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            numbers.append(number)
    return [_scalar(number, type_) for number in numbers], None


def _scalar(number: int, type_: Any) -> Any:
    if type_ == BOOL:
        return number != 0
    if type_ == INT:
        return number - (1 << 64) if number >> 63 else number
    if isinstance(type_, tuple):
        names = cast("tuple[str, ...]", type_)
        return names[number] if number < len(names) else number
    return cast("Mapping[int, str]", type_).get(number, number)
