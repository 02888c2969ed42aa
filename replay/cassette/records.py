"""The payloads of frames as named tuples. `unpack` decides whether objects stay inert (default) or are revived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from replay.cassette._msgpack import a_list
from replay.cassette.codec import unpack as inert
from replay.cassette.delta import Delta
from replay.model.errors import CassetteDamaged

Unpack: TypeAlias = Callable[[bytes], Any]


class Call(NamedTuple):
    """An event began. `body` may be a Delta: `Reader.body` makes it whole."""

    lane: int
    kind: str
    name: str
    effect: str
    at: int
    site: int | None
    request: Any
    body: bytes | Delta | None
    meta: Mapping[str, Any] | None


class Whole(NamedTuple):
    """An event with its outcome; the first nine fields are those of Call."""

    lane: int
    kind: str
    name: str
    effect: str
    at: int
    site: int | None
    request: Any
    body: bytes | Delta | None
    meta: Mapping[str, Any] | None
    took: int
    status: int
    value: Any


class Return(NamedTuple):
    """The outcome of an event that a Call began. status: 0 result, 1 error, 2 a stream was opened."""

    at: int
    status: int
    value: Any
    suspended: bool


WAITS = 5
LATE = 6


class Chunk(NamedTuple):
    """A piece of a stream. status: 0 piece, 1 error, 3 end, 4 closed by the program; WAITS: a piece whose value comes
    later; LATE: the values of all that wait, a list."""

    lane: int
    at: int
    status: int
    value: Any
    suspended: bool


def call(payload: bytes, unpack: Unpack = inert) -> Call:
    """The payload of a CALL frame. This and the others raise CassetteDamaged for bytes that aren't one."""
    record = Call._make(_list(payload, unpack, 9, "CALL"))
    _check_call(record)
    return record


def whole(payload: bytes, unpack: Unpack = inert) -> Whole:
    """The payload of an EVENT frame."""
    record = Whole._make(_list(payload, unpack, 12, "EVENT"))
    _check_call(record)
    if type(record.took) is not int or type(record.status) is not int:
        raise _damaged("EVENT")
    return record


def ret(payload: bytes, unpack: Unpack = inert) -> Return:
    """The payload of a RETURN frame."""
    record = Return._make(_list(payload, unpack, 4, "RETURN"))
    if type(record.at) is not int or type(record.status) is not int:
        raise _damaged("RETURN")
    return record


def chunk(payload: bytes, unpack: Unpack = inert) -> Chunk:
    """The payload of a CHUNK frame."""
    record = Chunk._make(_list(payload, unpack, 5, "CHUNK"))
    if type(record.lane) is not int or type(record.at) is not int or type(record.status) is not int:
        raise _damaged("CHUNK")
    if record.status == LATE and type(record.value) is not list:
        raise _damaged("CHUNK")
    return record


def kind(payload: bytes) -> bytes | None:
    """The kind of a CALL or EVENT frame, read without unpacking it; None where that doesn't tell."""
    if len(payload) > 3 and payload[1] < 0x80 and 0xA0 <= payload[2] < 0xC0:  # a small number, then a short text
        return payload[3 : 3 + (payload[2] & 31)]
    return None


def content(payload: bytes) -> bytes | Delta:
    """The payload of a CONTENT frame."""
    (stored,) = _list(payload, inert, 1, "CONTENT")
    if type(stored) not in (bytes, Delta):
        raise _damaged("CONTENT")
    return stored  # type: ignore[no-any-return]


def _check_call(record: Call | Whole) -> None:
    if not (
        type(record.lane) is type(record.at) is int
        and type(record.kind) is type(record.name) is type(record.effect) is str
        and (record.body is None or type(record.body) in (bytes, Delta))
        and (record.site is None or type(record.site) is int)
        and (record.meta is None or type(record.meta) is dict)
    ):
        raise _damaged("event")


def _list(payload: bytes, unpack: Unpack, size: int, name: str) -> list[Any]:
    try:
        fields = a_list(unpack(payload))
    except TypeError:
        raise _damaged(name) from None
    if len(fields) != size:
        raise _damaged(name)
    return fields


def _damaged(name: str) -> CassetteDamaged:
    return CassetteDamaged(f"the payload of a {name} frame has another shape", offset=0, good_events=0)
