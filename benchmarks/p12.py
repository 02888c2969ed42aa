"""P12: corpora: what a trial costs beyond the program's own run, two workers against one, an index and its queries."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.harness import Row, main, processor, scratch
from replay.cassette.codec import unpack
from replay.cassette.frame import EVENT
from replay.cassette.reader import Reader
from replay.cassette.writer import Writer
from replay.corpus import local
from replay.corpus.index import index
from replay.corpus.query import query
from replay.corpus.trial import trials
from replay.launch import record_command
from replay.limits import Limits

parquet: Any = import_module("pyarrow.parquet")

TRIALS = 40
CORPUS = 100
INDEXED = 400_000
ASKED = 10_000_000
AGENT = """
import json, sys, time
order = sys.argv[1]
with open("orders.json") as file:
    known = json.load(file)
print("refund", order, known.get(order, 0), time.time())
"""


def rows() -> list[Row]:
    with scratch() as path:
        os.chdir(path)
        Path("agent.py").write_text(AGENT)
        Path("orders.json").write_text("{}")
        record_command([sys.executable, "agent.py", "A1"], "0.cassette", output="discard")
        for number in range(1, CORPUS):
            os.link("0.cassette", f"{number}.cassette")
        return [*_tried([os.path.abspath(f"{number}.cassette") for number in range(CORPUS)]), *_indexed()]


def _tried(paths: list[str]) -> list[Row]:
    plain: list[float] = []
    tried: list[float] = []
    with trials(Limits(seconds=60.0)) as attempt:
        attempt(paths[0])
        for path in paths[:TRIALS]:
            plain.append(_took(_plain))
            tried.append(_took(partial(attempt, path)))
    more = statistics.median(after - before for before, after in zip(plain, tried, strict=True)) * 1e3
    one, two = (_took(partial(_all, paths, workers)) for workers in (1, 2))
    return [
        Row("P12", "a trial of `replay test`", "ms", statistics.median(tried) * 1e3, statistics.median(plain) * 1e3,
            None, "", f"{more:+.1f} ms", "≤ +5 ms", more <= 5),
        Row("P12", f"{CORPUS} trials with two workers", "s", two, None, one, "one worker", f"{one / two:.2f}x",
            "≥ 1.8x", one / two >= 1.8),
    ]  # fmt: skip


def _all(paths: list[str], workers: int) -> None:
    assert {trial.status for trial in local.tried(paths, workers, Limits())} == {"same"}


def _plain() -> None:
    subprocess.run([sys.executable, "agent.py", "A1"], capture_output=True, check=True)


def _indexed() -> list[Row]:
    each = INDEXED // 8
    for number in range(8):
        _write(f"big{number}.cassette", each)
    paths = [f"big{number}.cassette" for number in range(8)]
    alone = min(processor(lambda: list(index(paths, "big.parquet", 1))) for _ in range(2))
    least = processor(lambda: [_unpacked(path) for path in paths])
    both = INDEXED / _took(lambda: list(index(paths, "big.parquet", 2)))
    table = parquet.read_table("big.parquet")
    with parquet.ParquetWriter("huge.parquet", table.schema, compression="zstd") as out:
        for _ in range(ASKED // INDEXED + 1):
            out.write_table(table)
    sql = "select name, status, count(*), avg(took_us) from events group by name, status"
    took = min(_took(lambda: query(sql, "huge.parquet")) for _ in range(3))
    speed = INDEXED / alone / 1e3
    (count,) = query("select count(*) from events", "huge.parquet").rows[0]
    return [
        Row("P12", "replay index: events of 1 s of one processor", "k", speed, INDEXED / least / 1e3, None, "",
            f"{speed:.0f}k, by two processes {both / 1e3:.0f}k per s of the clock", "≥ 200k events/s", speed >= 200),
        Row("P12", f"a group-by over {count / 1e6:.1f} million events", "s", took, None, None, "", f"{took:.2f} s",
            "< 1 s", took < 1),
    ]  # fmt: skip


def _unpacked(path: str) -> int:
    """The floor: each event is read and unpacked, and that's all."""
    with Reader.open(path) as reader:
        return sum(len(unpack(payload)) for type_, _, payload in reader.frames() if type_ == EVENT)


def _write(path: str, events: int) -> None:
    """Small events of the kinds that agents have."""
    writer = Writer.create(path, {"argv": ["python", "agent.py"]})
    writer.lane(0, "m")
    for number in range(events):
        at, meta = number * 10, {"agent": f"a{number % 7}"}
        if number % 5 == 0:
            asked = {"args": [f"A-{number % 100}"], "kwargs": {"amount": number % 50}}
            writer.event(0, "tool", "refund", "write", at, None, asked, None, None, meta, 5, 0, {"ok": True})
        elif number % 5 == 4:
            writer.event(
                0, "tool", "mail", "write", at, None, {"args": ["bob"], "kwargs": {}}, None, None, None, 5, 1, "no"
            )
        else:
            kind, name = (("memory", "get"), ("file", "open"), ("clock", "time"))[number % 5 - 1]
            writer.event(0, kind, name, "read", at, None, {"key": f"k{number % 30}"}, None, None, None, 5, 0, "v")
    writer.end({"exit_code": 0})
    writer.flush()
    writer.seal()
    writer.close()


def _took(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(rows)
