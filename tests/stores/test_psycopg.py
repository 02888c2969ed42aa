"""psycopg, in C and binary, against a real PostgreSQL, and replayed with the server gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.model.event import Event
from tests.stores.servers import postgres_server
from tests.support.programs import Recorded, record, replays

PROGRAMS = Path(__file__).parents[2] / "fixtures" / "stores"
SECRET = "hunter2-secret"

MANY = """
    import asyncio, os, psycopg
    from concurrent.futures import ThreadPoolExecutor
    from psycopg_pool import AsyncConnectionPool, ConnectionPool
    seen = []
    with ConnectionPool(os.environ["DSN"], min_size=8, max_size=8) as pool:
        def ask(n):
            with pool.connection() as connection:
                seen.append((n, connection.execute("select %s::int", (n,)).fetchone()[0]))
        with ThreadPoolExecutor(64) as workers:
            list(workers.map(ask, range(64)))
    async def main():
        async with AsyncConnectionPool(os.environ["DSN"], min_size=8, max_size=8, open=False) as pool:
            async def ask(n):
                async with pool.connection() as connection:
                    cursor = await connection.execute("select %s::int", (n,))
                    seen.append((n, (await cursor.fetchone())[0]))
            await asyncio.gather(*(ask(n) for n in range(64)))
    asyncio.run(main())
    print(len(seen), sum(asked != got for asked, got in seen))
"""


def _executed(found: Recorded) -> list[Event]:
    return [event for event in found.events("memory") if event.name == "psycopg.execute"]


def _text(found: Recorded) -> str:
    return "".join(f"{event.request} {event.response} {event.error}" for event in found.cassette().events)


@pytest.mark.parametrize("name", ["psycopg_sync", "psycopg_async", "sqlalchemy_postgres"])
def test_programs(name: str, tmp_path: Path) -> None:
    with postgres_server() as address:
        found = record(tmp_path, (PROGRAMS / f"{name}.py").read_text(), variables={"DSN": address})
    assert (found.exit_code, found.stderr) == (0, b"")
    for _ in range(2):  # the server is gone
        again = found.again()
        assert (again.divergence, again.escapes, again.gap) == (None, (), None)
        assert again.identical
        assert again.stdout == found.stdout
    assert list(found.cassette().blind_spots) == []
    assert SECRET not in _text(found)


def test_nothing_is_swapped(tmp_path: Path) -> None:
    with postgres_server() as address:
        found = replays(tmp_path, MANY, times=1, varies=None, variables={"DSN": address})
    assert found.text == "128 0\n"
    asked = [event for event in _executed(found) if event.request["query"] == "select %s::int"]
    assert len(asked) == 128
    for event in asked:
        [results] = [value for what, value, _ in event.response["answers"][-1:] if what == "execute"]
        assert results[0]["rows"] == [[str(event.request["params"][0])]]


def test_what_an_event_says(tmp_path: Path) -> None:
    source = """
    import os, psycopg
    with psycopg.connect(os.environ["DSN"], autocommit=True) as connection:
        connection.execute("create table notes (key text primary key, value text)")
        connection.execute("insert into notes values (%s, %s)", ("policy", "no refunds"))
        print(connection.execute("select value from notes where key = %(key)s", {"key": "policy"}).fetchall())
        try:
            connection.execute("select nothing")
        except psycopg.Error as error:
            print(error.sqlstate)
    """
    with postgres_server() as address:
        found = replays(tmp_path, source, times=1, varies=None, variables={"DSN": address})
        host = address.split()[0].removeprefix("host=")
    _, wrote, read, failed = _executed(found)
    assert (wrote.effect, wrote.request["query"], wrote.request["params"]) == (
        "write",
        "insert into notes values (%s, %s)",
        ["policy", "no refunds"],
    )
    assert wrote.request["store"] == f"postgresql://{host}:5432/postgres"
    assert (read.effect, read.request["params"]) == ("read", {"key": "policy"})
    [[what, [result], _]] = read.response["answers"]
    assert (what, result["tag"], result["columns"][0][0], result["rows"]) == (
        "execute",
        "SELECT 1",
        "value",
        [["no refunds"]],
    )
    assert (failed.response["class"], failed.response["error"].splitlines()[0]) == (
        "UndefinedColumn",
        'column "nothing" does not exist',
    )


def test_a_tool_on_the_connection_of_its_program(tmp_path: Path) -> None:
    """What a tool does to it is done in its body only: preparing statements, forgetting some, opening a transaction."""
    source = """
    import os, psycopg, replay
    with psycopg.connect(os.environ["DSN"], autocommit=True, prepare_threshold=0) as connection:
        def read(number):
            return connection.execute("select %s::int + random()", (number,)).fetchall()
        tool = replay.tool(read)
        print(tool(1), read(2), read(3))
        connection.execute("create temp table notes (said text)")
        forget = replay.tool(lambda: connection.execute("drop table notes").statusmessage, name="forget")
        print(forget(), read(4), read(5))
    with psycopg.connect(os.environ["DSN"]) as connection:
        begin = replay.tool(lambda: connection.execute("create temp table notes ()").statusmessage, name="begin")
        print(begin(), connection.execute("select count(*) from notes").fetchall())
        connection.commit()
        connection.rollback()
        print(read(6))
    """
    with postgres_server() as address:
        found = replays(tmp_path, source, times=1, varies=True, variables={"DSN": address})
    for run_tools in (False, True):
        again = found.again(run_tools=run_tools)
        assert again.identical, again.divergence
        assert again.stdout == found.stdout
