"""P6: how fast a recording replays, and whether it stays as fast."""

from __future__ import annotations

from contextlib import nullcontext
from statistics import median
from types import ModuleType
from typing import Any

import httpcore
import httpx

import replay
from benchmarks.canned import transport
from benchmarks.doors import on, playing, recording
from benchmarks.harness import Row, Timing, clock, main, per_call, scratch
from benchmarks.peers import vcr

EVENTS = 100_000
REQUESTS = 1000
PEERS = 300
ANSWER = [b'{"order_id": "A-1043", "status": "delivered", "total": 129.0}']


@replay.tool(effect="read")
def look_up(order_id: int) -> dict[str, Any]:
    return {"order": order_id, "status": "delivered"}


def rows() -> list[Row]:
    with scratch() as path:
        return [*_functions(path), _http(path)]


def _functions(path: str) -> list[Row]:
    name = f"{path}/functions.cassette"
    with recording(name) as lane, on(lane):
        for number in range(EVENTS):
            look_up(number)
    rates: list[float] = []
    flat: list[float] = []
    tenth = EVENTS // 10
    for _ in range(3):
        with playing(name) as lane, on(lane):
            marks = [clock()]
            for number in range(EVENTS):
                look_up(number)
                if (number + 1) % tenth == 0:
                    marks.append(clock())
        rates.append(EVENTS * 1e9 / (marks[-1] - marks[0]))
        flat.append((marks[-1] - marks[-2]) / (marks[1] - marks[0]))
    rate, slope = median(rates), median(flat)
    return [
        Row(
            "P6",
            "function seam, 100k events",
            "/s",
            rate,
            None,
            None,
            "",
            f"{rate / 1000:.0f}k/s",
            "≥ 100k/s",
            rate >= 1e5,
        ),
        Row("P6", "last decile to first", "x", slope, None, None, "", f"{slope:.2f}", "≤ 1.1", slope <= 1.1),
    ]


def _http(path: str) -> Row:
    name = f"{path}/http.cassette"
    real = httpx.Client(transport=transport(httpx, httpcore, lambda: ANSWER))
    mock = httpx.Client(transport=httpx.MockTransport(lambda _: _answer(httpx)))

    def ask(client: httpx.Client, number: int) -> None:
        client.post("http://shop.test/orders", json={"order": number}).json()

    with recording(name) as lane, on(lane):
        for number in range(REQUESTS):
            ask(real, number)
    with vcr.use_cassette(f"{path}/vcr.yaml", record_mode="all"):
        for number in range(PEERS):
            ask(real, number)

    def replayed() -> float:
        with playing(name) as lane, on(lane):
            return _each(real, REQUESTS)

    def peer() -> float:
        with vcr.use_cassette(
            f"{path}/vcr.yaml", record_mode="none", match_on=["method", "scheme", "host", "path", "query", "body"]
        ):
            return _each(real, PEERS)

    def mocked() -> float:
        with nullcontext():
            return _each(mock, REQUESTS)

    def _each(client: httpx.Client, count: int) -> float:
        numbers = iter(range(count))
        return per_call(lambda: ask(client, next(numbers)), count)

    timing = Timing({"mock": mocked, "ours": replayed, "vcr": peer}, 7)
    times = timing.ratio("ours", "mock")
    return Row(
        "P6",
        "request through httpx (floor: MockTransport)",
        "µs",
        timing["ours"] * 1e6,
        timing["mock"] * 1e6,
        timing["vcr"] * 1e6,
        f"vcrpy, {PEERS} requests",
        f"{times:.2f}x mock",
        "≤ 1.5x mock",
        times <= 1.5,
    )


def _answer(library: ModuleType) -> Any:
    return library.Response(200, headers={"Content-Type": "application/json"}, content=ANSWER[0])


if __name__ == "__main__":
    main(rows)
