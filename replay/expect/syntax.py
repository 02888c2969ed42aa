"""What an expectation is made of: frozen data, and its text. `parse(show(expression)) == expression`.

A *claim* is about a run (`Count`, `Every`, `Fact`, `Raises`, `Compare`), a *condition* about one event (`Compare`).
Both are combined by `And`, `Or` and `Not`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

KINDS: Final = (
    *("tool", "asked", "llm", "memory", "http", "mcp", "db", "grpc", "file", "process", "connection"),
    *("agent", "effect", "gap", "event"),
)
"""What can be selected; `asked` are tool calls that models asked for, `effect` is what changed the world."""

ALIASES: Final = {"model": "llm"}

VALUES: Final = (
    *("exit", "output", "stdout", "stderr", "exception", "result"),
    *("program", "name", "id", "created", "status", "tags", "git", "tokens", "took", "blind_spots", "gaps"),
)
"""What is known of a run as a whole."""

FACTS: Final = ("identical", "diverged", "escaped", "drifted", "finished")

OPERATORS: Final = ("==", "!=", "<=", ">=", "<", ">", "contains", "matches", "starts with", "ends with", "in")

FROM_PYTHON: Final = ("equals", "is a", "satisfies")
"""Operators that no text has: values that compare themselves, classes, functions (`replay.testing`)."""

WORDS: Final = frozenset(
    "and or not called at most least exactly between once twice times never no every has after before by raises "
    "contains matches starts ends with in true false null".split()
)
"""Words with a meaning: a name that is one of them stands in quotes."""

Step = str | int


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of two or more."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    item: Expression


@dataclass(frozen=True, slots=True)
class Compare:
    """A value at a path, compared. `operator`: one of OPERATORS, or empty: it is there, and neither false nor empty."""

    path: tuple[Step, ...]
    operator: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True)
class Select:
    """Events: of a kind, of a name (`*` stands for anything; None: any), for which `where` holds.

    `order`: only those that began after, or before, another event.
    """

    kind: str
    name: str | None = None
    where: Expression | None = None
    order: tuple[Literal["after", "before"], Select] | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """So many events, both ends included; None: any number."""

    events: Select
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Every:
    """Each of the events has that; or came after, or before, one of the others."""

    events: Select
    has: Expression | None = None
    order: tuple[Literal["after", "before"], Select] | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One of FACTS: what a re-execution came to."""

    name: str


@dataclass(frozen=True, slots=True)
class Raises:
    """An exception ended the program, of that class (its name, with or without its module) or any."""

    name: str | None = None


Expression = And | Or | Not | Compare | Count | Every | Fact | Raises

_PLAIN: Final = re.compile(r"[^\W\d][\w-]*")
_NAME: Final = re.compile(r"(?:[^\W\d]|\*)[\w*-]*(?:[./:][\w*-]+)*")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def show(expression: Expression) -> str:
    """Its text, with as few parentheses as it needs.

    Example:
        >>> show(Not(Count(Select("tool", "refund"), 2, None)))
        'not tool refund called at least 2'
    """
    match expression:
        case And(items):
            return " and ".join(f"({show(item)})" if isinstance(item, (And, Or)) else show(item) for item in items)
        case Or(items):
            return " or ".join(f"({show(item)})" if isinstance(item, Or) else show(item) for item in items)
        case Not(item):
            return f"not ({show(item)})" if isinstance(item, (And, Or)) else f"not {show(item)}"
        case Compare(path, operator, value):
            return show_path(path) + (f" {operator} {_literal(value)}" if operator else "")
        case Count(events, least, most):
            return _select(events) + _count(least, most)
        case Every(events, None, order):
            return f"every {_select(events)}{_order(order)}"
        case Every(events, has):
            assert has is not None
            return f"every {_select(events)} has ({show(has)})"
        case Fact(name):
            return name
        case Raises(name):
            return "raises" if name is None else f"raises {_name(name)}"


def show_path(path: tuple[Step, ...]) -> str:
    """Such as `items[0].name`; a key that is no word stands in quotes."""
    first, *rest = path
    text = str(first)
    for step in rest:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if _PLAIN.fullmatch(step) else f"[{_literal(step)}]"
    return text


def _select(events: Select) -> str:
    text = events.kind if events.name is None else f"{events.kind} {_name(events.name)}"
    if events.where is not None:
        text += f"({show(events.where)})"
    return text + _order(events.order)


def _order(order: tuple[str, Select] | None) -> str:
    return "" if order is None else f" {order[0]} {_select(order[1])}"


def _count(least: int, most: int | None) -> str:
    if (least, most) == (1, None):
        return ""
    if most is None:
        return f" called at least {least}"
    if most == 0:
        return " never called"
    if least == most:
        return f" called exactly {least}"
    return f" called at most {most}" if least == 0 else f" called between {least} and {most}"


def _name(name: str) -> str:
    return name if _NAME.fullmatch(name) and name not in WORDS else _literal(name)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(char, char) for char in value) + '"'
    if isinstance(value, tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"  # pyright: ignore[reportUnknownVariableType]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return (
        str(value.__name__)
        if isinstance(value, type) or (callable(value) and hasattr(value, "__name__"))
        else repr(value)
    )
