"""MCP messages in words."""

from __future__ import annotations

from typing import Any

from replay.model.event import Event
from replay.model.visible import plural
from replay.queries.shapes import is_sequence, mapping
from replay.queries.words.brief import arguments, brief
from replay.semantics.mcp import ToolChange

_TARGETS = frozenset(("name", "uri", "arguments", "_meta"))


def headline(event: Event) -> str:
    """`tools/call get_weather(city='Graz') → '21 °C'`, `stdio python server.py → 12 messages`."""
    sent = mapping(event.request)
    if "transport" in sent:
        return f"{event.name} → {plural(sum(piece.status == 'piece' for piece in event.pieces), 'message')}"
    if "method" not in sent:
        return f"{event.name} → {_said(sent)}" if sent else event.name
    params = mapping(sent.get("params"))
    given = params.get("arguments") or {key: value for key, value in params.items() if key not in _TARGETS}
    text = f"{event.name}({arguments({'kwargs': mapping(given)})})"
    if event.error is not None or "id" not in sent:
        return text
    return f"{text} → {_said(event.response)}" if event.response else f"{text} → no answer"


def failed(event: Event) -> bool:
    """Whether the answer is an error, of the protocol or of the tool."""
    answer = mapping(event.response)
    return "error" in answer or mapping(answer.get("result")).get("isError") is True


def change(item: ToolChange) -> str:
    """`tools of stdio python server.py changed: added refund (event 10, piece 7)`."""
    where = f"(event {item.event}, piece {item.piece})"
    if item.announced:
        return f"tools of {item.server}: the server says that they have changed {where}"
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (("added", item.added), ("removed", item.removed), ("other definition of", item.changed))
        if names
    ]
    return f"tools of {item.server} changed: {'; '.join(parts)} {where}"


def _said(answer: Any) -> str:
    answer = mapping(answer)
    if "error" in answer:
        error = mapping(answer["error"])
        return f"error {error.get('code')}: {error.get('message')}"
    result = mapping(answer.get("result"))
    content = result.get("content")
    if is_sequence(content) and all(mapping(block).get("type") == "text" for block in content):
        texts = [mapping(block).get("text") for block in content]
        return ("error: " if result.get("isError") else "") + brief(texts[0] if len(texts) == 1 else texts)
    tools = result.get("tools")
    if is_sequence(tools):
        return f"{plural(len(tools), 'tool')}: {', '.join(str(mapping(tool).get('name')) for tool in tools)}"
    return brief({key: value for key, value in result.items() if key != "_meta"})
