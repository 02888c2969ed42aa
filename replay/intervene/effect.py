"""What is looked for in what the model answers: the same call, with the arguments in question. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from replay.forensics.text import plain
from replay.forensics.trail import last_name
from replay.forensics.values import Value, values
from replay.forensics.why import Explained
from replay.model.errors import UsageError

Asked = tuple[str, Any]
"""A call: its name and arguments."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A call of that name with those values, whatever its other arguments are.

    Example:
        >>> effect = Effect("send_money", (Value("recipient", "US133"),))
        >>> effect.is_in([("bank.send_money", {"recipient": "us133", "subject": "Hi"})])
        True
    """

    name: str
    arguments: tuple[Value, ...] = ()

    def is_in(self, calls: Iterable[Asked]) -> bool:
        """Whether one of the calls is this one."""
        return any(self._is(name, arguments) for name, arguments in calls)

    def _is(self, name: str, arguments: Any) -> bool:
        if last_name(name) != last_name(self.name):
            return False
        given = {each.argument: each.text for each in values(arguments)}
        return all(_same(each.text, given.get(each.argument)) for each in self.arguments)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{each.argument}={_bare(each.text)}' for each in self.arguments)})"


def effect(one: Explained, named: Collection[str] = ()) -> Effect:
    """The call that is explained.

    Args:
        named: arguments in question; none: those whose values stand in something that the model had read.

    Raises:
        UsageError: it has no such argument.
    """
    given = [each for each in one.call.values if not named or _top(each.argument) in named or each.argument in named]
    for name in named:
        if not any(name in (_top(each.argument), each.argument) for each in given):
            has = ", ".join(dict.fromkeys(_top(each.argument) for each in one.call.values)) or "none"
            raise UsageError(f"{one.call.name} wasn't given an argument {name}", hint=f"it has {has}")
    if not named:
        stand = {
            each.argument
            for cause in one.causes
            for each in cause.evidence
            if each.kind == "value" and each.how in ("exact", "normalised")
        }
        given = [each for each in given if each.argument in stand]
    return Effect(one.call.name, tuple(given))


def shown(calls: Iterable[Asked], text: str) -> str:
    """What a model did, in one line: its calls, or its words where it made none."""
    made = "; ".join(dict.fromkeys(_call(*each) for each in calls))
    return made or (f"no call: {text.strip()}" if text.strip() else "no call, and nothing said")


def _call(name: str, arguments: Any) -> str:
    if isinstance(arguments, dict):
        return f"{name}({', '.join(_given(arguments))})"  # pyright: ignore[reportUnknownArgumentType]
    return f"{name}({'' if arguments is None else arguments})"


def _given(arguments: dict[Any, Any]) -> Iterator[str]:
    for key, value in arguments.items():
        try:
            yield f"{key}={json.dumps(value, ensure_ascii=False)}"
        except (TypeError, ValueError, RecursionError):
            yield f"{key}={value!r}"


def _bare(text: str) -> str:
    """A number as such, anything else quoted."""
    return text if re.fullmatch(r"-?\d+(\.\d+)?", text) else repr(text)


def _same(wanted: str, given: str | None) -> bool:
    if given is None:
        return False
    try:
        return float(wanted) == float(given)
    except ValueError:
        return wanted == given or (bool(plain(wanted)) and plain(wanted) == plain(given))


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]
