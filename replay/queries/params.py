"""The parameters of a query, read off the signature of its function: name, type, default, and a sentence on each.

    def show(library: Library, cassette: Annotated[str, Say("which one")], limit: Annotated[int, Say("how many")] = 50)

A door hands over what a client sent: JSON values, or texts where it has nothing else (a URL). Both are checked here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from replay.model.errors import QueryInvalid
from replay.model.visible import one_line

Type = Literal["text", "texts", "number", "switch"]

_TYPES: Final[Mapping[Any, Type]] = {str: "text", tuple[str, ...]: "texts", int: "number", bool: "switch"}
_SCHEMA: Final[Mapping[Type, dict[str, Any]]] = {
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "number": {"type": "integer"},
    "switch": {"type": "boolean"},
}
_SWITCH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Say:
    """What a parameter means; of a number: from where to where it goes; of a text: what it may be."""

    about: str
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. `required`: it has no default."""

    name: str
    type: Type
    say: Say
    required: bool
    default: Any

    def schema(self) -> dict[str, Any]:
        """As JSON Schema has it."""
        found: dict[str, Any] = {**_SCHEMA[self.type], "description": self.say.about}
        more = {"minimum": self.say.least, "maximum": self.say.most, "enum": list(self.say.choices) or None}
        found |= {key: value for key, value in more.items() if value is not None}
        return found if self.required or self.default is None else {**found, "default": _plain(self.default)}

    def read(self, given: Any) -> Any:
        """What was given, as its type. Raises QueryInvalid."""
        value = self._typed(given)
        if isinstance(value, str) and self.say.choices and value not in self.say.choices:
            self._wrong(given, f"one of {', '.join(self.say.choices)}")
        if isinstance(value, int) and not _within(value, self.say):
            self._wrong(given, _range(self.say))
        return value

    def _typed(self, given: Any) -> Any:
        match self.type:
            case "text" if isinstance(given, str) and len(given) <= _LONGEST:
                return given
            case "texts":
                each = given.split(",") if isinstance(given, str) else given
                if isinstance(each, (list, tuple)) and all(isinstance(one, str) for one in each):  # pyright: ignore[reportUnknownVariableType]
                    return tuple(each)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            case "number" if isinstance(given, int) and not isinstance(given, bool):
                return given
            case "number" if isinstance(given, str) and given.lstrip("-").isdecimal() and len(given) < 19:
                return int(given)
            case "switch" if isinstance(given, bool):
                return given
            case "switch" if isinstance(given, str) and given.lower() in _SWITCH:
                return _SWITCH[given.lower()]
            case _:
                pass
        return self._wrong(given, {"text": "a text", "texts": "a list of texts", "number": "a whole number"}.get(
            self.type, "true or false"))  # fmt: skip

    def _wrong(self, given: Any, wanted: str) -> Any:
        raise QueryInvalid(f"{self.name} is {one_line(repr(given), 60)}", hint=f"it has to be {wanted}")


def params(function: Callable[..., Any]) -> tuple[Param, ...]:
    """Those of a query's function, without its first one, which is the library."""
    hints = get_type_hints(function, include_extras=True)
    _, *rest = inspect.signature(function).parameters.values()
    return tuple(_param(each, hints[each.name]) for each in rest)


def _param(found: inspect.Parameter, hint: Any) -> Param:
    type_, say = get_args(hint)
    if get_origin(type_) in (Union, UnionType):
        type_ = next(each for each in get_args(type_) if each is not NoneType)
    required = found.default is inspect.Parameter.empty
    return Param(found.name, _TYPES[type_], say, required, None if required else found.default)


def _within(value: int, say: Say) -> bool:
    return (say.least is None or value >= say.least) and (say.most is None or value <= say.most)


def _range(say: Say) -> str:
    return f"{say.least} or more" if say.most is None else f"from {say.least} to {say.most}"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
