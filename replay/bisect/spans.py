"""Two values of one input, taken apart: where they differ, and any mixture of both put together again. Pure.

A *span* is a difference that has a place in the value: a field of a dict, an element of a list, a paragraph of a text,
in it a line, in it a sentence. A text that is JSON is taken apart as what it says, and so is a body of bytes. Spans are
nested; those without parts are numbered, and a mixture is told by the numbers that come from the bad value.

    nothing chosen      the good value, as it is
    all chosen          the bad value, as it is
    anything else       valid of its kind: JSON stays JSON, an HTTP answer's content-length fits its body

Elements and pieces of text belong together as `diff.align` says; between those that are equal, the first stands against
the first, and so on: what one side has more is added or missing.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any, Final, Literal, cast

from replay.cassette.named import Named
from replay.diff.align import align

Chosen = frozenset[int]


class Missing:
    """There is nothing at that place in one of the values."""

    def __repr__(self) -> str:
        return "(nothing)"


MISSING: Final = Missing()

Kind = Literal["leaf", "dict", "list", "text", "json", "bytes", "object"]


@dataclass(frozen=True, slots=True)
class Span:
    """Where two values differ.

    Attributes:
        path: its place: `body.results[2].text ¶3`; empty for the whole.
        good, bad: both values; MISSING where there is none.
        parts: the spans in it, in order. numbers: of the leaves in it.
        shape: how it is put together again: shared values and spans in their order; of a dict with keys.
    """

    path: str
    good: Any
    bad: Any
    kind: Kind
    numbers: Chosen
    parts: tuple[Span, ...] = ()
    shape: tuple[Any, ...] = ()

    def leaves(self) -> Iterator[Span]:
        """The spans without parts, in order: the one with number n is the n-th, if the numbers began from 0."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def spans(good: Any, bad: Any, *, first: int = 0, whole: bool = False) -> Span:
    """Takes two differing values apart. `whole`: don't.

    Args:
        first: the number of the first leaf.

    Example:
        >>> both = spans({"to": "ann", "n": 1, "x": 0}, {"to": "bob", "n": 2, "x": 0})
        >>> [(span.path, span.good, span.bad) for span in both.leaves()]
        [('to', 'ann', 'bob'), ('n', 1, 2)]
        >>> mix(both, frozenset([1]))
        {'to': 'ann', 'n': 2, 'x': 0}
    """
    return _Splitter(first).leaf("", good, bad) if whole else _Splitter(first).split("", good, bad, _TEXT)


def mix(span: Span, chosen: Chosen) -> Any:
    """The value in which those leaves are the bad one's, and all else is the good one's."""
    here = span.numbers & chosen
    if not here:
        return span.good
    if here == span.numbers:
        return span.bad
    return _MIXED[span.kind](span, here)


# -- apart -------------------------------------------------------------------------------------------------------

_PARAGRAPH: Final = re.compile(r"\n\s*\n")
_LINE: Final = re.compile(r"\n+")
_SENTENCE: Final = re.compile(r"(?<=[.!?;])\s+")
Cuts = Sequence[tuple[str, re.Pattern[str]]]
_TEXT: Final[Cuts] = (("¶", _PARAGRAPH), ("line ", _LINE), ("sentence ", _SENTENCE))
"""What a text is cut behind, from large to small, and how a piece is called."""


class _Splitter:
    """Numbers leaves as they come."""

    def __init__(self, first: int) -> None:
        self._next = first

    def leaf(self, path: str, good: Any, bad: Any) -> Span:
        number = self._next
        self._next += 1
        return Span(path, good, bad, "leaf", frozenset([number]))

    def split(self, path: str, good: Any, bad: Any, cuts: Cuts) -> Span:
        match good, bad:
            case dict(), dict():
                return self._dict(path, good, bad)
            case (list(), list()) | (tuple(), tuple()):
                return self._list(path, good, bad)
            case bytes(), bytes():
                one, other = _decoded(good), _decoded(bad)
                if one is not None and other is not None:
                    return self._around("bytes", path, good, bad, self.split(path, one, other, cuts))
            case str(), str():
                one, other = _json(good), _json(bad)
                if one is not None and other is not None and _differ(one, other):
                    return self._around("json", path, good, bad, self.split(path, one, other, cuts))
                return self._text(path, good, bad, cuts)
            case Named(), Named() if (good.module, good.qualname, good.form) == (bad.module, bad.qualname, bad.form):
                if good.form in ("dataclass", "namedtuple", "pydantic"):
                    return self._around("object", path, good, bad, self.split(path, good.state, bad.state, cuts))
            case _:
                pass
        return self.leaf(path, good, bad)

    def _around(self, kind: Kind, path: str, good: Any, bad: Any, inner: Span) -> Span:
        return Span(path, good, bad, kind, inner.numbers, (inner,), (inner,))

    def _dict(self, path: str, good: Mapping[Any, Any], whole: Mapping[Any, Any]) -> Span:
        bad = whole
        shape: list[tuple[Any, Any]] = []
        if isinstance(good.get("body"), bytes) and isinstance(bad.get("headers"), (list, tuple)):
            bad = {**bad, "headers": _measured(bad["headers"], len(good["body"]))}  # it follows from the body
        for key in [*good, *(key for key in bad if key not in good)]:
            one, other = good.get(key, MISSING), bad.get(key, MISSING)
            name = f"{path}.{key}" if path else str(key)
            shape.append((key, self.split(name, one, other, _TEXT) if _differ(one, other) else one))
        parts = tuple(item for _, item in shape if isinstance(item, Span))
        return _joined("dict", path, good, whole, parts, tuple(shape), lambda: self.leaf(path, good, whole))

    def _list(self, path: str, good: Sequence[Any], bad: Sequence[Any]) -> Span:
        shape = list(self._aligned(good, bad, lambda n: f"{path}[{n}]", _TEXT))
        parts = tuple(item for item in shape if isinstance(item, Span))
        return _joined("list", path, good, bad, parts, tuple(shape), lambda: self.leaf(path, good, bad))

    def _text(self, path: str, good: str, bad: str, cuts: Cuts) -> Span:
        """Cut as large as it can be cut at all."""
        for level, (word, cut) in enumerate(cuts):
            one, other = _cut(good, cut), _cut(bad, cut)
            if len(one) > 1 or len(other) > 1:
                shape = list(self._aligned(one, other, partial(_piece, path, word), cuts[level + 1 :]))
                parts = tuple(item for item in shape if isinstance(item, Span))
                return _joined("text", path, good, bad, parts, tuple(shape), lambda: self.leaf(path, good, bad))
        return self.leaf(path, good, bad)

    def _aligned(
        self, good: Sequence[Any], bad: Sequence[Any], name: Callable[[int], str], cuts: Cuts
    ) -> Iterator[Any]:
        for block in align([repr(item) for item in good], [repr(item) for item in bad]):
            if block.equal:
                yield from good[block.a0 : block.a1]
                continue
            pairs = zip_longest(good[block.a0 : block.a1], bad[block.b0 : block.b1], fillvalue=MISSING)
            for number, (one, other) in enumerate(pairs):
                at = block.b0 if other is not MISSING else block.a0  # where it is found by who looks for it
                yield self.split(name(at + number), one, other, cuts)


def _joined(
    kind: Kind,
    path: str,
    good: Any,
    bad: Any,
    parts: tuple[Span, ...],
    shape: tuple[Any, ...],
    otherwise: Callable[[], Span],
) -> Span:
    """Values that differ in nothing that has a place (the order of keys, 1 and 1.0) are one leaf."""
    if not parts:
        return otherwise()
    return Span(path, good, bad, kind, frozenset[int]().union(*(part.numbers for part in parts)), parts, shape)


def _piece(path: str, word: str, number: int) -> str:
    return f"{path} {word}{number + 1}".lstrip()


def _differ(one: Any, other: Any) -> bool:
    return repr(one) != repr(other)  # with types: 1 isn't 1.0


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _json(text: str) -> Any:
    """The dict or list that it says; None where it says something else."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _cut(text: str, cut: re.Pattern[str]) -> list[str]:
    """Its pieces; together they are the text."""
    ends = [found.end() for found in cut.finditer(text) if 0 < found.end() < len(text)]
    return [text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]


# -- together ----------------------------------------------------------------------------------------------------


def _mixed_dict(span: Span, chosen: Chosen) -> dict[Any, Any]:
    mixed = {key: mix(item, chosen) if isinstance(item, Span) else item for key, item in span.shape}
    found = {key: value for key, value in mixed.items() if value is not MISSING}
    body, headers = found.get("body"), found.get("headers")
    if isinstance(body, bytes) and isinstance(headers, (list, tuple)):
        found["headers"] = _measured(cast("Sequence[Any]", headers), len(body))
    return found


def _measured(headers: Sequence[Any], length: int) -> Sequence[Any]:
    """An answer whose length isn't what it says is cut by its client, or waited for."""
    found: list[Any] = [[pair[0], _length_like(pair[1], length)] if _is_length(pair) else pair for pair in headers]
    return tuple(found) if isinstance(headers, tuple) else found


def _is_length(pair: Any) -> bool:
    match pair:
        case [str(name), _]:
            return name.lower() == "content-length"
        case [bytes(name), _]:
            return name.lower() == b"content-length"
        case _:
            return False


def _length_like(value: Any, length: int) -> Any:
    return str(length).encode() if isinstance(value, bytes) else str(length)


def _mixed_list(span: Span, chosen: Chosen) -> Any:
    mixed = [mix(item, chosen) if isinstance(item, Span) else item for item in span.shape]
    found = [value for value in mixed if value is not MISSING]
    return tuple(found) if isinstance(span.good, tuple) else found


def _mixed_json(span: Span, chosen: Chosen) -> str:
    """Set as the good text is: on one line, or indented."""
    text = str(span.good)
    indent = re.match(r"\s*[\[{]\n( +)", text)
    tight = '":' in text and '": ' not in text
    return json.dumps(
        mix(span.parts[0], chosen),
        indent=len(indent[1]) if indent else None,
        separators=(",", ":") if tight and not indent else None,
        ensure_ascii=text.isascii(),
    )


def _mixed_object(span: Span, chosen: Chosen) -> Named:
    like: Named = span.good
    return Named(like.module, like.qualname, like.form, mix(span.parts[0], chosen))


_MIXED: Final[Mapping[Kind, Callable[[Span, Chosen], Any]]] = {
    "dict": _mixed_dict,
    "list": _mixed_list,
    "text": lambda span, chosen: "".join(_mixed_list(span, chosen)),
    "json": _mixed_json,
    "bytes": lambda span, chosen: mix(span.parts[0], chosen).encode(),
    "object": _mixed_object,
}
"""How a span with parts is put together, some of them chosen."""
