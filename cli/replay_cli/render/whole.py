"""One event with everything that was recorded of it."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from replay.model.event import Event
from replay.queries import plain
from replay.queries.words.brief import brief
from replay.queries.words.describe import describe
from replay.semantics import LLMCall, Message, Prices
from replay_cli.render.text import block, one_line


def print_event(console: Console, event: Event, call: LLMCall | None, prices: Prices | None = None) -> None:
    """Headline, facts, then request and outcome in full."""
    kind = event.kind if call is None else "llm"
    console.print(
        Text(f"event {event.id}  {one_line(kind)}  {one_line(describe(event, call, prices)[0].text)}", style="bold")
    )
    took = "no outcome" if event.took is None else f"took {event.took / 1e6:.6f} s"
    facts = {"at": f"{event.at / 1e6:.6f} s, {took}", "lane": event.lane, "effect": event.effect}
    if event.site is not None:
        function = f" in {event.site.function}" if event.site.function else ""
        facts["called from"] = f"{event.site}{function}"
    facts |= {str(key): brief(value) for key, value in event.meta.items()}
    for name, fact in facts.items():
        console.print(Text.assemble((f"  {one_line(name):<12}", "dim"), one_line(fact)))
    shown = plain.event(event)
    if call is not None:
        _conversation(console, call)
    _section(console, "request", shown["request"])
    if event.error is not None:
        _heading(console, "error", "bold red")
        console.print(Text(block(f"{event.error.type}: {event.error.message}")))
    elif event.status == "open":
        _heading(console, "no outcome: the recording ends inside this call", "bold red")
    else:
        _section(console, "response", shown["response"])
    for piece in shown.get("pieces", []):
        if piece["status"] == "closed":
            text = "by the program"
        else:
            text = piece["value"]["$bytes"] if _is_text(piece["value"]) else _json(piece["value"])
        console.print(Text.assemble((f"{piece['at']:10.3f} {piece['status']:<6} ", "dim"), one_line(text)))


def _conversation(console: Console, call: LLMCall) -> None:
    for part in call.system:
        _message(console, "system", part.content)
    for message in (*call.messages, *call.output):
        _heading(console, one_line(message.role), "bold cyan")
        for text in _parts(message):
            console.print(Text(block(text)))
    for warning in call.warnings:
        console.print(Text(f"not read: {one_line(warning)}", style="bold red"))


def _parts(message: Message) -> list[str]:
    lines: list[str] = []
    for part in message.parts:
        content = part.content if isinstance(part.content, str) else _json(plain.value(part.content))
        match part.type:
            case "text":
                lines.append(content)
            case "tool_call" | "server_tool_call":
                lines.append(f"asks: {part.name}({content})  [{part.id}]")
            case "tool_call_response":
                lines.append(f"result of [{part.id}]: {content}")
            case other:
                lines.append(f"{other}: {content}")
    return lines


def _message(console: Console, role: str, content: Any) -> None:
    _heading(console, role, "bold cyan")
    console.print(Text(block(content if isinstance(content, str) else _json(plain.value(content)))))


def _section(console: Console, name: str, value: Any) -> None:
    if value is not None:
        _heading(console, name, "bold")
        console.print(Text(block(value if isinstance(value, str) else _json(value))))


def _heading(console: Console, name: str, style: str) -> None:
    console.print()
    console.print(Text(name, style=style))


def _is_text(value: Any) -> bool:
    return isinstance(value, dict) and "$bytes" in value


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
