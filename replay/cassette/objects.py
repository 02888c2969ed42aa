"""Objects of named classes -> inert records. Reads attributes; calls nothing but `str()` of an exception and codecs."""

from __future__ import annotations

import enum
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from types import MemberDescriptorType
from typing import Any, Final, NamedTuple

from replay.cassette import arrays
from replay.cassette.named import Form, Named
from replay.model.errors import NotStorable, UsageError

_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement

_WHOLE = slice(None)
_READ: Final[dict[type, Callable[[Any], object]]] = {
    dict: lambda value: dict(dict[Any, Any].items(value)),
    OrderedDict: lambda value: dict(OrderedDict[Any, Any].items(value)),
    defaultdict: lambda value: dict(dict[Any, Any].items(value)),
    list: lambda value: list(list[Any].__iter__(value)),
    tuple: lambda value: tuple(tuple[Any].__iter__(value)),
    set: lambda value: set(set[Any].__iter__(value)),
    frozenset: lambda value: frozenset(frozenset[Any].__iter__(value)),
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: lambda value: bytes.__getitem__(value, _WHOLE),
    bytearray: lambda value: bytes(memoryview(value)),
}
"""The content of a subclass as the built-in type."""

FACTORIES: Final[dict[str, Callable[[], Any]]] = {
    t.__name__: t for t in (dict, list, str, int, float, bytes, bytearray, tuple, set, frozenset, bool)
}
"""Default factories of a defaultdict that can be stored, by name."""

EXCEPTION_ATTRS: Final[dict[type[BaseException], tuple[str, ...]]] = {
    OSError: ("errno", "strerror", "filename", "filename2"),
    StopIteration: ("value",),
    SystemExit: ("code",),
    ImportError: ("msg", "name", "path"),
    SyntaxError: ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset"),
    UnicodeError: ("encoding", "object", "start", "end", "reason"),
    AttributeError: ("name",),
    NameError: ("name",),
}
"""What built-in exceptions keep outside `args` and `__dict__`."""


class Codec(NamedTuple):
    """How the objects of one class become storable values and back."""

    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_by_type: dict[type, Codec] = {}
_by_name: dict[str, Codec] = {}


def register_codec(
    type_: type, *, encode: Callable[[Any], Any], decode: Callable[[Any], Any], name: str | None = None
) -> None:
    """Makes the objects of `type_` (exactly, not of its subclasses) storable. `replay.codec` is this function.

    Args:
        encode: object -> value of the closed set.
        decode: that value -> an equal object. Called when a value is revived, never when a cassette is only read.
        name: what stands in the cassette; `module.qualname` by default. Keep it when the class moves.

    Raises:
        UsageError: the name belongs to another class already.

    Example:
        >>> register_codec(complex, encode=lambda c: [c.real, c.imag], decode=lambda v: complex(*v), name="complex")
    """
    codec = Codec(name or f"{type_.__module__}.{type_.__qualname__}", encode, decode)
    old = _by_name.get(codec.name)
    if old is not None and _by_type.get(type_) is not old:
        raise UsageError(f"a codec named {codec.name!r} is registered for another class", hint="give it another name=")
    _by_type[type_] = _by_name[codec.name] = codec


def codec_named(name: str) -> Codec | None:
    """The codec that stands in a cassette under `name`, if this process registered one."""
    return _by_name.get(name) or _of_numpy(name)


def _of_numpy(name: str | None) -> Codec | None:
    ways = arrays.codec(name)
    return None if name is None or ways is None else Codec(name, *ways)


class_of: Callable[[object], type] = type
"""`type`, for type checkers that narrow the result to a class of unknown parameters."""


def static_base(cls: type) -> type:
    """The nearest base class that is written in C: its `__new__` and `__init__` run no code of the user's.

    Some of these are made as class statements make theirs (`defaultdict`, from CPython 3.12 on).
    """
    return next(base for base in cls.__mro__ if base in _READ or not base.__flags__ & _HEAP_TYPE)


def describe(value: object, part: Callable[[object], object]) -> Named | None:
    """The inert record of `value`, one level deep; None where its class is none of the storable ones.

    Args:
        part: turns a part of an exception into something storable: itself, or an opaque record where it isn't, because
            half an error beats none.
    """
    cls = type(value)
    codec = _by_type.get(cls) or _of_numpy(arrays.name_of(cls))
    if codec is not None:
        return Named("", codec.name, "codec", _encoded(codec, value))
    if isinstance(value, Named):
        return value
    found = _describe(value, cls, part)
    if found is None:
        return None
    form, state = found
    return Named(cls.__module__, cls.__qualname__, form, state)


def _encoded(codec: Codec, value: object) -> object:
    try:
        return codec.encode(value)
    except NotStorable:
        raise
    except Exception as error:  # the user's code: whatever it raises, the value just can't be stored
        cls = type(value)
        hint = f"its codec {codec.name!r} failed: {type(error).__name__}: {error}"
        raise NotStorable(f"{cls.__module__}.{cls.__qualname__}", hint=hint) from error


def _describe(value: Any, cls: type, part: Callable[[object], object]) -> tuple[Form, Any] | None:
    if isinstance(value, enum.Enum):
        return "enum", [value._name_, value._value_]
    if isinstance(value, BaseException):
        return "exception", _exception(value, cls, part)
    if isinstance(value, type):
        return None
    if hasattr(cls, "__dataclass_fields__"):
        return "dataclass", _fields(value, cls)
    if "__pydantic_fields_set__" in dir(cls):
        return "pydantic", _pydantic(value)
    fields: tuple[str, ...] | None = getattr(cls, "_fields", None)
    if fields is not None and issubclass(cls, tuple):
        items: Any = tuple
        return "namedtuple", dict(zip(fields, items.__iter__(value), strict=True))
    return _subclass(value, cls)


def _subclass(value: Any, cls: type) -> tuple[Form, Any] | None:
    """A subclass of a built-in type that keeps its content there: OrderedDict, defaultdict, Counter, `class Id(str)`.

    Its content is read through the built-in's own methods: the subclass may override them.
    """
    base = static_base(cls)
    read = _READ.get(base)
    if read is None:
        return None
    factory = _factory(value.default_factory) if issubclass(base, defaultdict) else None
    return "subclass", [read(value), _attributes(value), factory]


def _factory(factory: Any) -> str | None:
    """The name of a defaultdict's default factory. Raises NotStorable for any but a built-in type."""
    if factory is None:
        return None
    name = getattr(factory, "__name__", "")
    if FACTORIES.get(name) is not factory:
        raise NotStorable("function", "its default_factory", hint="use a built-in type as the default_factory")
    return str(name)


def _fields(value: Any, cls: type) -> dict[str, Any]:
    """What an instance of a dataclass holds itself, fields first: not defaults that only its class has."""
    held = _attributes(value)
    fields: Any = sys.modules["dataclasses"].fields  # imported by whoever made the class
    for name in (f.name for f in reversed(fields(value))):
        if name in held:
            held = {name: held.pop(name), **held}
        elif isinstance(getattr(cls, name, None), MemberDescriptorType) and hasattr(value, name):
            held = {name: getattr(value, name), **held}
    return held


def _attributes(value: object) -> dict[str, Any]:
    return dict(getattr(value, "__dict__", {}))


def _pydantic(value: object) -> dict[str, Any]:
    return {
        "dict": _attributes(value),
        "fields_set": getattr(value, "__pydantic_fields_set__", None),
        "extra": getattr(value, "__pydantic_extra__", None),
        "private": getattr(value, "__pydantic_private__", None),
    }


def _exception(error: BaseException, cls: type, part: Callable[[object], object]) -> dict[str, Any]:
    attrs: dict[str, object] = {}
    for base, names in EXCEPTION_ATTRS.items():
        if issubclass(cls, base):
            attrs.update((name, part(getattr(error, name, None))) for name in names)
    state: dict[str, Any] = {
        "args": tuple(part(arg) for arg in error.args),
        "text": _text(error),
        "dict": {key: part(item) for key, item in error.__dict__.items() if key != "__notes__"},
        "attrs": {name: item for name, item in attrs.items() if item is not None},
        "suppress": error.__suppress_context__,
    }
    if error.__cause__ is not None:  # a ring of causes ends at the codec's limit of depth
        state["cause"] = part(error.__cause__)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        state["notes"] = [note for note in notes if isinstance(note, str)]  # pyright: ignore[reportUnknownVariableType]
    return state


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a broken __str__ of the user's must not cost the event
        return ""
