"""What a store holds, rebuilt from the recording alone, is what the real one holds."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from replay.semantics.memory import Access, accesses, stores
from tests.stores.servers import postgres_server, redis_server
from tests.support.programs import Recorded, replays

OPERATIONS = """
import os, random, sys
rng = random.Random(int(os.environ["SEED"]))
KEYS = ["a", "b", "c", "d"]
def key(): return rng.choice(KEYS)
def word(): return "".join(rng.choices("xyz'%é", k=rng.randrange(4)))
"""

DICT = """
import replay
notes = replay.memory({}, name="notes")
for _ in range(200):
    operation = rng.randrange(7)
    if operation < 2: notes[key()] = word()
    elif operation == 2: notes.pop(key(), None)
    elif operation == 3: notes.update({key(): word(), key(): word()})
    elif operation == 4: notes.setdefault(key(), word())
    elif operation == 5: notes.get(key())
    elif rng.random() < 0.1: notes.clear()
print(notes.copy())
"""

REDIS = """
import redis
r = redis.Redis(unix_socket_path=os.environ["SOCKET"])
def change(to):
    name = key()
    operation = rng.randrange(12)
    if operation == 0: to.set(f"s{name}", word(), nx=rng.random() < 0.5)
    elif operation == 1: to.incrby(f"n{name}", rng.randrange(9))
    elif operation == 2: to.append(f"s{name}", word())
    elif operation == 3: to.hset(f"h{name}", mapping={word(): word(), key(): rng.random()})
    elif operation == 4: to.hdel(f"h{name}", key(), word())
    elif operation == 5: to.rpush(f"l{name}", word(), 1.5)
    elif operation == 6: to.lpush(f"l{name}", word(), b"\\xff")
    elif operation == 7: rng.choice((to.lpop, to.rpop))(f"l{name}")
    elif operation == 8: to.sadd(f"e{name}", word(), key())
    elif operation == 9: to.srem(f"e{name}", word(), key())
    elif operation == 10: to.zadd(f"z{name}", {word(): rng.randrange(9)})
    elif rng.random() < 0.3: to.delete(f"s{name}", f"h{name}", f"l{name}", "no such")
for _ in range(150):
    if rng.random() < 0.2:
        with r.pipeline(transaction=rng.random() < 0.5) as pipe:
            for _ in range(3): change(pipe)
            pipe.execute()
    else:
        change(r)
found = {}
for name in r.keys():
    kind = r.type(name)
    found[name] = (
        r.get(name) if kind == b"string" else r.hgetall(name) if kind == b"hash" else r.lrange(name, 0, -1)
        if kind == b"list" else r.smembers(name) if kind == b"set" else dict(r.zrange(name, 0, -1, withscores=True))
    )
print(found)
"""

SQLITE = """
import sqlite3
db = sqlite3.connect(os.path.join(os.path.dirname(__file__), "notes.db"))
db.execute("create table if not exists notes (key text primary key, value text, n real)")
for _ in range(150):
    operation = rng.randrange(8)
    if operation < 3: db.execute("insert or replace into notes values (?, ?, ?)", (key(), word(), rng.randrange(9) / 8))
    elif operation == 3: db.execute("update notes set value = :v where key = :k", {"k": key(), "v": word()})
    elif operation == 4: db.execute("delete from notes where key = ?", (key(),))
    elif operation == 5: db.commit()
    elif operation == 6: db.rollback()
    else: db.executemany("insert or ignore into notes values (?, ?, 1)", [(key() + key(), word()) for _ in range(5)])
db.rollback()
print({"notes": [dict(zip(("key", "value", "n"), row)) for row in db.execute("select * from notes order by rowid")]})
"""

POSTGRES = """
import psycopg
UP = "insert into notes values (%s, %s) on conflict (key) do update set value = excluded.value"
with psycopg.connect(os.environ["DSN"]) as db:
    db.execute("create table notes (key text primary key, value text)")
    db.commit()
    for _ in range(120):
        operation = rng.randrange(9)
        if operation < 2: db.execute(UP, (key(), word()))
        elif operation == 2: db.execute("update notes set value = %(v)s where key = %(k)s", {"k": key(), "v": word()})
        elif operation == 3: db.execute("delete from notes where key = %s", (key(),))
        elif operation == 4: db.commit()
        elif operation == 5: db.rollback()
        elif operation == 6: db.cursor().executemany(UP, [(key() + key(), word()) for _ in range(3)])
        else:
            with db.transaction():
                db.execute(UP, (key(), word()))
                try:
                    with db.transaction():
                        db.execute(UP, (key(), word()))
                        if operation == 7: db.execute("insert into notes values ('a', 'a'), ('a', 'a')")
                except psycopg.Error:
                    pass
    db.rollback()
    rows = [dict(zip(("key", "value"), row)) for row in db.execute("select * from notes order by key")]
print({"notes": rows})
"""


def _held(found: Recorded, store: str) -> dict[Any, Any]:
    [held] = [content for name, content in stores(found.cassette().events).items() if name.startswith(store)]
    return held


@pytest.mark.parametrize("seed", [1, 2])
def test_rebuilt(seed: int, tmp_path: Path) -> None:
    variables = {"SEED": str(seed)}

    def of(name: str, program: str, **more: str) -> tuple[Any, Recorded]:
        given = {**variables, **more}
        found = replays(tmp_path, OPERATIONS + program, name=name, times=1, varies=None, variables=given)
        return ast.literal_eval(found.text), found

    real, found = of("mapping", DICT)
    assert _held(found, "notes") == real
    with redis_server() as path:
        real, found = of("redis_", REDIS, SOCKET=path)
    assert _held(found, "unix:") == real
    real, found = of("sqlite_", SQLITE)
    assert _held(found, "sqlite:") == real
    with postgres_server() as address:
        real, found = of("postgres_", POSTGRES, DSN=address)
    held = _held(found, "postgresql:")
    assert sorted(held["notes"], key=lambda row: row["key"]) == sorted(real["notes"], key=lambda row: row["key"])


def test_accesses(tmp_path: Path) -> None:
    source = """
    import os, sqlite3, replay
    notes = replay.memory({}, name="notes")
    notes["policy"] = "no refunds"
    print(notes["policy"])
    path = os.path.join(os.path.dirname(__file__), "m.db")
    db = sqlite3.connect(path)
    db.execute("create table t (k text, v int)")
    db.execute("insert into t values (?, ?)", ("a", 5))
    db.commit()
    print(db.execute("select v from t where k = ?", ("a",)).fetchall())
    """
    found = replays(tmp_path, source, times=1, varies=None)
    events = list(found.cassette().events)
    seen = list(accesses(events))

    def short(access: Access) -> tuple[Any, ...]:
        return access.store, access.key, access.op, access.effect, access.value

    assert [short(access) for access in seen[:2]] == [
        ("notes", "policy", "setitem", "write", "no refunds"),
        ("notes", "policy", "getitem", "read", "no refunds"),
    ]
    asked = [(access.key, access.effect, access.request["query"]) for access in seen[2:]]
    assert asked == [
        ("t", "write", "create table t (k text, v int)"),
        (None, "write", "BEGIN "),
        ("t", "write", "insert into t values ('a', 5)"),
        (None, "write", "COMMIT"),
        ("t[a]", "read", "select v from t where k = 'a'"),
    ]
    before = stores(events, until=seen[1].event)
    assert before["notes"] == {"policy": "no refunds"}
    assert list(before) == ["notes"]
    assert stores(events)[f"sqlite:{tmp_path}/m.db"] == {"t": [{"k": "a", "v": 5}]}


def test_statements_of_a_recording_open_no_files(tmp_path: Path) -> None:
    from replay.semantics.stores import Database

    aim = tmp_path / "aim.db"
    database = Database(None, None)
    for statement in (f"attach database '{aim}' as x", f"vacuum into '{aim}'", "create table x.t (a)"):
        database.run(statement)
    assert database.content() == {}
    database.close()
    assert not aim.exists()
