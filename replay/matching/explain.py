"""What differs between two requests, for people: a bounded list of places, each with what was expected and what came.

DeepDiff finds the places; it is imported here when first needed, since it costs more to import than all of us.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, cast

from replay.matching import normalise, words
from replay.matching.compare import Request, alike, same

MAX_CHANGES = 20
"""Changes that are listed; the rest is counted."""


_Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One place that differs.

    Attributes:
        path: such as `body.messages[3].content`, `headers.x-tenant`, `url`, `request.order_id`.
        what: `changed`, `missing` (expected, didn't come) or `added` (came, wasn't expected).
        expected, got: the values there; None where there is none.
        text: both as one readable, bounded line or diff.
    """

    path: str
    what: Literal["changed", "missing", "added"]
    expected: Any
    got: Any
    text: str

    def __str__(self) -> str:
        sign = {"changed": "~", "missing": "-", "added": "+"}[self.what]
        return f"{sign} {self.path}: {self.text}" if "\n" not in self.text else f"{sign} {self.path}:\n{self.text}"


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs; empty when the requests are the same. `more` changes are not listed."""

    changes: tuple[Change, ...] = ()
    more: int = 0

    @property
    def summary(self) -> str:
        """One line: the places.

        Example:
            >>> Difference().summary
            'the same'
        """
        if not self.changes:
            return "the same"
        shown = [f"{change.path} {change.what}" for change in self.changes[:3]]
        left = len(self.changes) - len(shown) + self.more
        return ", ".join(shown) + (f" and {left} more" if left else "")

    def __str__(self) -> str:
        lines = [str(change) for change in self.changes]
        return "\n".join([*lines, f"… and {self.more} more changes"] if self.more else lines) or "the same"


def explain(expected: Request, got: Request, width: int = 400) -> Difference:
    """What differs; each change's text is at most about `width` characters.

    Example:
        >>> print(explain(Request("tool", "refund", {"id": 1}), Request("tool", "refund", {"id": 2})))
        ~ request.id: 1 -> 2
    """
    if same(expected, got):
        return Difference()
    changes = between(parsed(expected), parsed(got), width)
    return Difference(tuple(changes[:MAX_CHANGES]), max(len(changes) - MAX_CHANGES, 0))


def brief(expected: Request, got: Request, width: int = 160) -> str:
    """What differs in one line: the first place, and how many more there are. DeepDiff isn't needed for it.

    Example:
        >>> brief(Request("tool", "refund", {"id": 1, "to": "x"}), Request("tool", "refund", {"id": 2, "to": "y"}))
        '~ request.id: 1 -> 2 (and 1 more)'
    """
    found = _trim(parsed(expected), parsed(got))
    if not found:
        return "its bytes"
    path, one, other = _innermost(*found[0])
    if one is _ABSENT:
        change = f"+ {_shown(path)}: {words.clip(repr(other), width)}"
    elif other is _ABSENT:
        change = f"- {_shown(path)}: {words.clip(repr(one), width)}"
    else:
        change = f"~ {_shown(path)}: {_both(one, other, width)}"
    return " ".join(change.split()) + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


def _innermost(path: _Path, one: Any, other: Any) -> tuple[_Path, Any, Any]:
    """The first place that differs inside of a place that does."""
    inner: list[tuple[_Path, Any, Any]] = []
    if _is_dict(one) and _is_dict(other):
        inner = _trim(one, other)
    elif _is_list(one) and _is_list(other):
        inner = _trim_lists(one, other)
    if not inner:
        return path, one, other
    step, *both = inner[0]
    return _innermost((*path, *step), *both)


def between(one: dict[str, Any], other: dict[str, Any], width: int = 400) -> list[Change]:
    """All places in which two values differ; with a width of 0 without their texts.

    Example:
        >>> [str(change) for change in between({"a": [1, 2, 3]}, {"a": [1, 3], "b": None})]
        ['- a[1]: 2', '+ b: None']
    """
    return [change for path, a, b in _trim(one, other) for change in _differences(path, a, b, width)]


def parsed(request: Request) -> dict[str, Any]:
    """The request in the form that is compared and shown: JSON bodies parsed, headers by name without noise."""
    shown: dict[str, Any] = {"kind": request.kind}
    value: Any = request.request
    if request.kind == "http" and _is_dict(value):
        http = normalise.http(value)
        headers = {name: values[0] if len(values) == 1 else list(values) for name, values in http.headers}
        shown |= {"method": http.method, "url": http.url, "headers": headers}
    elif request.kind == "http":  # its name is a label, see `same`
        shown["request"] = value
    else:
        shown |= {"name": request.name, "request": value}
    if request.body:
        body = normalise.json_of(request.body)
        shown["body"] = request.body.decode("utf-8", "backslashreplace") if body is normalise.NOT_JSON else body
    return shown


def _reconcile(one: Any, other: Any) -> Any:
    """`other`, with what matches in `one` (placeholders, NaN) put in its place: only true differences are left."""
    if alike(one, other):
        return one
    if type(one) is not type(other):
        return other
    if _is_dict(one):
        return {key: _reconcile(one[key], value) if key in one else value for key, value in other.items()}
    if _is_list(one):
        return [*map(_reconcile, one, other), *other[len(one) :]]
    return other


def _is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _trim(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[_Path, Any, Any]]:
    """The pairs that DeepDiff has to look at: equal keys left out, so that a long history costs nothing."""
    pairs: list[tuple[_Path, Any, Any]] = []
    for key in [*one, *(key for key in other if key not in one)]:
        a, b = one.get(key, _ABSENT), other.get(key, _ABSENT)
        if _is_dict(a) and _is_dict(b):
            inner = _trim(a, b)
            pairs += [((key, *path), x, y) for path, x, y in inner]
        elif _is_list(a) and _is_list(b):
            pairs += [((key, *path), x, y) for path, x, y in _trim_lists(a, b)]
        elif a is not b and not alike(a, b):
            pairs.append(((key,), a, b))
    return pairs


def _trim_lists(one: Sequence[Any], other: Sequence[Any]) -> list[tuple[_Path, Any, Any]]:
    """Lists aligned by their elements: one that was inserted doesn't shift all that follow."""
    head = 0
    while head < min(len(one), len(other)) and alike(one[head], other[head]):
        head += 1
    tail = 0
    while tail < min(len(one), len(other)) - head and alike(one[-1 - tail], other[-1 - tail]):
        tail += 1
    a, b = one[head : len(one) - tail], other[head : len(other) - tail]
    if len(a) == len(b) <= MAX_CHANGES:  # mostly few elements of a list were edited in place: no guessing
        blocks: list[tuple[str, int, int, int, int]] = [("replace", 0, len(a), 0, len(b))]
    else:
        keys = [repr(item) for item in a], [repr(item) for item in b]
        blocks = list(difflib.SequenceMatcher(None, *keys, autojunk=False).get_opcodes())
    pairs: list[tuple[_Path, Any, Any]] = []
    for _, i, j, k, m in (block for block in blocks if block[0] != "equal"):
        for x, y in itertools.zip_longest(range(i, j), range(k, m)):
            if y is None:
                pairs.append(((head + x,), a[x], _ABSENT))
            elif x is None:
                pairs.append(((head + y,), _ABSENT, b[y]))
            elif not alike(a[x], b[y]):
                pairs.append(((head + x,), a[x], b[y]))
    return pairs


class _Absent:
    """Nothing is there; None would be a value."""


_ABSENT = _Absent()
_PLAIN = frozenset((str, int, float, bool, bytes, type(None)))


def _differences(path: _Path, one: Any, other: Any, width: int) -> list[Change]:
    if one is _ABSENT:
        return [Change(_shown(path), "added", None, other, words.clip(repr(other), width))]
    if other is _ABSENT:
        return [Change(_shown(path), "missing", one, None, words.clip(repr(one), width))]
    if type(one) in _PLAIN and type(other) in _PLAIN:  # as most are, and DeepDiff takes its time
        return [Change(_shown(path), "changed", one, other, _both(one, other, width))]
    from deepdiff import DeepDiff

    found: list[Change] = []
    tree = cast("Any", DeepDiff(one, _reconcile(one, other), view="tree", ignore_nan_inequality=True, verbose_level=1))
    for group, levels in tree.items():
        for level in levels:
            place = _shown((*path, *level.path(output_format="list")))
            if group.endswith("_added"):
                found.append(Change(place, "added", None, level.t2, words.clip(repr(level.t2), width)))
            elif group.endswith("_removed"):
                found.append(Change(place, "missing", level.t1, None, words.clip(repr(level.t1), width)))
            else:
                found.append(Change(place, "changed", level.t1, level.t2, _both(level.t1, level.t2, width)))
    return found


def _both(one: Any, other: Any, width: int) -> str:
    if not width:
        return ""
    if isinstance(one, str) and isinstance(other, str) and max(len(one), len(other)) > 60:
        return words.compare(one, other, width)
    return f"{words.clip(repr(one), width // 2)} -> {words.clip(repr(other), width // 2)}"


def _shown(path: _Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
