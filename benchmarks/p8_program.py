"""Records the runs that P8 compares: `python p8_program.py '{"none": path, "tail": path, …}'`."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import uuid
from typing import Any

import httpcore
import httpx

import replay
from benchmarks.canned import transport
from benchmarks.texts import Texts

TASKS, TURNS = 84, 4
_IDS = re.compile(r"call_\w+")


class Model:
    """Answers by what it is asked, with ids and seconds of its own."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def answer(self) -> list[bytes]:
        said = [message["content"] for message in self.asked[1:]]
        seen = hashlib.sha256(_IDS.sub("", json.dumps(said)).encode()).hexdigest()[:6]
        function = {"name": "look", "arguments": json.dumps({"turn": len(said) // 2})}
        message = {
            "role": "assistant",
            "content": f"Having seen {seen} I look on.",
            "tool_calls": [{"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}],
        }
        whole = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion", "created": int(time.time())}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        return [json.dumps({**whole, "model": "scripted", "choices": choices}).encode()]


def run(edit: str) -> None:
    model, texts = Model(), Texts()
    client = httpx.Client(transport=transport(httpx, httpcore, model.answer))
    known: dict[str, Any] = {"policy": "brief"}
    notes = replay.memory(known, name="notes")
    results = [[texts.prose(600) for _ in range(TURNS)] for _ in range(TASKS)]
    if edit == "changes":
        for task in range(3, 3 + 8 * 10, 8):
            results[task][TURNS - 1] += " and something else"
    if edit == "tail":
        results[TASKS // 2][0] += " and something else"

    @replay.tool(effect="read")
    def look(task: int, turn: int) -> str:
        return results[task][turn]

    @replay.tool
    def check() -> None:
        """Once, in one of the runs."""

    carry = "nothing"
    for task in range(TASKS):
        prompt = f"You are an agent. It is {time.strftime('%Y-%m-%d %H:%M:%S')}."
        messages: list[Any] = [{"role": "system", "content": prompt}]
        messages.append({"role": "user", "content": f"Task {task}, after {carry}."})
        if edit == "inserted" and task == TASKS // 2:
            check()
        for turn in range(TURNS):
            model.asked = messages
            body = {"model": "scripted", "messages": messages, "temperature": 0}
            answer = client.post("http://model.test/v1/chat/completions", json=body).json()
            messages.append(answer["choices"][0]["message"])
            call = messages[-1]["tool_calls"][0]
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": look(task, turn)})
            notes[f"{task}.{turn}"] = len(messages[-1]["content"])
        carry = messages[-2]["content"]


def main() -> None:
    for edit, path in json.loads(sys.argv[1]).items():
        with replay.record(path):
            run(edit)


if __name__ == "__main__":
    main()
