"""Recorded values as the program gets them, and its requests as the recording has them. Pure."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from replay.cassette.codec import pack, unpack
from replay.cassette.named import Named
from replay.cassette.revive import revive
from replay.cassette.traces import link
from replay.matching.compare import Request
from replay.model.errors import NotStorable

RESULT, ERROR, STREAM, END, CLOSED = range(5)
"""Statuses of outcomes and pieces (docs/format.md)."""

_TEXT = frozenset((str,))
_PLAIN = frozenset((str, int, float, bool, bytes, type(None)))


def plainly_same(one: Any, other: Any) -> bool:
    """Quickly, for the commonest request: the same dict of texts and numbers in the same order. False says nothing."""
    if type(one) is not dict or type(other) is not dict or not _TEXT.issuperset(map(type, one)):  # pyright: ignore[reportUnknownArgumentType]
        return False
    kinds = [*map(type, one.values())]  # pyright: ignore[reportUnknownArgumentType]
    # What isn't plain isn't compared here: arrays have no truth.
    return _PLAIN.issuperset(kinds) and kinds == [*map(type, other.values())] and one == other  # pyright: ignore[reportUnknownArgumentType]


def revived(value: Any, stand_ins: list[Named] | None = None) -> Any:
    """`revive` copies; a decoded value belongs to nobody else, and a dict of texts and numbers is what it will be."""
    kind = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind in _PLAIN:
        return value
    if kind is dict and _TEXT.issuperset(map(type, value)) and _PLAIN.issuperset(map(type, value.values())):
        return value
    return revive(value, stand_ins)


def fail(error: BaseException, raised: BaseException | None) -> NoReturn:
    """Raise the recorded exception: the very one that a handler raised in the crossing, where it came out of it.

    Raising puts what is being handled outside into its context; in the recording that is below what was handled inside.
    """
    if raised is not None and type(raised) is type(error):
        raise raised
    outside, context = sys.exc_info()[1], error.__context__
    try:
        raise error
    except BaseException:
        if context is not None:
            error.__context__ = context
        link(error, outside)
        raise


def as_stored(got: Request) -> Request:
    """`got` as a cassette would give it back: objects of named classes are inert there."""
    try:
        return got._replace(request=unpack(pack(got.request)))
    except NotStorable:
        return got


def is_close(status: int, value: Any, kind: str) -> bool:
    """Whether a piece says that the program closed its stream. Of kind http, it may also be an empty one."""
    return status == CLOSED or (status == RESULT and kind == "http" and value == b"")
