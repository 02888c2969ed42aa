"""Amazon Bedrock converse (`POST /model/M/converse` and `/converse-stream`, the latter as an AWS event stream)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Messages, Part, Tool, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect
from replay.semantics.loose import dumps, number, obj, objs, string, total, without
from replay.semantics.wire import Frame

_PATH = re.compile(r"/model/(.+)/converse(-stream)?$")


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """By path and `messages`."""
    return _PATH.search(path) is not None and "messages" in body


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half; the model is in the path."""
    found = _PATH.search(path)
    tools = obj(body.get("toolConfig"))
    left = without(body, ("messages", "system", "toolConfig", "inferenceConfig"))
    choice = {"toolChoice": tools["toolChoice"]} if "toolChoice" in tools else {}
    return Asked(
        model=found.group(1) if found else None,
        messages=Messages(objs(body.get("messages")), _message),
        system=tuple(_part(part) for part in objs(body.get("system"))),
        tools=tuple(_tool(raw) for raw in objs(tools.get("tools"))),
        params={**obj(body.get("inferenceConfig")), **choice, **left},
        stream=bool(found and found.group(2)),
    )


def _tool(raw: Mapping[str, Any]) -> Tool:
    spec = obj(raw.get("toolSpec"))
    name = string(spec.get("name")) or next(iter(raw), "")
    return Tool(name, string(spec.get("description")), obj(spec.get("inputSchema")).get("json"), raw)


def _message(raw: Mapping[str, Any], reason: str | None = None) -> Message:
    return Message(
        string(raw.get("role")) or "assistant", tuple(_part(p) for p in objs(raw.get("content"))), reason, raw
    )


def _part(raw: Mapping[str, Any]) -> Part:
    call, result, reasoning = obj(raw.get("toolUse")), obj(raw.get("toolResult")), raw.get("reasoningContent")
    if call:
        given = call.get("input", {})  # streamed: text, as it came
        text = given if isinstance(given, str) else dumps(given)
        return Part("tool_call", text, string(call.get("toolUseId")), string(call.get("name")), raw)
    if result:
        return Part("tool_call_response", result.get("content"), string(result.get("toolUseId")), raw=raw)
    if reasoning is not None:
        return Part("reasoning", string(obj(obj(reasoning).get("reasoningText")).get("text")), raw=raw)
    if isinstance(raw.get("text"), str):
        return Part("text", raw["text"], raw=raw)
    kind = next(iter(raw), "text")
    return Part("blob" if kind in ("image", "document", "video", "audio") else kind, raw=raw)


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half; like Anthropic's, this wire leaves cached tokens out of `inputTokens`."""
    usage = obj(whole.get("usage"))
    message = obj(obj(whole.get("output")).get("message"))
    cached, written = number(usage.get("cacheReadInputTokens")), number(usage.get("cacheWriteInputTokens"))
    return Answered(
        output=(_message(message, string(whole.get("stopReason"))),) if message else (),
        usage=Usage(
            input=total(usage.get("inputTokens"), cached, written),
            output=number(usage.get("outputTokens")),
            cached=cached,
            cache_write=written,
            raw=usage or None,
        ),
    )


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Blocks put together; `metadata` (usage) comes after `messageStop`."""
    whole: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    role, complete = "assistant", False
    for frame in frames:
        event = obj(frame.data)
        index = number(event.get("contentBlockIndex")) or 0
        match frame.event:
            case "messageStart":
                role = string(event.get("role")) or role
            case "contentBlockStart":
                blocks[index] = {key: dict(obj(value)) for key, value in obj(event.get("start")).items()}
            case "contentBlockDelta":
                _add(blocks.setdefault(index, {}), obj(event.get("delta")))
            case "messageStop":
                whole.update(event)
                complete = True
            case "metadata":
                whole.update(event)
            case name if name.endswith("Exception"):
                whole["error"] = {"type": name, **event}
            case _:
                pass  # contentBlockStop
    if blocks or complete:
        whole["output"] = {"message": {"role": role, "content": [blocks[index] for index in sorted(blocks)]}}
    return Assembled(whole, complete)


def _add(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    if isinstance(delta.get("text"), str):
        block["text"] = (string(block.get("text")) or "") + delta["text"]
    elif "toolUse" in delta:
        call = block.setdefault("toolUse", {})
        call["input"] = (string(call.get("input")) or "") + (string(obj(delta["toolUse"]).get("input")) or "")
    elif "reasoningContent" in delta:
        thought = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {})
        for key, value in obj(delta["reasoningContent"]).items():
            thought[key] = (string(thought.get(key)) or "") + (string(value) or "")
    else:
        block.update(delta)


DIALECT = Dialect("bedrock.converse", "aws.bedrock", "chat", speaks, ask, answer, assemble)
