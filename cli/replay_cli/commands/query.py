"""`replay query`: SQL over an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from replay.cassette.directory import default_directory
from replay.queries.plain import value
from replay_cli import console, exits, options


@click.command("query")
@click.argument("sql")
@click.option(
    "-i", "--index", metavar="PARQUET", help="What `replay index` made [default: that of the cassette directory]."
)
@options.common
def command(sql: str, index: str | None) -> int:
    """SQL over an index: events, llm_calls, tool_calls, effects, cassettes, deviations.

    One SELECT, such as "select tool, count(*) from tool_calls group by tool", in DuckDB's language; docs/corpus.md has
    the columns. The query reads the index and nothing else.
    """
    from replay.corpus.query import query

    found = query(sql, Path(index) if index else default_directory() / "corpus.parquet")
    if options.current().json:
        console.document({"columns": list(found.names), "rows": [[value(each) for each in row] for row in found.rows]})
    elif found.names:
        from replay_cli.render.answers import answers

        console.results().print(answers(found.names, map(_texts, found.rows)))
    return exits.SAME


def _texts(row: tuple[Any, ...]) -> list[str]:
    return ["" if each is None else str(each) for each in row]
