"""Cassettes to one Parquet file: one row per event, `docs/corpus.md` has the columns."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from replay.cassette.reader import Reader
from replay.corpus.columns import COLUMNS, OF_CASSETTE, OF_EVENT, Column
from replay.corpus.rows import of_cassette, of_events
from replay.model.errors import CassetteDamaged, ReplayError, UsageError


def _library(name: str) -> Any:  # without types
    try:
        return import_module(name)
    except ImportError:
        raise UsageError("an index needs pyarrow", hint="pip install 'agent-replay[corpus]'") from None


pa = _library("pyarrow")
parquet = _library("pyarrow.parquet")

VERSION: Final = "1"
"""Of the columns; in the file's metadata as `agent-replay`."""

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


def schema() -> Any:
    """The columns as Arrow has them; each with its meaning."""
    fields = [pa.field(each.name, _TYPES[each.kind], metadata={"meaning": each.meaning}) for each in COLUMNS]
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
    try:
        with parquet.ParquetWriter(part, schema(), compression="zstd") as writer:
            for path, tables, problem in _read_all(paths, workers):
                for table in tables:
                    writer.write_table(table)
                    done.events += table.num_rows
                done.cassettes += 1
                if problem is not None:
                    done.problems.append((path, problem))
                yield done
        os.replace(part, out)
    finally:
        if os.path.exists(part):
            os.unlink(part)


Read = tuple[str, Iterable[Any], str | None]


def _read_all(paths: Sequence[str], workers: int) -> Iterator[Read]:
    if workers <= 1 or len(paths) <= 1:
        yield from map(_read, paths)
        return
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_read, paths, chunksize=max(1, min(32, len(paths) // (workers * 4))))


def _read(path: str) -> Read:
    tables: list[Any] = []
    collecting = gc.isenabled()
    gc.disable()  # it would go through a million rows again and again, and finds nothing: a third of the time
    try:
        with Reader.open(path) as reader:
            common = {**of_cassette(reader), "path": path}
            try:
                tables.extend(_table(common, columns) for columns in of_events(reader))
            except CassetteDamaged as error:
                return path, tables, str(error)
            return path, tables, None if reader.damage is None else reader.damage.reason
    except ReplayError as error:
        return path, tables, str(error)
    finally:
        if collecting:
            gc.enable()


def _table(common: dict[str, Any], columns: dict[str, list[Any]]) -> Any:
    rows = len(columns["event"])
    arrays = [_same(column, common[column.name], rows) for column in OF_CASSETTE]
    arrays += [_array(column, columns[column.name]) for column in OF_EVENT]
    return pa.Table.from_arrays(arrays, schema=schema())


def _same(column: Column, value: Any, rows: int) -> Any:
    type_ = _TYPES[column.kind]
    if column.kind != "word":
        return pa.array([value], type_).take(pa.repeat(0, rows))
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([value], pa.string()))


def _array(column: Column, values: list[Any]) -> Any:
    if column.kind == "word":
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, _TYPES[column.kind])
