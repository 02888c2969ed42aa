"""A text that says nothing, in the shape of another: as many characters, the same signs, breaks and structure. Pure.

Words become words of the same length that mean nothing here, digits other digits, letters of identifiers other letters.
JSON stays JSON: of an object in a text only the values are masked, as are values behind `field:` at a line's beginning.

    masked({"note": "Pay 5 to QX77."}, ["Pay 5 to QX77."])      # ({'note': 'Sit 7 et YX33.'}, [('Pay 5 …', 'Sit 7 …')])
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from replay.forensics.text import Span
from replay.semantics.loose import loads

_FILLER: Final = "a et sit amet dolor labore aliquip nostrudi consequat temporibus".split()
"""By length. They come from the typesetters' filler text, which any model knows for one."""

_PIECE: Final = re.compile(r"\\+(?:u[0-9a-fA-F]{4}|.)?|[^\s\\]+", re.DOTALL)
_RUN: Final = re.compile(r"[^\W\d_]+|\d")
_IDENTIFIER: Final = re.compile(r"[\d@/_]|\w[.:+-]\w")
_VALUES: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(?!\s*:)|"(?:[^"\\]|\\.)*"|(-?\d[\d.]*)')
"""Of JSON: the inside of each string that isn't a key, and each number."""

_FIELD: Final = re.compile(r"^[ \t]*(?:- )?[\w-]{1,24}:(?=\s)", re.MULTILINE)
_HUGE: Final = 1e100
_LEAST: Final = 8
"""Characters that are no coincidence, where only a part of a text is found."""


class Mask(NamedTuple):
    """A stretch of text, and what took its place."""

    text: str
    by: str


def neutral(text: str) -> str:
    """The same shape, without what it says. Never the same as `text`, where that has a letter or a digit.

    Example:
        >>> neutral("Pay EUR 900 to QX77-1204 now, please.")
        'Sit SIT 777 et XY33-7777 sit, labore.'
    """
    return _cover(text, [Span(0, len(text))])


def masked(
    value: Any, stretches: Sequence[str] | None, *, keep: frozenset[str] = frozenset()
) -> tuple[Any, list[Mask]]:
    """A value in which these stretches are masked wherever they stand, and what was masked.

    Args:
        value: of any nesting; keys of objects stay. stretches: None: all of it. keep: fields that stay as they are.

    Returns:
        The value; and nothing else, where nothing of the stretches stands in it: first they are looked for as they are,
        then line by line, and as what a longer stretch has of it.
    """
    found: list[Mask] = []
    made = _walk(value, stretches, keep, found)
    if not found and stretches:
        lines = [line.strip() for each in stretches for line in each.splitlines() if len(line.strip()) >= _LEAST]
        made = _walk(value, lines, keep, found)
    if not found and stretches:
        inside = [
            text for text in _texts(value, keep) if len(text) >= _LEAST and any(text in each for each in stretches)
        ]
        made = _walk(value, inside, keep, found)
    return made, found


def _walk(value: Any, stretches: Sequence[str] | None, keep: frozenset[str], found: list[Mask]) -> Any:
    if isinstance(value, dict):
        known = cast("Mapping[Any, Any]", value)
        return {key: each if key in keep else _walk(each, stretches, keep, found) for key, each in known.items()}
    if isinstance(value, (list, tuple)):
        items = [_walk(each, stretches, keep, found) for each in cast("Sequence[Any]", value)]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, str):
        return _text(value, stretches, found)
    if isinstance(value, bytes):
        try:
            return _text(value.decode(), stretches, found).encode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _HUGE:
        said = str(value)
        if stretches is None or any(said == each.strip() for each in stretches):
            by = _digits(said)
            found.append(Mask(said, by))
            return type(value)(by)
    return value


def _text(text: str, stretches: Sequence[str] | None, found: list[Mask]) -> str:
    spans = [Span(0, len(text))] if stretches is None else [span for each in stretches for span in _places(text, each)]
    made = _cover(text, spans)
    found += (Mask(text[a:b], made[a:b]) for a, b in spans if text[a:b] != made[a:b])
    return made


def _texts(value: Any, keep: frozenset[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in cast("Mapping[Any, Any]", value).items():
            yield from () if key in keep else _texts(each, keep)
    elif isinstance(value, (list, tuple)):
        for each in cast("Sequence[Any]", value):
            yield from _texts(each, keep)
    elif isinstance(value, str):
        yield value


def _places(text: str, stretch: str) -> Iterator[Span]:
    """Where it stands, not in the middle of a longer word."""
    wanted = stretch.strip()
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        end = at + len(wanted)
        inside = (at and text[at - 1].isalnum() and wanted[0].isalnum()) or (
            end < len(text) and text[end].isalnum() and wanted[-1].isalnum()
        )
        if not inside:
            yield Span(at, end)
        at = text.find(wanted, end if not inside else at + 1)


def _cover(text: str, spans: Sequence[Span]) -> str:
    """The text with these spans masked, as far as they may be."""
    if not spans:
        return text
    made = list(text)
    for start, end in _open(text):
        for a, b in spans:
            first, last = max(a, start), min(b, end)
            if first < last:
                made[first:last] = _mask(text[first:last])
    return "".join(made)


def _open(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text that may be masked without breaking what it is."""
    if isinstance(loads(text), (dict, list)):
        for match in _VALUES.finditer(text):
            group = 1 if match[1] is not None else 2
            if match[group]:
                yield match.span(group)
        return
    at = 0
    for match in _FIELD.finditer(text):
        yield at, match.start()
        at = match.end()
    yield at, len(text)


def _mask(text: str) -> str:
    return _PIECE.sub(_piece, text)


def _piece(match: re.Match[str]) -> str:
    text = match.group()
    if text.startswith("\\"):
        return text
    if _IDENTIFIER.search(text):
        return _digits("".join(_letter(each) for each in text))
    return _RUN.sub(_word, text)


def _word(match: re.Match[str]) -> str:
    text = match.group()
    filler = _FILLER[len(text) - 1] if len(text) <= len(_FILLER) else (_FILLER[-1] * len(text))[: len(text)]
    if filler == text.lower() or len(filler) != len(text):
        return "".join(map(_letter, text))
    return "".join(by.upper() if each.isupper() else by for each, by in zip(text, filler, strict=True))


def _letter(letter: str) -> str:
    if not letter.isalpha():
        return letter
    by = "y" if letter.lower() == "x" else "x"
    return by.upper() if letter.isupper() else by


def _digits(text: str) -> str:
    return re.sub(r"\d", lambda match: "3" if match.group() == "7" else "7", text)
