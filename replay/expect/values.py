"""Values of recordings: looked up by a path, compared with literals. Total, with three answers: true, false, None.

A value may be *unknown* (the recording doesn't have it), or only its beginning is known. None says that it can't be
decided; a reason goes with it.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from numbers import Number
from typing import Any, Final

from replay.cassette.named import Named, text_of
from replay.expect.pattern import compiled
from replay.expect.syntax import Step
from replay.model.pseudonym import PSEUDONYM

Answer = tuple[bool | None, str]
"""What holds, and why it can't be decided."""


class Absent(Enum):
    """MISSING: it isn't there. The others may be there: UNKNOWN wasn't recorded, LEFT_OUT is an argument's default."""

    MISSING = "is missing"
    UNKNOWN = "isn't known"
    LEFT_OUT = "was left out: its default isn't known"


@dataclass(frozen=True, slots=True)
class Beginning:
    """A text of which more may come."""

    text: str


_SECRET: Final = re.compile(PSEUDONYM)
_HIDDEN = "a secret was replaced in it"


def plain(value: Any) -> Any:
    """One level of a storable value as a path sees it: mappings, lists, texts, numbers, true, false, null."""
    if isinstance(value, Named):
        state = value.state
        match value.form:
            case "dataclass" | "namedtuple" | "codec":
                return plain(state)
            case "enum" | "subclass":
                at = 1 if value.form == "enum" else 0
                return plain(state[at]) if isinstance(state, (list, tuple)) and len(state) > at else None
            case "pydantic":
                return state.get("dict") if isinstance(state, dict) else None
            case "exception":
                return text_of(value)
            case _:
                return Absent.UNKNOWN
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, (str, Number, list, Mapping, Absent, Beginning)):
        return value
    return str(value)


def deep(value: Any) -> Any:
    """All levels of a storable value, as Python compares and shows them.

    Example:
        >>> deep({"at": (1, {"b"})})
        {'at': [1, ['b']]}
    """
    value = plain(value)
    if isinstance(value, Mapping):
        return {key: deep(item) for key, item in value.items()}
    return [deep(item) for item in value] if isinstance(value, list) else value


def walk(value: Any, path: tuple[Step, ...]) -> Any:
    """What stands at that path inside `value`; an `Absent` where nothing does. A text that is JSON is no structure.

    Example:
        >>> walk({"items": [{"name": "tea"}]}, ("items", 0, "name"))
        'tea'
    """
    value = plain(value)
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step, value.get(str(step), Absent.MISSING))
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        elif not isinstance(value, Absent):
            return Absent.MISSING
        value = plain(value)
    return value


def compare(value: Any, operator: str, literal: Any) -> Answer:
    """Whether that value stands in that relation to the literal.

    Example:
        >>> compare("refunded twice", "contains", "twice"), compare("12", "<", 13)
        ((True, ''), (None, 'a text is not compared with a number'))
    """
    if value is Absent.MISSING:
        value = None
        if operator == "":
            return False, ""
    if value is Absent.LEFT_OUT and operator == "":
        return False, ""
    if isinstance(value, Absent):
        return None, value.value
    if isinstance(value, Beginning):
        return _of_beginning(value.text, operator, literal)
    found = _OPERATORS[operator](value, literal)
    if found[0] is (operator == "!=") and isinstance(value, str) and isinstance(literal, (str, tuple)):
        hidden = _SECRET.search(value) if operator in ("==", "!=", "in") else _SECRET.fullmatch(value)
        return (None, _HIDDEN) if hidden and operator not in ("<", "<=", ">", ">=") else found
    return found


def _of_beginning(text: str, operator: str, literal: Any) -> Answer:
    more = "only its beginning is known"
    if operator == "":
        return (True, "") if text else (None, more)
    if not isinstance(literal, str):
        literal = _as_text(literal)
    if operator == "contains" and literal in text:
        return True, ""
    if operator == "matches" and compiled(literal).found_in_any_that_begins(text):
        return True, ""
    if operator == "starts with" and (text.startswith(literal) or not literal.startswith(text)):
        return text.startswith(literal), ""
    if operator in ("==", "!=") and not literal.startswith(text):
        return operator == "!=", ""
    return None, more


def _equal(value: Any, literal: Any) -> Answer:
    return _same(value, literal), ""


def _same(value: Any, literal: Any) -> bool:
    """Numbers by their worth; true isn't 1."""
    if isinstance(value, bool) or isinstance(literal, bool):
        return value is literal
    if isinstance(value, Number) or isinstance(literal, Number):
        return isinstance(value, Number) and isinstance(literal, Number) and value == literal
    return bool(value == literal)


def _wanted(literal: Any) -> Any:
    """As `deep`, but for what compares itself, which stays as it is."""
    if isinstance(literal, dict):
        return {key: _wanted(item) for key, item in literal.items()}
    return [_wanted(item) for item in literal] if isinstance(literal, (list, tuple)) else literal


def _asked(test: Callable[[Any, Any], object]) -> Callable[[Any, Any], Answer]:
    """What Python code says of it; where that fails, nobody knows."""

    def ask(value: Any, literal: Any) -> Answer:
        try:
            return bool(test(deep(value), literal)), ""
        except Exception as error:
            return None, f"{_name_of(literal)} raised {type(error).__name__}: {error}"

    return ask


def _name_of(literal: Any) -> str:
    return str(getattr(literal, "__name__", literal))


def _one_of(value: Any, literal: Any) -> Answer:
    return any(_same(value, item) for item in literal), ""


def _there(value: Any, _: Any) -> Answer:
    """It is there, and says something: neither null, false, nor empty. The number 0 says something."""
    return not (value is None or value is False or (isinstance(value, (str, list, Mapping)) and not value)), ""


def _contains(value: Any, literal: Any) -> Answer:
    """Of a text: a part of it. Of a structure: a key, a text or a value anywhere in it."""
    waiting, seen = [value], 0
    while waiting and seen < 1_000_000:
        item = plain(waiting.pop())
        seen += 1
        if isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            if _as_text(literal) in item:
                return True, ""
        elif _same(item, literal):
            return True, ""
    return (None, "it is too large") if waiting else (False, "")


def _in_text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], Answer]:
    def compare_text(value: Any, literal: Any) -> Answer:
        if isinstance(value, (list, Mapping)):
            return None, f"{_kind(value)} is no text"
        return value is not None and test(_as_text(value), literal), ""

    return compare_text


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Answer]:
    def compare_order(value: Any, literal: Any) -> Answer:
        if value is None:
            return False, ""
        if _kind(value) != _kind(literal) or _kind(value) not in ("a number", "a text"):
            return None, f"{_kind(value)} is not compared with {_kind(literal)}"
        try:
            return bool(test(value, literal)), ""
        except (TypeError, ArithmeticError):  # complex numbers, decimals that are none
            return None, f"{value} has no order"

    return compare_order


_OPERATORS: Final[dict[str, Callable[[Any, Any], Answer]]] = {
    "": _there,
    "==": _equal,
    "!=": lambda value, literal: (not _same(value, literal), ""),
    "in": _one_of,
    "equals": _asked(lambda value, literal: value == _wanted(literal)),
    "is a": _asked(isinstance),
    "satisfies": _asked(lambda value, literal: literal(value)),
    "contains": _contains,
    "matches": _in_text(lambda text, found: compiled(found).found_in(text)),
    "starts with": _in_text(str.startswith),
    "ends with": _in_text(str.endswith),
    "<": _ordered(lambda one, other: one < other),
    "<=": _ordered(lambda one, other: one <= other),
    ">": _ordered(lambda one, other: one > other),
    ">=": _ordered(lambda one, other: one >= other),
}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, Number):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def _as_text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, str) else str(value) if isinstance(value, Decimal) else repr(value)
