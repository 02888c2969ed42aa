"""Cassettes to one Parquet file: one row per event, `docs/corpus.md` has the columns."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import repeat
from typing import Any, Final

from replay.cassette.reader import Reader
from replay.corpus.columns import COLUMNS, OF_CASSETTE, OF_EVENT, Column, Kind
from replay.corpus.rows import CHUNK, of_cassette, of_events
from replay.model.errors import ReplayError, UsageError


def _library(name: str) -> Any:  # without types
    try:
        return import_module(name)
    except ImportError:
        raise UsageError("an index needs pyarrow", hint="pip install 'agent-replay[corpus]'") from None


pa = _library("pyarrow")
parquet = _library("pyarrow.parquet")

VERSION: Final = "1"
"""Of the columns; in the file's metadata as `agent-replay`."""
GROUP: Final = 100_000
"""Rows that lie together in the file."""
_MOST_INTEGER: Final = 2**31 - 1
_MOST_LONG: Final = 2**63 - 1
_LOT: Final = 32
"""Cassettes that a process reads at a time."""

_TYPES: Final = {
    "text": pa.string(),
    "word": pa.dictionary(pa.int32(), pa.string()),
    "integer": pa.int32(),
    "long": pa.int64(),
    "words": pa.list_(pa.string()),
    "time": pa.timestamp("us"),
}


@dataclass(slots=True)
class Indexed:
    """What went into an index.

    Attributes:
        problems: (path, what is wrong with it) of cassettes that couldn't be read, or not to their end.
    """

    cassettes: int = 0
    events: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@cache
def schema(columns: tuple[Column, ...] = COLUMNS) -> Any:
    """The columns as Arrow has them; each with its meaning."""
    fields = [pa.field(each.name, _TYPES[each.kind], metadata={"meaning": each.meaning}) for each in columns]
    return pa.schema(fields, metadata={"agent-replay": VERSION})


def index(paths: Sequence[str], out: str | os.PathLike[str], workers: int = 1) -> Iterator[Indexed]:
    """Write `out`; yields after each cassette what is done by then.

    A cassette that can't be read is a problem, and stops nothing. `out` comes into being whole, or not at all.

    Args:
        workers: processes that read.

    Raises:
        OSError: `out` can't be written.

    Example:
        *_, done = index(["a.cassette", "b.cassette"], "corpus.parquet")
    """
    done = Indexed()
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    part = f"{os.fspath(out)}.part"
    groups = _Groups()
    try:
        with parquet.ParquetWriter(part, schema(), compression="zstd") as writer:
            for lot, table in _read_all(paths, workers):
                for group in groups.add(table):
                    writer.write_table(group)
                done.events += table.num_rows
                for path, problem in lot:
                    done.cassettes += 1
                    if problem is not None:
                        done.problems.append((path, problem))
                    yield done
            for group in groups.rest():
                writer.write_table(group)
        os.replace(part, out)
    finally:
        if os.path.exists(part):
            os.unlink(part)


Lot = tuple[list[tuple[str, str | None]], Any]
"""Cassettes that were read together: (path, what is wrong with it) of each, and the table of their events."""


class _Groups:
    """Tables put together to row groups of some 100,000 rows: many small ones cost whoever reads them."""

    def __init__(self) -> None:
        self._tables: list[Any] = []
        self._rows = 0

    def add(self, table: Any) -> Iterator[Any]:
        self._tables.append(table)
        self._rows += table.num_rows
        if self._rows >= GROUP:
            yield from self.rest()

    def rest(self) -> Iterator[Any]:
        if self._rows:
            yield pa.concat_tables(self._tables).unify_dictionaries().combine_chunks()
        self._tables, self._rows = [], 0


def _read_all(paths: Sequence[str], workers: int) -> Iterator[Lot]:
    lots = _lots(paths, workers)
    if workers <= 1 or len(lots) <= 1:
        yield from map(_read, lots)
        return
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_read, lots)


def _lots(paths: Sequence[str], workers: int) -> list[Sequence[str]]:
    """So few that small ones cost little each, so many that all workers have some until the end."""
    size = max(1, min(_LOT, len(paths) // (workers * 4)))
    return [paths[at : at + size] for at in range(0, len(paths), size)]


def _read(paths: Sequence[str]) -> Lot:
    gathered = _Gathered()
    collecting = gc.isenabled()
    gc.disable()  # it would go through a million rows again and again, and finds nothing: a third of the time
    try:
        lot = [(path, _read_one(path, gathered)) for path in paths]
    finally:
        if collecting:
            gc.enable()
    return lot, gathered.table()


def _read_one(path: str, gathered: _Gathered) -> str | None:
    """What is wrong with that cassette."""
    try:
        with Reader.open(path) as reader:
            common = {**of_cassette(reader), "path": path}
            for columns in of_events(reader):
                gathered.add(common, columns)
            return None if reader.damage is None else reader.damage.reason
    except ReplayError as error:
        return str(error)


class _Gathered:
    """Rows of several cassettes, as lists until there are enough of them, then as Arrow has them."""

    def __init__(self) -> None:
        self._batches: list[Any] = []
        self._rows = 0
        self._lists: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}

    def add(self, common: dict[str, Any], columns: dict[str, list[Any]]) -> None:
        rows = len(columns["event"])
        for column in OF_CASSETTE:
            self._lists[column.name] += repeat(common[column.name], rows)
        for column in OF_EVENT:
            self._lists[column.name] += columns[column.name]
        self._rows += rows
        if self._rows >= CHUNK:
            self._flush()

    def table(self) -> Any:
        self._flush()
        return pa.Table.from_batches(self._batches, schema())

    def _flush(self) -> None:
        if self._rows:
            arrays = [array_of(column, self._lists[column.name]) for column in COLUMNS]
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema()))
        for each in self._lists.values():
            each.clear()
        self._rows = 0


def array_of(column: Column, values: list[Any]) -> Any:
    """Those values as Arrow has them, as far as it can; there is at least one."""
    type_ = _TYPES[column.kind]
    try:
        if values.count(values[0]) == len(values):
            return pa.array(values[:1], type_).take(pa.repeat(0, len(values)))
        if column.kind == "word":
            return pa.array(values, pa.string()).dictionary_encode()
        return pa.array(values, type_)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return pa.array([_fitting(column.kind, value) for value in values], type_)


def _fitting(kind: Kind, value: Any) -> Any:
    """What a column can hold of a value that somebody made up: no half characters, no number out of range."""
    if value is None:
        return None
    if kind in ("text", "word"):
        return str(value).encode("utf-8", "replace").decode()
    if kind == "words":
        return [_fitting("word", each) for each in value]
    most = _MOST_INTEGER if kind == "integer" else _MOST_LONG
    return value if type(value) is int and -most <= value <= most else None
