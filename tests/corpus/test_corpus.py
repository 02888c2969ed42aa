"""An index holds what the cassettes hold: compared with `replay.load`, which reads them another way."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import replay
from replay.cassette.codec import pack
from replay.cassette.reader import Reader
from replay.cassette.writer import Writer
from replay.corpus.columns import COLUMNS, OF_DEVIATION, VIEWS, deviations_of
from replay.corpus.deviations import note, of_checks, of_trials
from replay.corpus.index import Indexed, index
from replay.corpus.query import query
from replay.corpus.rows import of_events, unpacked
from replay.corpus.trial import Trial
from replay.model.errors import CassetteDamaged, CassetteMissing, UsageError
from replay.semantics import readings
from replay_cli import exits
from tests.cli import cassettes
from tests.cli.test_reading import document
from tests.cli.test_reading import replay as command

parquet: Any = import_module("pyarrow.parquet")


def built(paths: list[Path], out: Path, workers: int = 1) -> Indexed:
    *_, done = index([str(path) for path in paths], out, workers)
    return done


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return [cassettes.write(tmp_path / "a.cassette"), cassettes.write(tmp_path / "b.cassette", end="killed")]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_event_is_a_row_that_says_what_the_cassette_says(workers: int, two: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "corpus.parquet"
    done = built(two, out, workers)
    rows: list[tuple[Any, ...]] = []
    for path in two:
        with replay.load(path) as cassette:
            for event, call in readings(cassette.events):
                rows.append(
                    (
                        cassette.id,
                        event.id,
                        event.kind if call is None else "llm",
                        event.effect,
                        event.lane,
                        event.at,
                        event.took,
                        event.status,
                        None if event.site is None else str(event.site),
                        None if event.error is None else event.error.type,
                        None if event.error is None else event.error.message,
                        None if call is None else call.usage.input,
                        None if call is None else [asked.name for asked in call.tool_calls],
                    )
                )
    told = "cassette, event, kind, effect, lane, at_us, took_us, status, site, error, message, input_tokens, asked"
    assert sorted(query(f"select {told} from events", out).rows, key=repr) == sorted(rows, key=repr)
    assert (done.cassettes, done.events, done.problems) == (2, len(rows), [])
    assert {row[2] for row in rows} >= {"llm", "tool", "memory", "clock"}
    assert {row[7] for row in rows} >= {"done", "failed", "open"}


def test_what_people_ask(two: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "corpus.parquet"
    built(two[:1], out)
    assert query("select tool, arguments from tool_calls where status = 'done' limit 1", out).rows == [
        ("refund", '{"args": ["A-1043"], "kwargs": {"amount": 129}}')
    ]
    assert query("select program, outcome, llm_calls, input_tokens from cassettes", out).rows == [
        ("python agent.py 'a ticket'", "exit 0", 1, 80)
    ]
    for view in VIEWS:
        assert query(f"select * from {view}", out).names


@given(
    ends=st.lists(st.sampled_from(["whole", "later", "never", "failed"]), min_size=1, max_size=30),
    size=st.integers(1, 7),
)
@settings(max_examples=30)
def test_an_outcome_that_comes_in_a_later_part_is_found(
    ends: list[str], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("c") / "x.cassette"
    writer = Writer.create(path, {})
    writer.lane(0, "m")
    late: list[int] = []
    for number, end in enumerate(ends):
        if end in ("whole", "failed"):
            status = int(end == "failed")
            writer.event(0, "tool", "t", "read", number, None, {}, None, None, None, 5, status, "no" if status else 1)
        else:
            event = writer.call(0, "tool", "t", "read", number, None, {}, None, None, None)
            late += [event] if end == "later" else []
    for event in late:
        writer.ret(event, 1000 + event, 0, None, False)
    writer.end({})
    writer.flush()
    writer.seal()
    writer.close()
    with Reader.open(path) as reader:
        parts = list(of_events(reader, size))
        assert all(len(part["event"]) <= size for part in parts)
        assert [number for part in parts for number in part["event"]] == list(range(len(ends)))
        expected = {"whole": "done", "later": "done", "never": "open", "failed": "failed"}
        assert [status for part in parts for status in part["status"]] == [expected[end] for end in ends]
        for end, took, number in zip(
            ends, [t for part in parts for t in part["took_us"]], range(len(ends)), strict=True
        ):
            assert took == {"whole": 5, "failed": 5, "never": None, "later": 1000}[end], number


@given(st.lists(st.one_of(st.integers(), st.text(), st.lists(st.integers(), max_size=3)), max_size=8), st.data())
def test_many_at_once_are_what_each_is_alone(values: list[object], data: st.DataObject) -> None:
    payloads = [pack(value) for value in values]
    assert unpacked(payloads) == values
    torn = list(payloads)
    for at in data.draw(st.sets(st.sampled_from(range(len(torn))))) if torn else ():
        torn[at] = data.draw(st.sampled_from([b"", torn[at] * 2, b"\x92" + torn[at], b"\xc1"]))
    if torn != payloads:
        with pytest.raises(CassetteDamaged):
            unpacked(torn)


def test_small_cassettes_lie_together(two: list[Path], tmp_path: Path) -> None:
    paths = list(two)
    for number in range(70):
        paths.append(tmp_path / f"{number}.cassette")
        os.link(two[number % 2], paths[-1])
    done = built(paths, tmp_path / "corpus.parquet", 2)
    found = parquet.ParquetFile(tmp_path / "corpus.parquet")
    assert (found.num_row_groups, found.metadata.num_rows) == (1, done.events)
    counted = query("select path, count(*) from events group by path", tmp_path / "corpus.parquet").rows
    for path, count in counted:
        with replay.load(path) as cassette:
            assert len(cassette.events) == count
    assert len(counted) == len(paths) == done.cassettes


def test_what_somebody_made_up_is_a_row_or_named(tmp_path: Path) -> None:
    """Whatever a value may be: the index comes about, and those of other cassettes are in it."""
    hostile: list[tuple[Any, ...]] = [
        ("tool", "half \udc80", "write", 0, {"args": ["\udc80"], "kwargs": {}}, {"agent": "a\udfff"}, 5, 0, None),
        ("tool", "late", "write", 2**63, {"args": [], "kwargs": {}}, {"agent": ["no name"]}, 2**64 - 1, 1, "\udc80"),
        (7, None, "write", 0, {}, None, 5, 0, None),
        ("http", "GET", "read", 0, {}, "no map", 5, 0, None),
        ("http", "GET", "read", "now", [], None, "long", [], {}),
    ]
    for number, (kind, name, effect, at, request, meta, took, status, value) in enumerate(hostile):
        writer = Writer.create(tmp_path / f"{number}.cassette", {"argv": ["a\udc80", 5], "created": "never"})
        writer.lane(0, "m")
        writer.event(0, kind, name, effect, at, None, request, None, None, meta, took, status, value)
        writer.flush()
        writer.close()
    paths = sorted(tmp_path.glob("*.cassette"))
    done = built([*paths, cassettes.write(tmp_path / "whole.cassette")], tmp_path / "corpus.parquet")
    assert done.cassettes == len(hostile) + 1
    assert {Path(path).stem for path, _ in done.problems} <= {"2", "3", "4"}
    asked = "select name, agent, at_us from events where path not like '%whole%'"
    rows = query(asked, tmp_path / "corpus.parquet").rows
    assert ("half ?", "a?", 0) in rows
    assert ("late", "['no name']", None) in rows
    assert query("select count(*) > 5 from events where path like '%whole%'", tmp_path / "corpus.parquet").rows == [
        (True,)
    ]


def test_what_cannot_be_read_is_named_and_the_rest_is_there(two: list[Path], tmp_path: Path) -> None:
    torn, none = tmp_path / "torn.cassette", tmp_path / "none.cassette"
    torn.write_bytes(two[1].read_bytes()[:-7])
    none.write_bytes(b"not a cassette")
    out = tmp_path / "corpus.parquet"
    done = built([two[0], torn, none], out)
    assert [path for path, _ in done.problems] == [str(torn), str(none)]
    assert query("select count(distinct cassette) from events", out).rows == [(2,)]
    found = command("index", two[0], none, "-o", out)
    assert found.returncode == exits.CANNOT_JUDGE
    assert "none.cassette" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_query_reads_the_index_and_nothing_else(two: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "corpus.parquet"
    built(two, out)
    secret = tmp_path / "secret.csv"
    secret.write_text("x\n1\n")
    for sql in (
        f"select * from read_csv('{secret}')",
        f"copy events to '{tmp_path / 'stolen.csv'}'",
        "install httpfs",
        f"attach '{tmp_path / 'x.db'}'",
        "set enable_external_access = true",
        "selec",
    ):
        with pytest.raises(UsageError):
            query(sql, out)
    assert sorted(os.listdir(tmp_path)) == ["a.cassette", "b.cassette", "corpus.parquet", "secret.csv"]
    with pytest.raises(CassetteMissing, match="no index"):
        query("select 1", tmp_path / "none.parquet")


def test_the_commands(two: list[Path], tmp_path: Path) -> None:
    made = document("index", cwd=tmp_path, REPLAY_DIR=".")
    assert (made["cassettes"], made["problems"]) == (2, [])
    answer = document(
        "query", "select kind, count(*) as n from events group by kind order by n desc", cwd=tmp_path, REPLAY_DIR="."
    )
    assert answer["columns"] == ["kind", "n"]
    assert sum(n for _, n in answer["rows"]) == made["events"]
    shown = command("query", "select tool, count(*) as n from tool_calls group by tool", cwd=tmp_path, REPLAY_DIR=".")
    assert shown.returncode == exits.SAME
    assert "refund" in shown.stdout
    wrong = command("query", "select nope from events", cwd=tmp_path, REPLAY_DIR=".")
    assert (wrong.returncode, "nope" in wrong.stderr) == (exits.USAGE, True)


POLICY = """
rules:
  - name: no-refunds
    expect: not tool refund called
"""


def test_deviations_lie_beside_the_index(two: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "corpus.parquet"
    built(two, out)
    asked = "select command, path, event, severity, rule from deviations order by command, path"
    assert query(asked, out).rows == []
    first, second = map(str, two)
    differs = Trial(first, "different", "another request", 3, "tool refund 'A-1'", "tool mail", "agent.py:7", "code")
    note(out, "test", of_trials([differs, Trial(second, "unjudged", "a gap \udc80")]))
    noted = query(asked, out).rows
    assert noted == [
        ("test", first, 3, "different", "tool mail instead of tool refund … at agent.py:7"),
        ("test", second, None, "unjudged", "a gap ?"),
    ]
    (tmp_path / "policy.yaml").write_text(POLICY)
    checked = command("check", *two, "--policy", tmp_path / "policy.yaml", "-i", out)
    assert checked.returncode == exits.DIFFERENT, checked.stderr
    both = query(asked, out).rows
    assert [row for row in both if row[0] == "test"] == noted
    assert {(row[0], row[1], row[3], row[4]) for row in both if row not in noted} >= {
        ("check", first, "error", "no-refunds")
    }
    note(out, "test", of_trials([Trial(first, "same")]))  # a later run says what it looked at, and nothing else
    assert [row for row in query(asked, out).rows if row[0] == "test"] == noted[1:]
    built(two[:1], out)
    joined = "select count(*) from deviations join cassettes using (cassette) where rule = 'no-refunds'"
    assert query(joined, out).rows[0][0] >= 1
    assert query("select found > timestamp '2020-01-01' from deviations limit 1", out).rows == [(True,)]
    note(out, "check", of_checks({first: [], second: []}))
    note(out, "test", of_trials([Trial(second, "same")]))
    assert query("select * from deviations", out).rows == []
    deviations_of(out).write_bytes(b"something else")
    with pytest.raises(UsageError, match="isn't what"):
        note(out, "test", {})


def test_the_page_names_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs/corpus.md").read_text()
    for column in (*COLUMNS, *OF_DEVIATION):
        assert f"| `{column.name}` | {column.kind} | {column.meaning} |" in page
    for view in VIEWS:
        assert f"`{view}`" in page
