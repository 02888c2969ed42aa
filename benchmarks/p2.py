"""P2: an LLM call that sends 1 MB of history, through the openai client; the network is canned (`benchmarks.canned`)."""

from __future__ import annotations

from typing import Any

import httpcore2
import httpx2
import vcr
from openai import OpenAI

from benchmarks.canned import transport
from benchmarks.doors import on, recording
from benchmarks.floor import Floor
from benchmarks.harness import Row, Timing, main, scratch, seconds
from benchmarks.model import answer
from benchmarks.texts import Texts, steps

HISTORY = 1_000_000
TURNS = 15


def rows() -> list[Row]:
    texts = Texts(5)
    said = answer(texts.prose(1000), 1)
    with scratch() as path, recording(f"{path}/ours.cassette") as lane:
        client = OpenAI(
            api_key="none",
            base_url="http://model.test/v1",
            http_client=httpx2.Client(transport=transport(httpx2, httpcore2, lambda: [said])),
        )
        histories: dict[str, list[dict[str, Any]]] = {name: _history() for name in ("bare", "ours", "vcr")}
        floor = Floor(f"{path}/floor")

        def ask(name: str) -> float:
            """One more step, and the call. Each case has a history of its own, which grows alike."""
            messages: Any = histories[name]
            messages.append({"role": "user", "content": texts.prose(4000)})
            return seconds(lambda: client.chat.completions.create(model="bench", messages=messages))

        def ours() -> float:
            with on(lane):
                return ask("ours")

        def peer() -> float:
            with vcr.use_cassette(f"{path}/vcr.yaml", record_mode="all"):
                return ask("vcr")

        def floored() -> float:
            body = b"x" * HISTORY
            return seconds(lambda: floor.event([0, "http", "POST", "write", 1, 1, body, None, None, 1, 0, said]))

        timing = Timing({"bare": lambda: ask("bare"), "ours": ours, "vcr": peer, "floor": floored}, TURNS)
        floor.close()
    added, part = timing.more("ours", "bare"), timing.more("ours", "bare") / timing["bare"]
    return [
        Row(
            "P2",
            f"added to a call with 1 MB (client alone {timing['bare'] * 1e3:.1f} ms)",
            "ms",
            added * 1e3,
            timing["floor"] * 1e3,
            timing.more("vcr", "bare") * 1e3,
            "vcrpy, writing later",
            f"{added * 1e3:.2f} ms, {part:.1%} of the client",
            "≤ 0.3 ms, ≤ 1 %",
            added <= 0.3e-3 and part <= 0.01,
        )
    ]


def _history() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [{"role": "system", "content": "You answer with care."}]
    size = 0
    for number, (said, result) in enumerate(steps(7)):
        if size >= HISTORY:
            break
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "search", "arguments": "{}"}}
        made.append({"role": "assistant", "content": said, "tool_calls": [call]})
        made.append({"role": "tool", "tool_call_id": f"call_{number}", "content": result})
        size += len(said) + len(result)
    return made


if __name__ == "__main__":
    main(rows)
