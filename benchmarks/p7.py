"""P7: open a cassette of 100k events and read the last one. Floors: the same bytes read, nothing understood."""

from __future__ import annotations

import os
import shutil
import sqlite3
from typing import Any
from zlib import crc32

import replay
from benchmarks.doors import on, recording
from benchmarks.harness import Row, Timing, main, per_call, scratch, seconds
from benchmarks.peers import vcr, vcr_request
from replay.cassette.reader import Reader

EVENTS = 100_000
PEERS = 1000


@replay.tool(effect="read")
def look_up(order_id: int) -> dict[str, object]:
    return {"order": order_id, "status": "delivered"}


def rows() -> list[Row]:
    with scratch() as path:
        sealed, dead = f"{path}/sealed.cassette", f"{path}/dead.cassette"
        database, tapes = f"{path}/db", f"{path}/vcr.yaml"
        with recording(sealed) as lane:
            with on(lane):
                for number in range(EVENTS):
                    look_up(number)
            shutil.copyfile(sealed, dead)  # as if the process had died here
        _fill(database)
        with vcr.use_cassette(tapes, record_mode="all") as tape:
            for number in range(PEERS):
                answer: dict[str, Any] = {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {},
                    "body": {"string": b"delivered"},
                }
                tape.append(vcr_request("POST", "http://shop.test/orders", str(number).encode(), {}), answer)

        def last(cassette: str) -> None:
            with Reader.open(cassette) as reader:
                assert reader.event(-1).request["order_id"] == EVENTS - 1

        def row() -> None:
            connection = sqlite3.connect(database)
            connection.execute("select * from event where id = ?", (EVENTS - 1,)).fetchone()
            connection.close()

        def peer() -> None:
            with vcr.use_cassette(tapes, record_mode="none") as tape:
                assert len(tape) == PEERS

        timing = Timing(
            {
                "sealed": lambda: per_call(lambda: last(sealed), 50),
                "ends": lambda: per_call(lambda: _ends(sealed), 50),
                "sqlite": lambda: per_call(row, 50),
                "dead": lambda: seconds(lambda: last(dead)),
                "sum": lambda: seconds(lambda: _sum(dead)),
            },
            9,
        )
        vcrpy = seconds(peer)
    quick, slow = timing["sealed"], timing["dead"]
    return [
        Row(
            "P7",
            "open, read last of 100k, sealed",
            "µs",
            quick * 1e6,
            timing["ends"] * 1e6,
            timing["sqlite"] * 1e6,
            "sqlite",
            f"{quick * 1e3:.2f} ms",
            "≤ 1 ms",
            quick <= 1e-3,
        ),
        Row(
            "P7",
            "the same, the writer died",
            "ms",
            slow * 1e3,
            timing["sum"] * 1e3,
            vcrpy * 1e3 * EVENTS / PEERS,
            f"vcrpy ({PEERS} opened, x{EVENTS // PEERS})",
            f"{slow * 1e3:.0f} ms",
            "≤ 150 ms",
            slow <= 0.15,
        ),
    ]


def _fill(database: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute("create table event (id integer primary key, data blob)")
    connection.executemany("insert into event values (?, ?)", ((number, b"x" * 80) for number in range(EVENTS)))
    connection.commit()
    connection.close()


def _ends(path: str) -> None:
    """Open it, read 4 KB at each end."""
    fd = os.open(path, os.O_RDONLY)
    os.pread(fd, 4096, 0)
    os.pread(fd, 4096, os.fstat(fd).st_size - 4096)
    os.close(fd)


def _sum(path: str) -> None:
    with open(path, "rb") as file:
        crc32(file.read())


if __name__ == "__main__":
    main(rows)
