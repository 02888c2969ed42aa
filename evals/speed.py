"""How long `why` takes on a long recording, as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from replay.cassette.writer import Writer

EVENTS = 10_000
RUNS = 3
_URL: dict[str, Any] = {"method": "POST", "url": "https://api.openai.com/v1/chat/completions", "headers": []}
_WINDOW = 300  # messages


def told() -> str:
    """A line with the seconds of a run, the mean of several."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "long.cassette"
        last = write(path)
        before = os.times()
        for _ in range(RUNS):
            subprocess.run(
                [sys.executable, "-m", "replay_cli", "why", str(path), str(last)], check=True, capture_output=True
            )
        after = os.times()
    busy = (after.children_user + after.children_system - before.children_user - before.children_system) / RUNS
    took = (after.elapsed - before.elapsed) / RUNS
    return f"why at the end of {EVENTS} events: {busy:.2f} s of a processor, {took:.2f} s passed"


def write(path: Path) -> int:
    """An agent that looks up one order after another, with notes and clocks between; the last call's event."""
    writer = Writer.create(path, {"argv": ["agent.py"]})
    writer.lane(0, "m")
    messages: list[Any] = [{"role": "user", "content": "Please go through all orders."}]
    last = number = 0
    while writer.events < EVENTS:
        number += 1
        function = {"name": "look_up", "arguments": json.dumps({"order": f"A-{number}"})}
        said: dict[str, object] = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"c{number}", "function": function}],
        }
        body = json.dumps({"model": "m", "messages": messages[-_WINDOW:]}).encode()
        answer = {"status": 200, "body": json.dumps({"choices": [{"message": said}]}).encode()}
        writer.event(0, "http", "POST", "read", 0, None, _URL, body, "c", None, 5, 0, answer)
        text = f"Order A-{number}: 3 lamps, customer C-{number * 7}. Ring twice at Main Street {number} and wait."
        last = writer.event(
            0, "tool", "look_up", "read", 0, None, {"order": f"A-{number}"}, None, None, None, 5, 0, text
        )
        for place in range(3):
            key: dict[str, Any] = {"args": [f"{number}-{place}"], "kwargs": {}}
            note = f"note {place} of order {number} says nothing of interest"
            writer.event(0, "memory", "notes.get", "read", 0, None, key, None, None, None, 5, 0, note)
        messages += [said, {"role": "tool", "tool_call_id": f"c{number}", "content": text}]
    writer.end({"exit_code": 0})
    writer.seal()
    writer.close()
    return last
