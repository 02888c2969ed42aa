"""Are two requests the same? The replay asks this for every event, so the common answer has to come fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from replay.matching import normalise
from replay.matching.redacted import fits, fits_bytes
from replay.model import encodings
from replay.model.event import Event

_type: Callable[[Any], Any] = type


class Request(NamedTuple):
    """One request to the door, in storable form (what the codec gives back).

    Attributes:
        kind, name: as in Event.
        request: the request value.
        body: its large part, whole.
    """

    kind: str
    name: str
    request: Any = None
    body: bytes | None = None

    @classmethod
    def of(cls, event: Event) -> Request:
        """The request of a recorded event."""
        return cls(event.kind, event.name, event.request, event.body)


def same(expected: Request, got: Request) -> bool:
    """Is it the same request? Reflexive, symmetric. `normalise` says what counts, `redacted` what placeholders match.

    An http request is told by its URL; its name is only a label. Costs about a microsecond for small values.

    Example:
        >>> same(Request("tool", "refund", {"id": 1}), Request("tool", "refund", {"id": True}))
        False
    """
    if expected is got:
        return True
    if expected.kind != got.kind:
        return False
    if expected.kind == "http":
        return _same_http(expected, got)
    return (
        expected.name == got.name
        and alike(expected.request, got.request)
        and (expected.body == got.body or _same_body(expected.body, got.body))
    )


def _same_http(expected: Request, got: Request) -> bool:
    one, other = expected.request, got.request
    if not isinstance(one, dict) or not isinstance(other, dict):
        return alike(one, other) and _same_body(expected.body, got.body)
    if one != other:
        a = normalise.http(cast("Mapping[str, Any]", one))
        b = normalise.http(cast("Mapping[str, Any]", other))
        if a != b and not alike(a, b):
            return False
    return _same_body(expected.body, got.body) or _same_unpacked(expected, got)


def _same_unpacked(expected: Request, got: Request) -> bool:
    """Compressed bodies: a secret in one is replaced, and packed with the rest."""
    one, other = _unpacked(expected), _unpacked(got)
    return one is not None and other is not None and _same_body(one, other)


def _unpacked(asked: Request) -> bytes | None:
    headers: list[list[str]] = asked.request.get("headers") or []
    encoding = next((value for name, value in headers if name.lower() == "content-encoding"), "")
    if not encoding or asked.body is None:
        return None
    body, warnings = encodings.decode(asked.body, encoding)
    return None if warnings else body


def _same_body(one: bytes | None, other: bytes | None) -> bool:
    one, other = one or b"", other or b""  # no body and an empty one are the same on the wire
    if one == other or fits_bytes(one, other):
        return True
    a = normalise.json_of(one)
    return a is not normalise.NOT_JSON and alike(a, normalise.json_of(other))


def alike(one: Any, other: Any) -> bool:
    """Are two storable values the same? With their types, NaN like NaN, dicts in any order, placeholders like any text.

    Example:
        >>> alike({"a": float("nan")}, {"a": float("nan")}), alike([1], [1.0]), alike([1], (1,))
        (True, False, False)
    """
    if one is other:
        return True
    kind = _type(one)
    if kind is not _type(other):
        return False
    if kind is str:
        return one == other or fits(one, other)
    if kind is dict:
        return _alike_dicts(one, other)
    if isinstance(one, (list, tuple)):
        a, b = cast("Sequence[Any]", one), cast("Sequence[Any]", other)
        return len(a) == len(b) and all(map(alike, a, b))
    if kind is float:
        return bool(one == other or (one != one and other != other))
    return bool(one == other)


def _alike_dicts(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    if len(one) != len(other):
        return False
    missing = object()
    # 1, True and 1.0 are one key to a dict, yet different requests: the keys are compared as well.
    keys = {key: key for key in other}
    for key, value in one.items():
        if not alike(key, keys.get(key, missing)) or not alike(value, other.get(key, missing)):
            return False
    return True
