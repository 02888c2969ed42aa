"""SQL over an index: DuckDB on the Parquet file, with views for what people ask about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from replay.corpus.columns import OF_DEVIATION, VIEWS, deviations_of
from replay.model.errors import CassetteMissing, UsageError

try:
    import duckdb
except ImportError as missing:
    raise UsageError("a query needs duckdb", hint="pip install 'agent-replay[corpus]'") from missing


_SQL: Final = {"word": "varchar", "text": "varchar", "integer": "integer", "time": "timestamp"}


class Answer:
    """What a query found. `names`: of the columns; `rows`: their values, as Python has them."""

    def __init__(self, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        self.names = tuple(names)
        self.rows = rows


def query(sql: str, index: str | os.PathLike[str]) -> Answer:
    """One SELECT over the views `events`, `deviations` and those of `replay.corpus.columns.VIEWS`.

    The statement can read the index, what lies beside it, and nothing else: no other file, no network, no extension.

    Raises:
        CassetteMissing: there is no index. UsageError: the statement, with what DuckDB says of it.

    Example:
        query("select tool, count(*) from tool_calls group by tool", "corpus.parquet").rows
    """
    path = Path(index).absolute()
    where, noted = str(path), str(deviations_of(path))
    if not path.is_file():
        raise CassetteMissing(f"no index: {index}", hint="make one: `replay index DIR -o corpus.parquet`")
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"}) as connection:
        try:
            connection.execute(f"set allowed_paths = [{_quoted(where)}, {_quoted(noted)}]")
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
            connection.execute(f"create view events as select * from read_parquet({_quoted(where)})")
            connection.execute(f"create view deviations as {_deviations(noted)}")
            for name, select in VIEWS.items():
                connection.execute(f"create view {name} as {select}")
            found = connection.execute(sql)
            return Answer([column[0] for column in found.description], found.fetchall())
        except duckdb.Error as error:
            raise UsageError(f"the query failed: {error}") from None


def _deviations(path: str) -> str:
    """Those that were noted beside the index; none where nobody did."""
    if os.path.isfile(path):
        return f"select * from read_parquet({_quoted(path)})"
    nothing = ", ".join(f"null::{_SQL[each.kind]} as {each.name}" for each in OF_DEVIATION)
    return f"select {nothing} where false"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
