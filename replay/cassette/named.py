"""Inert records: what objects of named classes are, once they are in a cassette."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

Form = Literal[
    "enum",
    "dataclass",
    "namedtuple",
    "exception",
    "pydantic",
    "subclass",
    "codec",
    "opaque",
]
"""How the state of a Named is to be read:

| form | state |
|---|---|
| enum | [name or None, value] |
| dataclass | {field: value} |
| namedtuple | {field: value}, in order |
| exception | {"args": tuple, "text": str(exception), "dict": {…}, "attrs": {…}, "suppress": bool, …cause, …notes, …} |
| pydantic | {"dict": {…}, "fields_set": set or None, "extra": {…} or None, "private": {…} or None} |
| subclass | [value as the built-in type, {attribute: value}, default factory of a defaultdict or None] |
| codec | what the codec's `encode` returned; module is empty, qualname the name of the codec |
| opaque | None: an object that wasn't storable, inside an exception |
"""

FORMS: Final[frozenset[str]] = frozenset(get_args(Form))


class Named:
    """An object of a class that isn't built in: its module, its qualified name and its state. Executes nothing.

    `revive` makes a real object of it, if the class is imported. Equal where all four fields are; hashable, because
    enum members and frozen dataclasses are keys of dicts.

    Example:
        >>> Named("shop", "Order", "dataclass", {"id": 7})
        Named('shop', 'Order', 'dataclass', {'id': 7})
    """

    __slots__ = ("form", "module", "qualname", "state")

    def __init__(self, module: str, qualname: str, form: Form, state: Any) -> None:
        self.module = module
        self.qualname = qualname
        self.form: Form = form
        self.state = state

    @property
    def type_name(self) -> str:
        """`module.qualname`, as it stands in the source."""
        return f"{self.module}.{self.qualname}" if self.module else self.qualname

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Named):
            return NotImplemented
        return (self.module, self.qualname, self.form, self.state) == (
            other.module,
            other.qualname,
            other.form,
            other.state,
        )

    def __hash__(self) -> int:
        return hash((self.module, self.qualname, self.form))  # the state may be a dict

    def __repr__(self) -> str:
        return f"Named({self.module!r}, {self.qualname!r}, {self.form!r}, {self.state!r})"


class RemoteError(Exception):
    """Stands in for a recorded exception whose class isn't imported here.

    Attributes:
        recorded: the inert record of the original.

    Example:
        >>> str(RemoteError(Named("shop", "Sold", "exception", {"args": (7,), "text": "7"})))
        'shop.Sold: 7 (recorded; shop.Sold is not imported here)'
    """

    def __init__(self, recorded: Named) -> None:
        name = recorded.type_name
        super().__init__(f"{name}: {text_of(recorded)} (recorded; {name} is not imported here)")
        self.recorded = recorded


class Opaque:
    """Stands in for a part of a recorded exception that wasn't storable; knows only its type."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name}, not recorded>"


def text_of(recorded: Named) -> str:
    """The message of a recorded exception; empty for anything else."""
    state = recorded.state
    text = state.get("text") if isinstance(state, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return text if isinstance(text, str) else ""
