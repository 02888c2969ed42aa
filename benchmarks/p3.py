"""P3: streams reach the program as they arrive. 50 chunks, one every 5 ms, from a server on loopback through openai."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import httpcore2
import httpx2
from openai import OpenAI

from benchmarks.canned import transport
from benchmarks.doors import on, recording
from benchmarks.floor import Floor
from benchmarks.harness import Row, Timing, clock, main, scratch
from benchmarks.model import chunk, served
from benchmarks.peers import vcr

PIECES = 1000


def rows() -> list[Row]:
    with scratch() as path, recording(f"{path}/ours.cassette") as lane, served() as url:
        client = OpenAI(api_key="none", base_url=f"{url}/v1")
        watch: dict[str, Callable[[], AbstractContextManager[Any]]] = {
            "bare": nullcontext,
            "ours": lambda: on(lane),
            "vcr": lambda: vcr.use_cassette(f"{path}/vcr.yaml", record_mode="all"),
        }

        def first(name: str) -> float:
            with watch[name]():
                began = clock()
                stream = client.chat.completions.create(
                    model="bench", messages=[{"role": "user", "content": "Go."}], stream=True
                )
                next(iter(stream))
                took = clock() - began
                for _ in stream:
                    pass
            return took / 1e9

        tokens = Timing({name: partial(first, name) for name in watch}, 25)

        flow = httpx2.Client(
            transport=transport(
                httpx2, httpcore2, lambda: [chunk(number) for number in range(PIECES)], b"text/event-stream"
            )
        )
        floor = Floor(f"{path}/floor")

        def each(name: str) -> float:
            with watch[name](), flow.stream("POST", "http://model.test/v1", content=b"{}") as response:
                pieces = response.iter_raw()
                began = clock()
                for _ in pieces:
                    pass
                return (clock() - began) / PIECES / 1e9

        def floored() -> float:
            pieces = [chunk(number) for number in range(PIECES)]
            began = clock()
            for piece in pieces:
                floor.event([0, 1234, 0, piece, False])
            return (clock() - began) / PIECES / 1e9

        pieces = Timing({"bare": lambda: each("bare"), "ours": lambda: each("ours"), "floor": floored}, 15)
        floor.close()
    times, added = (
        tokens["ours"] / tokens["bare"],
        pieces.more("ours", "bare") * 1e6,
    )  # one token is too short for pairs
    return [
        Row(
            "P3",
            "first token of 50, 5 ms apart",
            "ms",
            tokens["ours"] * 1e3,
            tokens["bare"] * 1e3,
            tokens["vcr"] * 1e3,
            "vcrpy",
            f"{times:.2f}x bare",
            "≤ 1.1x bare",
            times <= 1.1,
        ),
        Row(
            "P3",
            "added per chunk of 180 B",
            "µs",
            added,
            pieces["floor"] * 1e6,
            None,
            "",
            f"{added:.1f} µs",
            "≤ 10 µs",
            added <= 10,
        ),
    ]


if __name__ == "__main__":
    main(rows)
