"""Texts taken apart: words, values, and segments, which are about as long as a sentence. Pure.

What tools return is seldom prose: JSON, YAML, tables, mails in them, with line breaks as such or as `\\n`. A segment
ends where a sentence does, at an empty line, at a line that begins like an item or a field, and where a quoted value
does. A line that is merely wrapped goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from replay.semantics.loose import obj

LONGEST: Final = 400
"""Characters of a segment; what is longer is cut."""

_SIGN: Final = "\u3040-\u30ff\u3400-\u9fff"
SIGNS: Final = re.compile(f"[{_SIGN}]")
"""Signs of scripts that don't set words apart: Chinese and Japanese ones."""

_WORD: Final = re.compile(rf"[{_SIGN}]+|[^\W\d_{_SIGN}]+(?:['’][^\W\d_{_SIGN}]+)?")
_LETTER: Final = rf"[^\W{_SIGN}]"
_TOKEN: Final = re.compile(rf"<~\w+>|[{_SIGN}]+|{_LETTER}(?:(?:{_LETTER}|[.@/+:%&=?#~-])*{_LETTER})?")
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_a-zA-Z]+")
_END: Final = re.compile(
    r"(?<=[.!?。！？])(?=[\s\"'’”)\]<\\]|$)"  # a sentence
    r"|(?<=[。！？])"
    r"|(?:\\{1,8}[nrt])+"  # breaks that were escaped
    r"|\n[ \t]*\n\s*"
    r"|\n(?=[ \t]*(?:[-*•#>|]|\d+[.)]|<|[\w\"' ]{1,24}:\s))"  # an item, a tag, a field
    r"|(?<=>)\s*\n"
    r"|(?<=[\w.!?])[\"']\s*[,}\]]\s*"  # a quoted value
)
_EDGE: Final = " \t\r\n\"'{}[](),\\"


class Span(NamedTuple):
    """A part of a text, from `start` to before `end`."""

    start: int
    end: int


def words(text: str) -> list[str]:
    """Words in lower case.

    Example:
        >>> words("Send €5 to Anna's mother.")
        ['send', 'to', "anna's", 'mother']
    """
    return [word.lower() for word in _WORD.findall(text)]


def tokens(text: str) -> Iterator[tuple[str, Span]]:
    """What a value may consist of (words, numbers, addresses), in lower case, and where.

    Example:
        >>> [token for token, _ in tokens("pay 12.50 to a-b@c.org.")]
        ['pay', '12.50', 'to', 'a-b@c.org']
    """
    for match in _TOKEN.finditer(text):
        yield match.group().lower(), Span(match.start(), match.end())


def parts(name: str) -> list[str]:
    """The words of a name, in lower case.

    Example:
        >>> parts("send_directMessage")
        ['send', 'direct', 'message']
    """
    return [part.lower() for part in _PART.findall(name)]


_ENDINGS: Final = "ations ation ments ment ings ing ions ion ies ers ed es er s e y".split()


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """A word without its ending: crude, and the same for `transfer`, `transferring` and `transfers`.

    Example:
        >>> {stem(word) for word in ("delete", "deletes", "deleting", "deletion")}
        {'delet'}
    """
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            root = word[: -len(ending)]
            return root[:-1] if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "ls" else root
    return word


def stems(text: str) -> frozenset[str]:
    """The stems of its words."""
    return frozenset(stem(word) for word in words(text))


def segments(text: str) -> list[Span]:
    """Where its segments are; together they hold everything but what is between them.

    Example:
        >>> text = "To: Bo\\nPay now. Then\\nreply."
        >>> [text[a:b] for a, b in segments(text)]
        ['To: Bo', 'Pay now.', 'Then\\nreply.']
    """
    found: list[Span] = []
    at = 0
    for match in _END.finditer(text):
        _cut(text, at, match.start(), found)
        at = match.end()
    _cut(text, at, len(text), found)
    return found


def _cut(text: str, start: int, end: int, found: list[Span]) -> None:
    while start < end and text[start] in _EDGE:
        start += 1
    while end > start and text[end - 1] in _EDGE:
        end -= 1
    while end - start > LONGEST:
        at = text.rfind(" ", start + LONGEST // 2, start + LONGEST)
        at = start + LONGEST if at < 0 else at
        found.append(Span(start, at))
        start = at + (text[at : at + 1] == " ")
    if end > start:
        found.append(Span(start, end))


def plain(text: str) -> str:
    """Its words and numbers, with one space between: how texts are compared that were quoted, wrapped or escaped.

    Example:
        >>> plain('{"a": "Hello,\\\\n  World"}')
        'a hello world'
    """
    return " ".join(re.findall(r"\w+", re.sub(r"\\{1,8}[nrt]", " ", text).lower()))


def named(key: Any) -> str:
    """The key of a memory as a text."""
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(place, text) of everything in a value that is a text or a number.

    Example:
        >>> list(leaves({"to": ["bo"], "amount": 5}))
        [('to[0]', 'bo'), ('amount', '5')]
    """
    if isinstance(value, dict):
        for key, item in obj(value).items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(cast("list[Any]", value)):
            yield from leaves(item, f"{path}[{number}]")
    elif isinstance(value, bytes):
        yield path, value.decode("utf-8", "replace")
    elif value is not None and not isinstance(value, bool):
        yield path, value if isinstance(value, str) else str(value)


def text_of(value: Any) -> str:
    """A value as one text: itself where it is one, otherwise what is in it, line by line, or JSON where it may be."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return "\n".join(text for _, text in leaves(value))
