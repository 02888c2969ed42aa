"""A small support agent: it answers one ticket, and keeps notes that outlive the conversation.

python -m replay.demo.agent NOTES.json "ticket"        # the model's address comes from AGENT_BASE_URL
"""

import inspect
import json
import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openai import OpenAI

import replay

BASE = os.environ.get("AGENT_BASE_URL", "http://127.0.0.1:8080")
SYSTEM = """You are the support agent of Lantern & Oak, a small furniture shop.
Look an order up before you refund it. Write the customer an e-mail about what you did.
What you noted in earlier conversations:
{notes}"""


class NoteFile(dict[str, str]):
    """Notes by topic, in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(json.loads(path.read_text()) if path.exists() else {})
        self.path = path

    def __setitem__(self, topic: str, text: str) -> None:
        super().__setitem__(topic, text)
        self.path.write_text(json.dumps(self, indent=1))


notes = replay.memory(NoteFile(Path(sys.argv[1] if len(sys.argv) > 1 else "notes.json")), name="notes")
used: list[tuple[str, str]] = []


def call(path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@replay.tool(effect="read", owner="orders")
def lookup_order(order_id: str) -> Any:
    """Look an order up."""
    return call(f"/orders/{order_id}")


@replay.tool(effect="write", owner="payments")
def refund(order_id: str, amount: float) -> Any:
    """Pay an order's money back."""
    return call("/refunds", {"order_id": order_id, "amount": amount})


@replay.tool(effect="write", owner="messaging")
def send_email(to: str, subject: str, body: str) -> Any:
    """Send the customer an e-mail."""
    return call("/emails", {"to": to, "subject": subject, "body": body})


def save_note(topic: str, text: str) -> Any:  # recorded as what it is, a write to memory
    """Remember something for later conversations."""
    notes[topic] = text
    return {"saved": topic}


TOOLS: dict[str, Callable[..., Any]] = {tool.__name__: tool for tool in (lookup_order, refund, send_email, save_note)}


def use(name: str, arguments: str) -> Any:
    used.append((name, arguments))
    return TOOLS[name](**json.loads(arguments))


def described(tool: Callable[..., Any]) -> Any:
    kinds = {str: "string", float: "number"}
    properties = {name: {"type": kinds[each.annotation]} for name, each in inspect.signature(tool).parameters.items()}
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": tool.__name__, "description": tool.__doc__, "parameters": parameters},
    }


def answer(ticket: str) -> str:
    client = OpenAI(base_url=f"{BASE}/v1", api_key=os.environ.get("OPENAI_API_KEY", "none"))
    system = SYSTEM.format(notes="\n".join(f"- {topic}: {notes[topic]}" for topic in notes))
    messages: list[Any] = [{"role": "system", "content": system}, {"role": "user", "content": ticket}]
    while True:
        tools = [described(tool) for tool in TOOLS.values()]
        reply = client.chat.completions.create(model="support-1", messages=messages, tools=tools).choices[0].message
        messages.append(reply.to_dict())
        if reply.content:
            print(f"agent: {reply.content}")
        if not reply.tool_calls:
            return reply.content or ""
        for made in reply.tool_calls:
            if made.type == "function":
                result = use(made.function.name, made.function.arguments)
                print(f"  {made.function.name}({made.function.arguments}) -> {json.dumps(result)}")
                messages.append({"role": "tool", "tool_call_id": made.id, "content": json.dumps(result)})


if __name__ == "__main__":
    answer(sys.argv[2] if len(sys.argv) > 2 else sys.stdin.read())
