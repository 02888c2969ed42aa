"""W1, the program: an agent of N steps on the openai client, which sends its whole history with each.

    python benchmarks/w1.py URL N REPORT [vcr]

At its end it writes what it used into REPORT: JSON with the highest resident size and the instant of its last line.
"""

import json
import pathlib
import sys
import time
from typing import Any

from openai import OpenAI

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from benchmarks.texts import steps

TOOL = {"name": "search", "description": "Searches the knowledge base.", "parameters": {"type": "object"}}


def work(url: str, count: int) -> None:
    client: Any = OpenAI(api_key="none", base_url=f"{url}/v1")
    results = steps()
    messages: list[Any] = [
        {"role": "system", "content": "You are a careful research assistant."},
        {"role": "user", "content": "Find out why orders arrive late, and write it down."},
    ]
    for _ in range(count):
        answer = client.chat.completions.create(
            model="bench", messages=messages, tools=[{"type": "function", "function": TOOL}]
        )
        message = answer.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        _, result = next(results)
        messages.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": result})


def resident() -> int:
    """Highest resident size so far, in KB."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    url, count, report, *more = sys.argv[1:]
    if more:
        from benchmarks.peers import vcr

        with vcr.use_cassette(report + ".yaml", record_mode="all"):
            work(url, int(count))
    else:
        work(url, int(count))
    pathlib.Path(report).write_text(json.dumps({"kb": resident(), "end": time.clock_gettime_ns(time.CLOCK_MONOTONIC)}))


main()
