"""The one place where msgpack is imported: the package has no type information, so it gets its types here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]


class Packer(Protocol):
    """What this package uses of `msgpack.Packer`."""

    def pack(self, obj: object, /) -> bytes: ...


_module: Any = msgpack

Ext: type[Any] = _module.ExtType
ext = cast("Callable[[int, bytes], object]", _module.ExtType)

BAD_INPUT: tuple[type[Exception], ...] = (
    _module.exceptions.UnpackException,
    _module.exceptions.ExtraData,
    ValueError,
    TypeError,  # a list as the key of a map
    OverflowError,
    MemoryError,
    RecursionError,
    ArithmeticError,  # a decimal that is none
    LookupError,  # a path of an unknown flavour
    AttributeError,  # a map where a list is due
)
"""Whatever `unpack` raises for bytes that aren't one well-formed value."""


def packer(default: Callable[[object], object]) -> Packer:
    """A packer that hands everything but the exact built-in types to `default`.

    `surrogatepass`, because names of files come with lone surrogates out of `os.fsdecode`; it costs nothing measurable.
    """
    return cast(
        "Packer",
        _module.Packer(default=default, strict_types=True, unicode_errors="surrogatepass", buf_size=4096),
    )


def unpack(data: bytes | memoryview, ext_hook: Callable[[int, bytes], object]) -> Any:
    """One value out of `data`; raises one of BAD_INPUT. Lengths are bounded by `len(data)`, depth by the library."""
    return _module.unpackb(data, ext_hook=ext_hook, strict_map_key=False, unicode_errors="surrogatepass")


def a_list(value: Any) -> list[Any]:
    """`value`; raises TypeError if it's anything but a list."""
    if not isinstance(value, list):
        raise TypeError("a list is due here")
    return value  # pyright: ignore[reportUnknownVariableType]


def plain(value: object) -> bytes:
    """The bytes of a value of msgpack's own types."""
    return cast("bytes", _module.packb(value, unicode_errors="surrogatepass"))


def unplain(data: bytes, *, int_keys: bool = False) -> Any:
    """The opposite of `plain`; raises one of BAD_INPUT."""
    return _module.unpackb(data, unicode_errors="surrogatepass", strict_map_key=not int_keys)
