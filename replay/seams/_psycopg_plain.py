"""psycopg's C parts know only libpq's own objects. Where a connection was never opened, Python takes their place.

psycopg has each part twice, in C and in Python, with the same results. What is asked with a real connection, or with
none, goes to the C part as before.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from replay.boundary import originals, turns
from replay.boundary.door import Call, Door
from replay.boundary.lanes import Lane, become, carrier, running
from replay.seams._psycopg_answers import Unopened


def everywhere(original: Any, replacement: Any) -> None:
    """Replace it in every module of psycopg that has imported it."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "psycopg" and name != "psycopg.pq.pq_ctypes":
            for attribute, value in list(vars(module).items()):
                if value is original:
                    setattr(module, attribute, replacement)


def install(psycopg: Any) -> None:
    """Put a choice between C and Python where psycopg takes the C part."""
    from psycopg import _copy_base as copying  # pyright: ignore[reportPrivateUsage]
    from psycopg import _transformer, pq  # pyright: ignore[reportPrivateUsage]

    if getattr(_transformer.Transformer, "real", None) is not None:
        return
    everywhere(_transformer.Transformer, _transformers(_transformer.Transformer))
    everywhere(pq.Escaping, _escapings(pq.Escaping))
    everywhere(pq.Conninfo, _conninfo(pq.Conninfo))
    rows: Any = copying
    for name in ("format_row_text", "format_row_binary", "parse_row_text", "parse_row_binary"):
        in_python = getattr(rows, f"_{name}", None)
        if in_python is not None:
            everywhere(getattr(rows, name), _by_transformer(getattr(rows, name), in_python))


def unopened(context: Any) -> bool:
    """Whether that context (connection, cursor, transformer) is of a connection that was never opened."""
    connection = getattr(context, "connection", None)
    return isinstance(getattr(connection, "pgconn", None), Unopened)


def _transformers(real_class: Any) -> Any:
    from psycopg._py_transformer import Transformer as InPython  # pyright: ignore[reportPrivateUsage]

    class Plain(InPython):
        __slots__ = ()

        def __init__(self, context: Any = None) -> None:
            super().__init__(context)
            self._adapters: Any = PlainAdapters(self._adapters)

    class Transformer:
        real = real_class

        def __new__(cls, context: Any = None) -> Any:
            return Plain(context) if unopened(context) else real_class(context)

        @classmethod
        def from_context(cls, context: Any) -> Any:
            if isinstance(context, Plain):
                return context
            return Plain(context) if unopened(context) else real_class.from_context(context)

    return Transformer


class PlainAdapters:
    """An AdaptersMap that gives dumpers and loaders in Python."""

    def __init__(self, adapters: Any) -> None:
        self._all = adapters

    def __getattr__(self, name: str) -> Any:
        return getattr(self._all, name)

    def get_dumper(self, cls: type, format: Any) -> Any:  # noqa: A002 - the name it is called by
        return in_python(self._all.get_dumper(cls, format))

    def get_dumper_by_oid(self, oid: int, format: Any) -> Any:  # noqa: A002
        return in_python(self._all.get_dumper_by_oid(oid, format))

    def get_loader(self, oid: int, format: Any) -> Any:  # noqa: A002
        found = self._all.get_loader(oid, format)
        return None if found is None else in_python(found)


@cache
def in_python(adapter: Any) -> Any:
    """The Python class of the same name as one in C; of a class derived from one in C, the same derived from it."""
    if not _is_c(adapter):
        base = next((base for base in adapter.__mro__ if _is_c(base)), None)
        if base is None:
            return adapter
        names = [name for name in dir(adapter) if name in adapter.__dict__ and not name.startswith("__")]
        own = {name: adapter.__dict__[name] for name in names}
        return type(adapter.__name__, (in_python(base),), own)
    for name, module in list(sys.modules.items()):
        if name.startswith("psycopg.types."):
            found = vars(module).get(adapter.__name__)
            if found is not None and not _is_c(found):
                return found
    return adapter


def _is_c(adapter: Any) -> bool:
    return str(adapter.__module__).startswith(("psycopg_binary", "psycopg_c"))


def _by_transformer(real: Any, in_python: Any) -> Any:
    def rows(data: Any, transformer: Any, *more: Any) -> Any:
        return (in_python if unopened(transformer) else real)(data, transformer, *more)

    return rows


def _conninfo(real: Any) -> Any:
    """libpq's defaults come from the machine: its variables, its users, files of services."""
    from psycopg.pq.misc import ConninfoOption

    known: WeakKeyDictionary[Door, Any] = WeakKeyDictionary()
    asking = originals.allocate_lock()

    class Conninfo:
        parse = real.parse

        @staticmethod
        def get_defaults() -> Any:
            lane = running.lane
            if lane is None:
                return real.get_defaults()
            importer = lane.door.importer(lane, "libpq")
            return ask(lane) if importer is lane else once(lane, importer)

    def ask(lane: Lane) -> Any:
        def load(options: Any) -> Any:
            return [ConninfoOption(*option) for option in options]

        call: Call[Any] = Call("order", "libpq defaults", "read", dump=_without_passwords, load=load)
        return lane.door.cross(lane, call, real.get_defaults)

    def once(lane: Lane, importer: Lane | None) -> Any:
        """psycopg keeps what it asks, without a lock: which thread asks first, and whether a second one does, is
        chance. So it is asked as modules are imported among threads, by nobody's or a lane of its own."""
        with turns.waiting(lane):
            asking.acquire()
        carried = carrier.get()
        try:
            if lane.door not in known:
                become(importer)
                known[lane.door] = real.get_defaults() if importer is None else ask(importer)
            return known[lane.door]
        finally:
            running.lane = lane
            carrier.set(carried)
            asking.release()

    return Conninfo


def _without_passwords(options: Any) -> list[list[Any]]:
    return [[None if n == 3 and b"pass" in option[0] else part for n, part in enumerate(option)] for option in options]


def _escapings(real: Any) -> Any:
    class Escaping:
        def __new__(cls, conn: Any = None) -> Any:
            return PlainEscaping() if isinstance(conn, Unopened) else real(conn)

    return Escaping


class PlainEscaping:
    """What libpq does to texts in a statement, for a session with standard strings (every one since 9.1)."""

    def escape_literal(self, data: Any) -> bytes:
        raw = bytes(data)
        quoted = b"'" + raw.replace(b"'", b"''").replace(b"\\", b"\\\\") + b"'"
        return b" E" + quoted if b"\\" in raw else quoted

    def escape_identifier(self, data: Any) -> bytes:
        return b'"' + bytes(data).replace(b'"', b'""') + b'"'

    def escape_string(self, data: Any) -> bytes:
        return bytes(data).replace(b"'", b"''")

    def escape_bytea(self, data: Any) -> bytes:
        return b"\\x" + bytes(data).hex().encode()

    def unescape_bytea(self, data: Any) -> bytes:
        return bytes.fromhex(bytes(data)[2:].decode())
