"""Values <-> bytes: msgpack and a closed set of ext types. `docs/format.md` lists them.

What comes back changed, and how:

- `bytearray` and `memoryview` come back as `bytes` (the packer takes them natively; asking each value would cost more
  than they are worth).
- a timezone that is neither `datetime.timezone` nor `zoneinfo.ZoneInfo` with a key (pytz, dateutil) comes back as a
  fixed offset of that name: the same instant, the same local time.
- sets come back in an order of their own, the same for equal sets.
- objects of named classes come back as `Named`; `revive` makes real objects of them.

Tried and rejected: pickle (runs code), JSON (no bytes, no big ints, three times slower), `unpackb(use_list=False)` to
get tuples (then lists are lost), one packer shared by all threads (its buffer isn't re-entrant).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from replay.cassette import _msgpack as msgpack
from replay.cassette import traces
from replay.cassette.delta import Delta
from replay.cassette.named import FORMS, Named
from replay.cassette.objects import class_of, describe
from replay.cassette.scalars import DECODERS, ENCODERS
from replay.model.errors import CassetteDamaged, NotStorable

EXT_TUPLE: Final = 0x01
EXT_SET: Final = 0x02
EXT_FROZENSET: Final = 0x03
EXT_NAMED: Final = 0x10
EXT_DELTA: Final = 0x20

MAX_DEPTH: Final = 32
"""How many ext values may lie inside each other. Lists and dicts may lie about 1,000 deep, 100 inside of 12 ext values:
the packer recurses on the C stack, some 340 bytes a level, and 8 MB must do."""

_DEEP: Final = 12
_FLAT: Final = 100

_PLAIN: Final = frozenset({type(None), bool, float, str, bytes, int})
_RETAINED: Final = 1 << 20  # a packer that was used for more keeps a buffer too big to keep


class Encoder:
    """Packs values; not for several threads at once, but safe when packing a value leads to packing another one.

    A value of built-in types is one call into C. Everything else comes to `_default`, which packs what is inside with
    the next packer of the stack (a packer's buffer isn't re-entrant).
    """

    __slots__ = ("_depth", "_packers")

    def __init__(self) -> None:
        self._depth = 0
        self._packers: list[msgpack.Packer] = [msgpack.packer(self._default)]

    def pack(self, value: object) -> bytes:
        """The bytes of `value`.

        Raises:
            NotStorable: without the place; `explain` finds it.
        """
        try:
            packed = self._packers[self._depth].pack(value)
        except NotStorable:
            raise
        except (ValueError, RecursionError, OverflowError) as error:  # too deep, a cycle, or more than 4 GiB
            raise NotStorable(type(value).__qualname__, "value", hint=f"too deep, or a cycle: {error}") from None
        if len(packed) > _RETAINED:
            self._packers[self._depth] = msgpack.packer(self._default)
        return packed

    def end(self) -> None:
        """Nothing more is packed: without its packers, which know it, it is no garbage to be searched for."""
        self._packers.clear()

    def _descend(self, value: object) -> None:
        """Into an ext value; `self._depth -= 1` leads back."""
        if self._depth >= MAX_DEPTH:
            raise NotStorable(type(value).__qualname__, hint=f"nested deeper than {MAX_DEPTH}, or a cycle")
        self._depth += 1
        if self._depth == len(self._packers):
            self._packers.append(msgpack.packer(self._default))

    def _nested(self, value: object) -> bytes:
        if self._depth >= _DEEP and not _within(value, _FLAT):
            raise NotStorable(type(value).__qualname__, hint="nested too deep")
        self._descend(value)
        try:
            return self.pack(value)
        finally:
            self._depth -= 1

    def _default(self, value: Any) -> object:
        """What the packer asks for a value it can't pack itself."""
        cls = class_of(value)
        if cls is tuple:
            return msgpack.ext(EXT_TUPLE, self._nested(list(value)))
        if cls is set or cls is frozenset:
            return msgpack.ext(EXT_SET if cls is set else EXT_FROZENSET, self._items(value))
        scalar = ENCODERS.get(cls)
        if scalar is not None:
            code, encode = scalar
            return msgpack.ext(code, encode(value))
        return self._record(value, None)

    def error(self, error: BaseException, ours: traces.Ours) -> object:
        """An exception as a part of a value to `pack`, with the frames that it and what led to it went through.

        Args:
            ours: frames to leave out.

        Raises:
            NotStorable: as `pack`.
        """
        return self._record(error, ours)

    def _record(self, value: Any, ours: traces.Ours | None) -> object:
        """The record of an object of a named class."""
        self._descend(value)  # parts of exceptions are packed while it is described
        try:
            named = describe(value, self._part)
            if ours is not None and named is not None and named.form == "exception":
                traces.add(named.state, value, lambda error: self._or_opaque(error, ours), ours)
        finally:
            self._depth -= 1
        if named is None:
            cls = class_of(value)
            raise NotStorable(f"{cls.__module__}.{cls.__qualname__}")
        return msgpack.ext(EXT_NAMED, self._nested([named.module, named.qualname, named.form, named.state]))

    def _items(self, value: set[object] | frozenset[object]) -> bytes:
        """Sorted by their bytes: equal sets give equal bytes, whatever the hash seed."""
        packed = sorted(self._nested(item) for item in value)
        return b"\xdd" + len(packed).to_bytes(4, "big") + b"".join(packed)

    def _part(self, value: object) -> object:
        """A part of an exception: as it is, packed already, or opaque."""
        cls = type(value)
        if cls in _PLAIN:
            return value
        try:
            if cls is list or cls is dict:
                self._nested(value)
                return value
            return self._default(value)
        except NotStorable:
            return _opaque(cls)

    def _or_opaque(self, error: BaseException, ours: traces.Ours) -> object:
        try:
            return self._record(error, ours)
        except NotStorable:
            return _opaque(type(error))


def _opaque(cls: type) -> Named:
    return Named(cls.__module__, cls.__qualname__, "opaque", None)


def _within(value: object, depth: int) -> bool:
    """Whether lists and dicts lie at most `depth` deep in `value`, other things not counted."""
    if type(value) is dict:
        inside: Iterable[object] = cast("dict[object, object]", value).values()
    elif type(value) is list:
        inside = cast("list[object]", value)
    else:
        return True
    return depth > 0 and all(_within(item, depth - 1) for item in inside)


class _PerThread(threading.local):
    def __init__(self) -> None:
        self.encoder = Encoder()


_per_thread = _PerThread()


def pack(value: object, where: str = "value") -> bytes:
    """The bytes of a value of the closed set. Equal values of equal types give equal bytes.

    Raises:
        NotStorable: names the type and the place, such as `value['items'][3]`.

    Example:
        >>> unpack(pack({"when": (1, 2.5), "raw": b"x"}))
        {'when': (1, 2.5), 'raw': b'x'}
    """
    try:
        return _per_thread.encoder.pack(value)
    except NotStorable as error:
        from replay.cassette.explain import explain

        raise explain(value, where, error, _per_thread.encoder.pack) from None


class Decoder:
    """Unpacks values; `make` is called for each `Named`, from the inside out."""

    __slots__ = ("_hooks", "_make")

    def __init__(self, make: Callable[[Named], object]) -> None:
        self._make = make
        self._hooks = [self._hook(depth) for depth in range(MAX_DEPTH + 1)]

    def _hook(self, depth: int) -> Callable[[int, bytes], object]:
        def hook(code: int, raw: bytes) -> object:
            if depth == MAX_DEPTH and code not in DECODERS:
                raise ValueError(f"nested deeper than {MAX_DEPTH}")
            return self._ext(code, raw, self._hooks[min(depth + 1, MAX_DEPTH)])

        return hook

    def unpack(self, data: bytes | memoryview) -> Any:
        """The value in `data`. Raises CassetteDamaged where it isn't exactly one value."""
        try:
            return msgpack.unpack(data, self._hooks[0])
        except msgpack.BAD_INPUT as error:
            what = f"a value can't be decoded: {type(error).__name__} {error}"
            raise CassetteDamaged(what, offset=0, good_events=0) from None

    def _ext(self, code: int, raw: bytes, hook: Callable[[int, bytes], object]) -> object:
        scalar = DECODERS.get(code)
        if scalar is not None:
            return scalar(raw)
        items = msgpack.a_list(msgpack.unpack(raw, hook))
        if code == EXT_TUPLE:
            return tuple(items)
        if code == EXT_SET:
            return set(items)
        if code == EXT_FROZENSET:
            return frozenset(items)
        if code == EXT_NAMED:
            module, qualname, form, state = items
            if form not in FORMS or type(module) is not str or type(qualname) is not str:
                raise ValueError(f"a record of an unknown form, {form!r}")
            return self._make(Named(module, qualname, form, state))
        if code == EXT_DELTA:
            return _delta(items)
        raise ValueError(f"ext {code:#x} is not of this format")


def _delta(items: list[Any]) -> Delta:
    base, prefix, suffix, middle = items
    if not (type(base) is type(prefix) is type(suffix) is int and type(middle) is bytes):
        raise ValueError("a delta of other types")
    return Delta(base, prefix, suffix, middle)


def _itself(named: Named) -> object:
    return named


INERT: Final = Decoder(_itself)


def unpack(data: bytes | memoryview) -> Any:
    """The value in `data`; objects of named classes as inert `Named`. Executes nothing.

    Raises:
        CassetteDamaged: not one whole value, or nested too deep.
    """
    return INERT.unpack(data)
