"""P1: an event at the function seam. The tool does nothing, so what is measured is the recording of it.

`read` is one write(2) per event, as the floor; `write` (the default) is two, because a call that changes the world is
on the disk before it begins.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import replay
from benchmarks.doors import on, recording
from benchmarks.floor import Floor
from benchmarks.harness import Row, Timing, main, per_call, scratch, seconds
from benchmarks.texts import Texts

CALLS = 3000
TURNS = 15
TAPED = 300


def _spans() -> tuple[Any, Any]:
    """A provider whose exporter costs nothing, and a tracer. Only `make bench` installs OpenTelemetry."""
    trace: Any = import_module("opentelemetry.sdk.trace")
    export: Any = import_module("opentelemetry.sdk.trace.export")

    def dropped(_self: Any, _spans: Any) -> Any:
        return export.SpanExportResult.SUCCESS

    exporter = type("Dropped", (export.SpanExporter,), {"export": dropped})()
    provider = trace.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(exporter))
    return provider, provider.get_tracer("bench")


def rows() -> list[Row]:
    with scratch() as path:
        return [row for size in (200, 2000) for row in _at(path, size)]


def _at(path: str, size: int) -> list[Row]:
    note = Texts().prose(size // 2 - 60)
    answer = {"ok": True, "text": Texts(2).prose(size // 2 - 60)}

    def refund(order_id: str, note: str) -> dict[str, Any]:
        return answer

    reading = replay.tool(effect="read")(refund)
    writing = replay.tool(effect="write")(refund)
    floor = Floor(f"{path}/floor{size}")
    provider, tracer = _spans()

    def floored() -> None:
        value = refund("A-1043", note)
        request = {"order_id": "A-1043", "note": note}
        floor.event([0, "tool", "refund", "read", 123456, 1, request, None, None, 12, 0, value])

    def spanned() -> None:
        with tracer.start_as_current_span("refund") as span:
            span.set_attribute("request", json.dumps({"order_id": "A-1043", "note": note}))
            span.set_attribute("response", json.dumps(refund("A-1043", note)))

    tape: Any = import_module("agenttape")
    taped = tape.tool(refund)
    tapes = itertools.count()

    def all_taped() -> None:
        with tape.use_cassette(f"{path}/{size}-{next(tapes)}", mode="record"):
            for _ in range(TAPED):
                taped("A-1043", note)

    with recording(f"{path}/{size}.cassette") as lane:

        def recorded(tool: Callable[[str, str], Any]) -> float:
            with on(lane):
                return per_call(lambda: tool("A-1043", note), CALLS)

        timing = Timing(
            {
                "bare": lambda: per_call(lambda: refund("A-1043", note), CALLS),
                "off": lambda: per_call(lambda: reading("A-1043", note), CALLS),
                "floor": lambda: per_call(floored, CALLS),
                "read": lambda: recorded(reading),
                "write": lambda: recorded(writing),
                "span": lambda: per_call(spanned, CALLS),
                "tape": lambda: seconds(all_taped) / TAPED,  # it writes at its end
            },
            TURNS,
        )
    floor.close()
    provider.shutdown()
    found: list[Row] = []
    for effect in ("read", "write"):
        times, part = timing.ratio(effect, "floor"), timing.ratio(effect, "span")
        found.append(
            Row(
                "P1",
                f"event of {size} B, effect {effect}",
                "µs",
                timing[effect] * 1e6,
                timing["floor"] * 1e6,
                timing["span"] * 1e6,
                f"OTel span; {timing['tape'] * 1e6:.0f} agenttape",
                f"{times:.2f}x floor, {part:.2f} of a span",
                "≤ 2.5x floor, ≤ 1/3 span",
                times <= 2.5 and part <= 1 / 3,
            )
        )
    if size == 200:
        off = timing.more("off", "bare") * 1e9
        found.append(Row("P1", "recording off", "ns", off, None, None, "", f"{off:.0f} ns", "≤ 300 ns", off <= 300))
    return found


if __name__ == "__main__":
    main(rows)
