"""Anthropic messages (`POST …/messages`; at Vertex `…:rawPredict`, at Bedrock `…/invoke`).

The clouds serve other makers' models on these paths too: there `anthropic_version` in the request tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Messages, Part, Tool, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect, merge
from replay.semantics.loose import dumps, loads, number, obj, objs, string, total, without
from replay.semantics.wire import Frame

_HOSTED = re.compile(r"/models?/([^/]+?)(?::rawPredict|:streamRawPredict|/invoke|/invoke-with-response-stream)$")


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """By path, and at the clouds by `anthropic_version`."""
    hosted = _HOSTED.search(path) is not None and "anthropic_version" in body
    return isinstance(body.get("messages"), list) and (hosted or path.endswith("/messages"))


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half."""
    hosted = _HOSTED.search(path)
    return Asked(
        model=string(body.get("model")) or (hosted.group(1) if hosted else None),
        messages=Messages(objs(body.get("messages")), _message),
        system=tuple(_content(body.get("system"))),
        tools=tuple(
            Tool(string(t.get("name")) or "", string(t.get("description")), t.get("input_schema"), t)
            for t in objs(body.get("tools"))
        ),
        params=without(body, ("model", "messages", "system", "tools", "stream")),
        stream=body.get("stream") is True or path.endswith(("/invoke-with-response-stream", ":streamRawPredict")),
    )


def _message(raw: Mapping[str, Any]) -> Message:
    return Message(string(raw.get("role")) or "user", tuple(_content(raw.get("content"))), raw=raw)


def _content(value: Any) -> list[Part]:
    if isinstance(value, str):
        return [Part("text", value, raw=value)]
    return [_block(raw) for raw in objs(value)]


def _block(raw: Mapping[str, Any]) -> Part:
    kind = string(raw.get("type")) or "text"
    name, call_id = string(raw.get("name")), string(raw.get("id"))
    match kind:
        case "text":
            return Part("text", string(raw.get("text")), raw=raw)
        case "thinking":
            return Part("reasoning", string(raw.get("thinking")), raw=raw)
        case "redacted_thinking":
            return Part("reasoning", None, raw=raw)
        case "tool_use":
            return Part("tool_call", _input(raw), call_id, name, raw)
        case "tool_result":
            return Part("tool_call_response", raw.get("content"), string(raw.get("tool_use_id")), raw=raw)
        case "image" | "document":
            source = obj(raw.get("source"))
            return Part("uri" if source.get("type") == "url" else "blob", raw=raw)
        case "server_tool_use" | "mcp_tool_use":
            return Part("server_tool_call", _input(raw), call_id, name, raw)
        case _:
            return Part(kind, raw=raw)


def _input(raw: Mapping[str, Any]) -> str:
    # `partial_json` is ours: the text of a streamed input, kept as it came (it may be cut).
    return string(raw.get("partial_json")) or dumps(raw.get("input", {}))


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half. `input_tokens` of this wire leaves cached tokens out; the conventions count them in."""
    usage = obj(whole.get("usage"))
    cached, written = number(usage.get("cache_read_input_tokens")), number(usage.get("cache_creation_input_tokens"))
    parts = tuple(_content(whole.get("content")))
    reason = string(whole.get("stop_reason"))
    return Answered(
        model=string(whole.get("model")),
        output=(Message(string(whole.get("role")) or "assistant", parts, reason, whole),) if parts or reason else (),
        usage=Usage(
            input=total(usage.get("input_tokens"), cached, written),
            output=number(usage.get("output_tokens")),
            cached=cached,
            cache_write=written,
            raw=usage or None,
        ),
        response_id=string(whole.get("id")),
    )


# delta type -> (its field, the block's field)
_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "partial_json"),
}


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Blocks put together from their deltas; counts of the last `message_delta` replace those of the start."""
    whole: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    complete = False
    for frame in frames:
        event = obj(frame.data)
        kind = string(event.get("type")) or frame.event
        index = number(event.get("index")) or 0
        match kind:
            case "message_start":
                whole.update(obj(event.get("message")))
            case "content_block_start":
                blocks[index] = dict(obj(event.get("content_block")))
            case "content_block_delta":
                _add(blocks.setdefault(index, {}), obj(event.get("delta")))
            case "message_delta":
                whole.update(obj(event.get("delta")))
                counts = {k: v for k, v in obj(event.get("usage")).items() if v is not None}
                whole["usage"] = {**obj(whole.get("usage")), **counts}
            case "message_stop":
                complete = True
            case "error":
                whole["error"] = event.get("error")
            case _:
                pass  # ping, content_block_stop
    for block in blocks.values():
        if "partial_json" in block:
            block["input"] = loads(block["partial_json"]) or {}
    if blocks:
        whole["content"] = [blocks[index] for index in sorted(blocks)]
    return Assembled(whole, complete)


def _add(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    source, target = _DELTAS.get(string(delta.get("type")) or "", ("", ""))
    if source:
        # A block whose start was cut off gets the type that its deltas imply.
        block.setdefault("type", {"partial_json": "tool_use", "signature": "thinking"}.get(target, target))
        block[target] = (string(block.get(target)) or "") + (string(delta.get(source)) or "")
    elif "citation" in delta:
        block["citations"] = merge(block.get("citations") or [], [delta["citation"]])


DIALECT = Dialect("anthropic.messages", "anthropic", "chat", speaks, ask, answer, assemble)
