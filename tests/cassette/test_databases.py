"""Databases of SQLite without their secrets: SQLite reads them as ever, and finds stand-ins of the same length."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.cassette.redact import Redactor
from replay.cassette.redact.databases import redacted
from replay.cassette.redact.pseudonyms import Pseudonyms
from replay.cassette.redact.texts import Texts

KEY = "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"
MAIL = "b@a.de"

VALUES = st.sampled_from(
    [
        KEY,
        f"about {KEY} and",
        MAIL,
        7,
        None,
        2.5,
        b"blob " + KEY.encode(),
        "x" * 3000 + f" {KEY} " + "y" * 3000,
        "a word",
    ]
)


def made(path: Path, rows: Sequence[Sequence[object]], *, log: bool, page: int = 4096) -> bytes:
    """What is in the file of a database, and in its write-ahead log behind it."""
    database = sqlite3.connect(path)
    database.execute(f"pragma page_size = {page}")
    database.execute(f"pragma journal_mode = {'wal' if log else 'delete'}")
    database.execute("pragma wal_autocheckpoint = 0")
    database.execute("create table t (n integer primary key, a, b)")
    database.execute("create index i on t (a, b)")
    database.executemany("insert into t values (?, ?, ?)", [(-n, *row) for n, row in enumerate(rows)])
    database.commit()
    data = path.read_bytes()
    if log:
        data += path.with_name(path.name + "-wal").read_bytes()
        shutil.copy(path.with_name(path.name + "-wal"), path.with_name("kept"))
    database.close()
    return data


def read(path: Path, data: bytes, size: int) -> list[tuple[object, ...]]:
    for old in path.parent.glob(path.name + "*"):
        old.unlink()
    path.write_bytes(data[:size])
    if len(data) > size:
        path.with_name(path.name + "-wal").write_bytes(data[size:])
    database = sqlite3.connect(path)
    rows = database.execute("select * from t not indexed order by -n").fetchall()
    database.close()
    return rows


def expected(value: object) -> object:
    """As it has to be, with all stand-ins the same."""
    if isinstance(value, bytes):
        return value.replace(KEY.encode(), b"?" * 40)
    return value.replace(KEY, "?" * 40).replace(MAIL, "?" * 6) if isinstance(value, str) else value


@pytest.mark.parametrize("log", [False, True])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(VALUES, VALUES), max_size=12), page=st.sampled_from([512, 4096, 65536]))
def test_no_value_has_a_secret(log: bool, rows: list[tuple[object, object]], page: int, tmp_path: Path) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    data = made(tmp_path / "a", rows, log=log, page=page)
    whole = (tmp_path / "a").stat().st_size if not log else len(data) - (tmp_path / "kept").stat().st_size
    texts = Texts(Pseudonyms(bytes(16)))
    safe = redacted(texts, data)
    assert len(safe) == len(data)
    assert KEY.encode() not in safe
    found = read(tmp_path / "b", safe, whole)
    assert len(found) == len(rows)
    key = texts.pseudonyms.secret(KEY.encode())
    mail = texts.pseudonyms.email(MAIL.encode())[:6]
    for row, (_, *values) in zip(rows, found, strict=True):
        for was, value in zip(row, values, strict=True):
            if isinstance(value, bytes):
                value = value.replace(key, b"?" * 40)
            elif isinstance(value, str):
                value = value.replace(key.decode(), "?" * 40).replace(mail.decode(), "?" * 6)
            assert value == expected(was)
    if not any(isinstance(value, (str, bytes)) and value != "a word" for row in rows for value in row):
        assert safe is data


@given(data=st.binary(max_size=4096), page=st.sampled_from([0, 1, 512, 700, 1024]))
def test_what_only_looks_like_one(data: bytes, page: int) -> None:
    whole = b"SQLite format 3\0" + page.to_bytes(2, "big") + b"\1\1\0" + data
    assert len(redacted(Texts(Pseudonyms(b"")), whole)) == len(whole)
    assert len(Redactor(bytes(16)).file("x.db", whole)) == len(whole)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=40), log=st.booleans())
def test_a_damaged_one(places: list[tuple[int, int]], log: bool, tmp_path: Path) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    data = bytearray(made(tmp_path / "a", [(KEY, "x" * 3000 + KEY), (MAIL, 3)], log=log, page=512))
    for at, byte in places:
        data[(at * 37 + 20) % len(data)] = byte
    assert len(redacted(Texts(Pseudonyms(b"")), bytes(data))) == len(data)


def test_what_is_left_over_in_a_log_and_a_cell_that_reaches_out_of_the_file(tmp_path: Path) -> None:
    data = made(tmp_path / "a", [(KEY, 1)], log=True, page=512)
    size = len(data) - (tmp_path / "kept").stat().st_size
    left = data[-536:-528] + b"\1" * 16 + data[-512:]  # the salts are those of another time
    safe = redacted(Texts(Pseudonyms(b"")), data + left)
    assert KEY.encode() not in safe
    assert safe[-528:-512] == b"\1" * 16
    assert len(read(tmp_path / "b", safe, size)) == 1
    page = bytearray(made(tmp_path / "c", [(KEY, 1)], log=False, page=512))
    root = next(at for at in range(512, len(page), 512) if page[at] == 0x0D and KEY.encode() in page[at : at + 512])
    page[root + 8 : root + 10] = (510).to_bytes(2, "big")
    page[root + 510] = 0x60
    cut = bytes(page[: root + 512])
    assert len(redacted(Texts(Pseudonyms(b"")), cut)) == len(cut)


def test_a_value_whose_other_pages_are_nowhere(tmp_path: Path) -> None:
    """Wherever the number of the next page stands, it is taken away."""
    data = made(tmp_path / "a", [("x" * 3000 + KEY, 1)], log=False, page=512)
    leaf = next(at for at in range(512, len(data), 512) if data[at] == 0x0D)
    for at in range(leaf + 8, leaf + 509):
        cut = data[:at] + bytes(4) + data[at + 4 :]
        assert len(redacted(Texts(Pseudonyms(b"")), cut)) == len(data)


@pytest.mark.parametrize("log", [False, True])
def test_what_is_left_of_rows_that_moved_or_went(log: bool, tmp_path: Path) -> None:
    """Their values touch each other, so that no word is a secret by itself."""
    long = "x" * 3000 + f" {KEY} " + "y" * 3000
    rows = [(KEY, KEY), (KEY, KEY), (MAIL, long), (MAIL, long), (KEY, f"about {KEY} and"), (KEY, KEY), (KEY, long)]
    data = made(tmp_path / "a", rows, log=log)
    assert KEY.encode() not in redacted(Texts(Pseudonyms(bytes(16))), data)
    database = sqlite3.connect(tmp_path / "b")
    database.execute("pragma secure_delete = off")
    database.execute("create table t (n integer primary key, a, b)")
    database.executemany("insert into t values (?, ?, ?)", [(n, KEY, f"more{n}") for n in range(40)])
    database.commit()
    database.execute("delete from t where n % 3 = 1")
    database.commit()
    database.close()
    data = (tmp_path / "b").read_bytes()
    safe = redacted(Texts(Pseudonyms(bytes(16))), data)
    assert KEY.encode() in data
    assert KEY.encode() not in safe
    assert len(read(tmp_path / "c", safe, len(safe))) == 27
