"""Inert records -> real objects, of classes that this process has imported already. Imports nothing, runs no
`__init__`.

What does run: the `decode` of a registered codec, `__new__` and `__init__` of base classes written in C, and
`__hash__` / `__eq__` of revived objects that are keys. A module's `__getattr__` (which may import) is not asked.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum, Flag
from typing import Any, Final, cast

from replay.cassette import traces
from replay.cassette.codec import Decoder
from replay.cassette.named import Named, Opaque, RemoteError
from replay.cassette.objects import EXCEPTION_ATTRS, FACTORIES, class_of, codec_named, static_base


def revive(value: Any, stand_ins: list[Named] | None = None) -> Any:
    """`value` with every `Named` inside it made a real object, where its class is imported; a new value, deep.

    A record whose class isn't imported, or whose state doesn't fit it, stays a `Named`; of an exception it becomes a
    `RemoteError`, which can be raised.

    Args:
        stand_ins: gets the records that stayed such.

    Example:
        >>> revive(unpack(pack(ValueError("no"))))
        ValueError('no')
    """
    rebuild = _CONTAINERS.get(class_of(value))
    if rebuild is not None:
        return rebuild(value, stand_ins)
    if type(value) is Named:
        made = make(Named(value.module, value.qualname, value.form, revive(value.state, stand_ins)))
        if stand_ins is not None and isinstance(made, (Named, RemoteError)):
            stand_ins.append(value)
        return made
    return value


_CONTAINERS: Final[dict[type, Callable[[Any, list[Named] | None], Any]]] = {
    dict: lambda value, told: {revive(key, told): revive(item, told) for key, item in value.items()},
    list: lambda value, told: [revive(item, told) for item in value],
    tuple: lambda value, told: tuple(revive(item, told) for item in value),
    set: lambda value, told: {revive(item, told) for item in value},
    frozenset: lambda value, told: frozenset(revive(item, told) for item in value),
}


def make(named: Named) -> Any:
    """One record whose state is revived already."""
    if named.form == "codec":
        codec = codec_named(named.qualname)
        return named if codec is None else codec.decode(named.state)
    if named.form == "opaque":
        return Opaque(named.type_name)
    cls = imported(named.module, named.qualname)
    try:
        return _MAKERS[named.form](cls, named.state) if cls is not None else _stand_in(named)
    except _Unfit:
        return _stand_in(named)
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
    ):  # the state of another version of the class, or a forged one
        return _stand_in(named)


LIVE: Final = Decoder(make)


def unpack_live(data: bytes | memoryview) -> Any:
    """`revive(unpack(data))` in one pass.

    Raises:
        CassetteDamaged: not one whole value.
    """
    return LIVE.unpack(data)


def imported(module: str, qualname: str) -> type | None:
    """The class of that name, if its module is imported and has it."""
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    return found if isinstance(found, type) else None


class _Unfit(Exception):
    """The class isn't of the form that was recorded."""


def _need(fits: bool) -> None:
    if not fits:
        raise _Unfit


def _is(cls: type, base: type) -> bool:
    return issubclass(cls, base)


def _stand_in(named: Named) -> object:
    return RemoteError(named) if named.form == "exception" else named


def _enum(cls: Any, state: Any) -> object:
    name, value = state
    _need(_is(cls, Enum))
    members: dict[str, object] = cls._member_map_
    if name in members:
        return members[name]
    _need(_is(cls, Flag) and type(value) is int)
    return cast("Any", Flag)._missing_.__func__(cls, value)  # a combination of flags


def _dataclass(cls: Any, state: Any) -> object:
    _need(is_dataclass(cls))
    base: Any = static_base(cls)
    made = base.__new__(cls)
    for name, value in state.items():
        object.__setattr__(made, name, value)
    return made


def _namedtuple(cls: Any, state: Any) -> object:
    _need(_is(cls, tuple) and getattr(cls, "_fields", None) == tuple(state))
    return static_base(cls).__new__(cls, state.values())


def _pydantic(cls: Any, state: Any) -> object:
    _need("__pydantic_fields_set__" in dir(cls))
    made: object = object.__new__(cls)
    object.__setattr__(made, "__dict__", state["dict"])
    for name in ("fields_set", "extra", "private"):
        object.__setattr__(made, f"__pydantic_{name}__", state[name])
    return made


def _fill_dict(cls: Any, plain: Any) -> Any:
    base: Any = static_base(cls)
    made = base.__new__(cls)
    for key, value in plain.items():
        base.__setitem__(made, key, value)
    return made


def _fill(cls: Any, plain: Any) -> Any:
    base: Any = static_base(cls)
    made = base.__new__(cls)
    base.__init__(made, plain)
    return made


def _new(cls: Any, plain: Any) -> Any:
    base: Any = static_base(cls)
    _need(type(plain) is base)
    return base.__new__(cls, plain)


_FILLS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    **dict.fromkeys((dict, OrderedDict, defaultdict), _fill_dict),
    **dict.fromkeys((list, set, bytearray), _fill),
    **dict.fromkeys((tuple, frozenset, str, int, float, bytes), _new),
}
"""How a subclass gets its content back, by its built-in type."""


def _subclass(cls: Any, state: Any) -> object:
    plain, attributes, factory = state
    made = _FILLS[static_base(cls)](cls, plain)
    if factory:
        made.default_factory = FACTORIES[factory]
    if attributes:
        made.__dict__.update(attributes)
    return made


def _exception(cls: Any, state: Any) -> object:
    _need(_is(cls, BaseException))
    base: Any = static_base(cls)
    args: tuple[Any, ...] = state["args"]
    made: Any = base.__new__(cls, *args)
    try:
        base.__init__(made, *args)
    except TypeError:  # a subclass with arguments of its own
        made.args = args
    for owner, names in EXCEPTION_ATTRS.items():
        for name in names if issubclass(cls, owner) else ():
            if name in state["attrs"]:
                setattr(made, name, state["attrs"][name])
    made.__dict__.update(state["dict"])
    cause = state.get("cause")
    if isinstance(cause, BaseException):
        made.__cause__ = cause
    traces.restore(made, state)
    made.__suppress_context__ = state["suppress"]
    for note in state.get("notes", ()):
        made.add_note(note)
    return made


_MAKERS: Final[dict[str, Callable[[Any, Any], object]]] = {
    "enum": _enum,
    "dataclass": _dataclass,
    "namedtuple": _namedtuple,
    "exception": _exception,
    "pydantic": _pydantic,
    "subclass": _subclass,
}
