"""Several threads, each with a connection of its own to one file."""

from __future__ import annotations

from pathlib import Path

from tests.support.programs import replays


def test_connections_to_one_file(tmp_path: Path) -> None:
    source = """
    import os, sqlite3, threading
    path = os.path.join(os.path.dirname(__file__), "notes.db")
    with sqlite3.connect(path) as db:
        db.execute("create table if not exists notes (key text, value text)")
    def work(n):
        mine = sqlite3.connect(path, timeout=60)
        for i in range(3):
            with mine:
                mine.execute("insert into notes values (?, ?)", (f"{n} {i}", "x" * 100))
        print(n, mine.execute("select count(*) from notes where key like ?", (f"{n} %",)).fetchone())
        mine.close()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(db.execute("select count(*) from notes").fetchone())
    """
    found = replays(tmp_path, source, varies=None)
    assert found.text.endswith("(12,)\n")
    asked = [statement for event in found.events("memory") for _, statement in event.response]
    assert sum(statement.startswith("insert") for statement in asked) == 12


def test_statements_of_a_librarys_own_thread(tmp_path: Path) -> None:
    """No line of the program is below them; they are events all the same, and not only draws of a library's."""
    source = """
    import os, sqlite3
    from concurrent.futures import ThreadPoolExecutor
    db = sqlite3.connect(os.path.join(os.path.dirname(__file__), "notes.db"), check_same_thread=False)
    with ThreadPoolExecutor(1) as pool:
        for statement in ("create table if not exists t (a)", "insert into t values (7)", "select * from t"):
            print(pool.submit(db.execute, statement).result().fetchall())
    """
    found = replays(tmp_path, source, times=1)
    asked = [statement for event in found.events("memory") for _, statement in event.response]
    assert [statement for statement in asked if "t values" in statement] == ["insert into t values (7)"]
    assert "select * from t" in asked
