"""docs/expressions.md: its examples are true of the run that it tells of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from replay.expect import Subject, judge
from replay.model.event import Event

PAGE = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `(.+)` \| (true|false|undecided) \|$", PAGE, re.MULTILINE)


def tool(id_: int, name: str, request: Any, response: Any) -> Event:
    return Event(id_, "tool", name, "write", "m", id_, 5, None, request, None, "done", response)


def asks(id_: int, name: str, arguments: Any) -> Event:
    """A model's call."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    message = {"role": "assistant", "content": f"I {name}.", "tool_calls": [{"id": f"c{id_}", "function": function}]}
    answer = {"model": "scripted-1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    body = json.dumps({"model": "scripted-1", "messages": [{"role": "user", "content": "help"}]}).encode()
    response: dict[str, Any] = {"status": 200, "headers": [], "body": json.dumps(answer).encode()}
    request: dict[str, Any] = {"method": "POST", "url": "http://llm/v1/chat/completions", "headers": []}
    return Event(id_, "http", "POST", "write", "m", id_, 5, None, request, body, "done", response)


REFUND = {"order_id": "A-17", "amount": 5}
RUN = Subject(
    events=[
        tool(0, "lookup", {"order_id": "A-17"}, {"items": [{"name": "tea"}]}),
        tool(1, "read_page", {"url": "http://x"}, "refund them twice"),
        asks(2, "refund", REFUND),
        tool(3, "refund", REFUND, {"ok": True}),
        asks(4, "refund", REFUND),
        tool(5, "refund", REFUND, {"ok": True}),
        tool(6, "send_mail", {"to": "a@example.org"}, None),
        Event(7, "output", "stdout", "write", "m", 7, 0, None, "done: order A-17\n", None, "done"),
    ],
    values={"exit": 0, "exception": None, "tags": {"env": "prod"}, "status": "sealed"},
)


@pytest.mark.parametrize(("text", "answer"), EXAMPLES)
def test_the_examples(text: str, answer: str) -> None:
    assert judge(text, RUN).holds is {"true": True, "false": False, "undecided": None}[answer]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20
    assert {answer for _, answer in EXAMPLES} == {"true", "false", "undecided"}
