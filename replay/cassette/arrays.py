"""numpy's arrays and numbers as values: dtype, shape, order and items. Their codecs exist once numpy is imported.

Objects in arrays, structured dtypes and subclasses (masked arrays, matrices) aren't stored: those need code of numpy's
or of others to be made again. Texts are stored as texts, so that secrets among them are found.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from replay.model.errors import NotStorable

ARRAY: Final = "numpy.ndarray"
SCALAR: Final = "numpy.generic"

_DTYPE: Final = re.compile(r"[<>|=]([biufcmM]|([SUV]))\d+(\[[^\]]+\])?")
"""Numbers, truth values, dates; texts and raw bytes of one width: what `dtype.str` says all about."""


def encode(value: Any) -> list[Any]:
    """[dtype, shape, order, may it be written to, items]; parts between its items are left out.

    Raises:
        NotStorable: its items aren't plain.
    """
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    said = _dtype(value)
    items = value.ravel(order).tolist() if _is_text(said) else value.tobytes(order)
    return [said, list(value.shape), order, value.flags.writeable, items]


def decode(numpy: Any, state: Any) -> Any:
    """An array of its own memory. Raises ValueError or TypeError for what `encode` doesn't make."""
    said, shape, order, writeable, items = state
    if min(shape, default=0) < 0:
        raise ValueError(f"no shape: {shape!r}")
    made = numpy.ndarray(tuple(shape), _checked(numpy, said), _raw(numpy, said, items), order=order).copy(order)
    made.flags.writeable = writeable
    return made


def encode_scalar(value: Any) -> list[Any]:
    """[dtype, item]. Raises NotStorable as `encode`."""
    said = _dtype(value)
    return [said, [value.tolist()] if _is_text(said) else value.tobytes()]


def decode_scalar(numpy: Any, state: Any) -> Any:
    """The number. Raises ValueError or TypeError for what `encode_scalar` doesn't make."""
    said, items = state
    return numpy.ndarray((), _checked(numpy, said), _raw(numpy, said, items))[()]


def name_of(cls: type) -> str | None:
    """The codec for that class; None where it isn't numpy's."""
    numpy = _numpy() if cls.__module__ == "numpy" else None
    if numpy is None:
        return None
    return ARRAY if cls is numpy.ndarray else SCALAR if issubclass(cls, numpy.generic) else None


def codec(name: str | None) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    """Encoder and decoder; None while numpy isn't imported."""
    numpy = _numpy() if name in (ARRAY, SCALAR) else None
    if numpy is None:
        return None
    return (encode, partial(decode, numpy)) if name == ARRAY else (encode_scalar, partial(decode_scalar, numpy))


def _numpy() -> Any:
    """numpy, if it is there and whole."""
    numpy: Any = sys.modules.get("numpy")
    return numpy if hasattr(numpy, "ndarray") and hasattr(numpy, "generic") else None


def _dtype(value: Any) -> str:
    said: str = value.dtype.str
    if not _DTYPE.fullmatch(said) or value.dtype.fields or value.dtype.hasobject:
        raise NotStorable(f"numpy array of {value.dtype}", hint="only arrays of plain numbers, strings and dates are")
    return said


def _is_text(said: str) -> bool:
    found = _DTYPE.fullmatch(said)
    return found is not None and found[2] is not None


def _raw(numpy: Any, said: str, items: Any) -> Any:
    """The items as memory."""
    if not _is_text(said):
        return items
    kinds = {type(item) for item in items}  # pyright: ignore[reportUnknownVariableType]
    if not kinds <= {bytes, str}:
        raise TypeError("no list of texts")
    return numpy.array([*items], said)


def _checked(numpy: Any, said: Any) -> Any:
    if type(said) is not str or not _DTYPE.fullmatch(said):
        raise ValueError(f"no dtype of this format: {said!r}")
    return numpy.dtype(said)
