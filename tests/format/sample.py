"""What the cassettes under fixtures/cassettes/v1 hold, and how they were made. Run it to make those of a new version:

    python -c "from tests.format.sample import main; main('fixtures/cassettes/v2')"

Never run it over a version that has shipped: its bytes are what the test is about.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from replay.cassette.writer import Writer


class Mood(enum.Enum):
    CALM = "calm"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Order:
    id: int
    lines: list[str]


class Point(NamedTuple):
    x: int
    y: int


class Ident(str):
    __slots__ = ()


class SoldOut(Exception):
    def __init__(self, item: str, left: int) -> None:
        super().__init__(item, left)
        self.left = left


def failure() -> SoldOut:
    error = SoldOut("lamp", 0)
    error.__cause__ = KeyError("lamp")
    error.add_note("asked twice")
    return error


VALUES: dict[str, Any] = {
    "none": None,
    "bools": [True, False],
    "ints": [0, -1, 2**31, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**40],
    "floats": [0.0, -0.0, 1.5, float("inf"), 5e-324],
    "text": ["", "äöü 😀", "\udcff.txt", "line\n"],
    "bytes": b"\x00\xff",
    "nested": {"list": [1, [2, [3]]], "tuple": (1, (2, [3])), "keys": {1: "a", (2, 3): "b", None: "c"}},
    "sets": [{1, 2}, frozenset({"a"}), set[int]()],
    "datetimes": [
        datetime(2026, 11, 23, 4, 37, 0, 123456),  # noqa: DTZ001  naive is a value too
        datetime(2026, 11, 23, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=-5), "EST")),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    ],
    "dates": [date(2026, 2, 28), time(23, 59, 59, 1), time(1, tzinfo=UTC), timedelta(days=-1, microseconds=1)],
    "decimals": [Decimal("1.10"), Decimal("-0"), Decimal("1E+400")],
    "uuid": UUID(int=7),
    "paths": [PurePosixPath("/a/b"), PureWindowsPath("C:\\a")],
    "enums": [Mood.CALM, Level.HIGH],
    "objects": [Order(7, ["lamp"]), Point(1, 2), Ident("x-1")],
    "dicts": [OrderedDict(b=1, a=2), defaultdict(list, {"k": [1]})],
}
"""One of everything that can be stored."""

HISTORY = [
    b'{"messages":[' + b",".join(b'{"role":"user","content":"%04d"}' % n for n in range(60 + i)) + b"]}"
    for i in range(4)
]
"""Bodies that grow at their end, as an agent's do."""


def write(path: Path) -> Writer:
    """The recording, without its end: 10 events."""
    writer = Writer.create(
        path, {"created": "2026-11-23T04:37:00.000Z", "id": "01HF7YAT000000000000000000", "program": "shop"}
    )
    writer.lane(0, "m")
    writer.lane(1, "m/t1")
    writer.site(0, "shop.py", 12, "sell")
    for number, body in enumerate(HISTORY):
        writer.event(0, "llm", "chat", "read", number, 0, {"url": "/v1"}, body, "chat", None, 5, 0, f"answer {number}")
    stream = writer.call(1, "http", "get", "read", 10, None, ["/stream"], None, None, {"agent": "seller"})
    tool = writer.event(0, "tool", "values", "read", 11, 0, None, None, None, None, 1, 0, VALUES)
    assert tool == stream + 1
    writer.ret(stream, 12, 2, {"status": 200}, True)
    writer.chunk(stream, 1, 13, 0, b"first", False)
    writer.event(0, "tool", "sell", "write", 14, 0, {"item": "lamp"}, None, None, {"owner": "shop"}, 2, 1, failure())
    writer.chunk(stream, 1, 15, 0, b"second", True)
    writer.chunk(stream, 1, 16, 3, None, False)
    writer.event(0, "gap", "http", "read", 17, None, "not stored", None, None, None, 0, 0, None)
    writer.track([0, 1, 0, 2])
    writer.blind("thread", "a C extension", 0, 1)
    writer.blind("thread", "a C extension", 0, 2)
    writer.event(0, "clock", "time", "draw", 18, None, ["time"] * 3, None, None, None, 0, 0, [1.5, 2.5, 3.5])
    writer.call(1, "tool", "slow", "read", 19, None, {}, None, None, None)
    writer.flush()
    return writer


def main(name: str) -> None:
    """Writes the three cassettes into a new folder."""
    folder = Path(name)
    folder.mkdir(parents=True)
    write(folder / "open.cassette").close()
    whole = (folder / "open.cassette").read_bytes()
    (folder / "torn.cassette").write_bytes(whole[:-5])
    writer = write(folder / "sealed.cassette")
    writer.end({"exit_code": 3, "exception": None})
    writer.seal()
    writer.close()
