"""Deviations beside an index: where a `replay test` differed, and what `replay check` found. `docs/corpus.md` has the
columns.

They aren't in the cassettes, so they aren't in the index: they are what a code, or a policy, said of them on some day.
A run replaces what the same command noted of the same recordings before, and leaves the others alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from replay.boundary import originals
from replay.cassette.family import header_at
from replay.corpus.causes import summary
from replay.corpus.columns import OF_DEVIATION, deviations_of
from replay.corpus.index import array_of, pa, parquet, schema
from replay.corpus.trial import Trial
from replay.model.errors import UsageError
from replay.policy.baseline import Deviation

Row = dict[str, Any]


def of_trials(trials: Iterable[Trial]) -> dict[str, list[Row]]:
    """What trials came to: path -> its rows, none where it is the same."""
    return {
        each.cassette: []
        if each.status == "same"
        else [
            {
                "event": each.event,
                "severity": each.status,
                "rule": summary(each),
                "why": each.reason,
                "expected": each.expected,
                "got": each.got,
                "site": each.site,
                "likely": each.likely or None,
            }
        ]
        for each in trials
    }


def of_checks(found: Mapping[str, Iterable[Deviation]]) -> dict[str, list[Row]]:
    """What checks came to: path -> its rows."""
    return {
        path: [{"event": each.event, "severity": each.severity, "rule": each.rule, "why": each.why} for each in all_]
        for path, all_ in found.items()
    }


def note(index: str | os.PathLike[str], command: str, found: Mapping[str, list[Row]]) -> int:
    """Writes them beside the index; how many there are now.

    Args:
        command: `test` or `check`. found: path of each recording that was looked at -> its rows.

    Raises:
        UsageError: what is there already is something else. OSError: it can't be written.

    Example:
        note("corpus.parquet", "test", of_trials(trials))
    """
    out = os.fspath(deviations_of(index))
    now = originals.wall_ns() // 1000
    ids = {path: _id(path) for path in found}
    rows = [
        {"found": now, "command": command, "cassette": ids[path], "path": path, **row}
        for path, each in found.items()
        for row in each
    ]
    known = set(ids.values()) - {None}
    kept = [
        row for row in _read(out) if row["command"] != command or not (row["path"] in found or row["cassette"] in known)
    ]  # fmt: skip
    all_ = kept + rows
    columns = schema(OF_DEVIATION)
    arrays = [array_of(column, [row.get(column.name) for row in all_]) for column in OF_DEVIATION if all_]
    table = pa.Table.from_arrays(arrays, schema=columns) if all_ else columns.empty_table()
    part = f"{out}.part"
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    try:
        parquet.write_table(table, part, compression="zstd")
        os.replace(part, out)
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return len(all_)


def _read(path: str) -> list[Row]:
    if not os.path.exists(path):
        return []
    try:
        table = parquet.read_table(path)
        columns = {name: table.column(name) for name in schema(OF_DEVIATION).names}
        columns["found"] = columns["found"].cast(pa.int64())
        rows: list[Row] = pa.table(columns).to_pylist()
    except (pa.ArrowException, KeyError, OSError) as error:
        raise UsageError(f"{path} isn't what `replay test --index` writes: {error}", hint="move it away") from None
    return rows


def _id(path: str) -> str | None:
    found = None if "://" in path else (header_at(path) or {}).get("id")
    return None if found is None else str(found)
