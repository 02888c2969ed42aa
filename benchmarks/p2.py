"""P2: an LLM call that sends 1 MB of history. The network is canned (`benchmarks.canned`).

The client needs 50 ms and more for such a call, and that varies by more than what is promised. So the seam is measured
by itself, at the transport: a request that is made is sent and its answer read. The share is of the median call.
"""

from __future__ import annotations

import json
from typing import Any

import httpcore2
import httpx2
from openai import OpenAI

from benchmarks.canned import transport
from benchmarks.doors import on, recording
from benchmarks.floor import Floor
from benchmarks.harness import Row, Timing, main, scratch, seconds
from benchmarks.model import answer
from benchmarks.peers import vcr
from benchmarks.texts import Texts, steps

HISTORY = 1_000_000
TURNS = 15


def rows() -> list[Row]:
    texts = Texts(5)
    said = answer(texts.prose(1000), 1)
    with scratch() as path, recording(f"{path}/ours.cassette") as lane:
        wire = transport(httpx2, httpcore2, lambda: [said])
        client = OpenAI(
            api_key="none",
            base_url="http://model.test/v1",
            http_client=httpx2.Client(transport=wire),
        )
        histories = {name: _history() for name in ("bare", "ours", "vcr")}
        floor = Floor(f"{path}/floor")

        def request(name: str) -> httpx2.Request:
            """One more step. Each case has a history of its own, which grows alike."""
            messages = histories[name]
            messages.append({"role": "user", "content": texts.prose(4000)})
            content = json.dumps({"model": "bench", "messages": messages}, ensure_ascii=False).encode()
            return httpx2.Request("POST", "http://model.test/v1/chat/completions", content=content)

        def send(made: httpx2.Request) -> float:
            return seconds(lambda: wire.handle_request(made).read())

        def ours() -> float:
            made = request("ours")
            with on(lane):
                return send(made)

        def peer() -> float:
            made = request("vcr")
            with vcr.use_cassette(f"{path}/vcr.yaml", record_mode="all"):
                return send(made)

        def whole() -> float:
            messages: Any = histories["bare"]
            return seconds(lambda: client.chat.completions.create(model="bench", messages=messages))

        def floored() -> float:
            body = request("bare").content
            return seconds(lambda: floor.event([0, "http", "POST", "write", 1, 1, body, None, None, 1, 0, said]))

        timing = Timing(
            {"bare": lambda: send(request("bare")), "ours": ours, "vcr": peer, "floor": floored, "whole": whole}, TURNS
        )
        floor.close()
    added = timing.more("ours", "bare")
    part = added / timing["whole"]
    return [
        Row(
            "P2",
            f"added to a call with 1 MB (client alone {timing['whole'] * 1e3:.0f} ms)",
            "ms",
            added * 1e3,
            timing["floor"] * 1e3,
            timing.more("vcr", "bare") * 1e3,
            "vcrpy, before it writes",
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
