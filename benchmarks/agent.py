"""P10, the program: an agent on the openai client, STEPS calls to a model that takes 50 ms.

python benchmarks/agent.py URL STEPS REPORT
"""

import json
import pathlib
import sys
import time
from typing import Any

from openai import OpenAI


def main() -> None:
    url, steps, report = sys.argv[1:]
    client: Any = OpenAI(api_key="none", base_url=f"{url}/v1")
    messages: list[Any] = [{"role": "user", "content": "Find out why orders arrive late."}]
    began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    for step in range(int(steps)):
        message = client.chat.completions.create(model="bench", messages=messages).choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        result = json.dumps({"order": step, "late": True, "at": time.time()})
        messages.append({"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": result})
    over = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    pathlib.Path(report).write_text(json.dumps({"work": over - began}))


main()
