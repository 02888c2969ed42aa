"""The text of an expectation as words, names, texts, numbers and marks. Linear in its length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from replay.model.errors import ExpressionInvalid

LONGEST: Final = 10_000
"""Characters of an expectation."""

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w]))
    |(?P<word>(?:[^\W\d]|\*)[\w*-]*(?:[./:][\w*-]+)*)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>==|!=|<=|>=|[<>()\[\],.])""",
    re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\([\\\"'ntr])")  # others stay as they are: \d in a pattern
_MEANING: Final = {"n": "\n", "t": "\t", "r": "\r"}
_MEANT: Final = {
    "=": "==",
    "!": "not or !=",
    "&": "and",
    "|": "or",
    "“": "straight quotes",
    "”": "straight quotes",
    "’": "straight quotes",
    "~": "matches",
}


@dataclass(frozen=True, slots=True)
class Token:
    """`text` as it stands there; `value` of a number or a quoted text. `end`: the last one, which is empty."""

    kind: Literal["word", "number", "text", "mark", "end"]
    text: str
    column: int
    value: Any = None


def tokens(text: str) -> list[Token]:
    """All of them, and an end.

    Raises:
        ExpressionInvalid: something that none of them begins with, a quote that isn't closed, too long a text.
    """
    if len(text) > LONGEST:
        raise ExpressionInvalid(f"an expression has at most {LONGEST} characters", text, LONGEST)
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unknown(text, at)
        shown = match[0]
        if match.lastgroup == "number":
            found.append(Token("number", shown, at, _number(shown, text, at)))
        elif match.lastgroup == "text":
            found.append(Token("text", shown, at, _ESCAPED.sub(lambda m: _MEANING.get(m[1], m[1]), shown[1:-1])))
        elif match.lastgroup == "word":
            found.append(Token("word", shown, at))
        elif match.lastgroup == "mark":
            found.append(Token("mark", shown, at))
        at = match.end()
    found.append(Token("end", "", len(text)))
    return found


def _number(shown: str, text: str, at: int) -> int | float:
    if len(shown) > 300:
        raise ExpressionInvalid("a number of more than 300 digits", text, at)
    number = float(shown) if set(shown) & set(".eE") else int(shown)
    if number in (float("inf"), float("-inf")):
        raise ExpressionInvalid("a number that is too large", text, at)
    return number


def _unknown(text: str, at: int) -> ExpressionInvalid:
    char = text[at]
    if char in "\"'":
        return ExpressionInvalid("this quote is never closed", text, at)
    meant = _MEANT.get(char)
    if meant is not None:
        return ExpressionInvalid(f"{char!r} means nothing here", text, at, hint=f"did you mean {meant}?")
    if char.isdigit() or (char == "-" and text[at + 1 : at + 2].isdigit()):
        return ExpressionInvalid(
            "no number, and no name", text, at, hint="names that begin with a digit stand in quotes"
        )
    return ExpressionInvalid(
        f"{char!r} means nothing here", text, at, hint="names with such characters stand in quotes"
    )
