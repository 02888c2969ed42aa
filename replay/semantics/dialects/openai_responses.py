"""OpenAI responses (`POST …/responses`): items in, items out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Messages, Part, Tool, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect
from replay.semantics.loose import arr, dumps, number, obj, objs, string, without
from replay.semantics.wire import Frame

# What the caller has to run, and the field that holds what to run it with.
_CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "computer_call": "action",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
}
_RESULTS = frozenset(f"{name}_output" for name in _CALLS)
_CONTENT = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "summary_text": "reasoning",
    "reasoning_text": "reasoning",
    "refusal": "refusal",
    "input_image": "uri",
    "input_audio": "blob",
    "output_audio": "blob",
    "audio": "blob",
    "input_file": "file",
}


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """By path, and input of some kind: a stored prompt or an earlier response will do."""
    return path.endswith("/responses") and any(key in body for key in ("input", "prompt", "previous_response_id"))


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half."""
    del path
    given, instructions = body.get("input"), body.get("instructions")
    return Asked(
        model=string(body.get("model")),
        messages=_said(given) if isinstance(given, str) else Messages(objs(given), _item),
        system=(Part("text", instructions, raw=instructions),) if isinstance(instructions, str) else (),
        tools=tuple(
            Tool(
                string(t.get("name")) or string(t.get("type")) or "",
                string(t.get("description")),
                t.get("parameters"),
                t,
            )
            for t in objs(body.get("tools"))
        ),
        params=without(body, ("model", "input", "instructions", "tools", "stream")),
        stream=body.get("stream") is True,
    )


def _said(text: str) -> tuple[Message, ...]:
    return (Message("user", (Part("text", text, raw=text),), raw=text),)


def _item(raw: Mapping[str, Any]) -> Message:
    kind = string(raw.get("type")) or "message"
    default = "user" if kind == "message" else "tool" if kind in _RESULTS else "assistant"
    return Message(string(raw.get("role")) or default, tuple(_parts(raw)), raw=raw)


def _parts(raw: Mapping[str, Any]) -> list[Part]:
    kind = string(raw.get("type")) or "message"
    call_id = string(raw.get("call_id"))
    if kind in _CALLS:
        given = raw.get(_CALLS[kind])
        text = given if isinstance(given, str) else "" if given is None else dumps(given)
        return [Part("tool_call", text, call_id or string(raw.get("id")), string(raw.get("name")) or kind, raw)]
    if kind in _RESULTS:
        return [Part("tool_call_response", raw.get("output"), call_id, raw=raw)]
    if kind == "message":
        if isinstance(raw.get("content"), str):
            return [Part("text", raw["content"], raw=raw["content"])]
        return [_content(part) for part in objs(raw.get("content"))]
    if kind == "reasoning":
        parts = [_content(part) for part in [*objs(raw.get("summary")), *objs(raw.get("content"))]]
        return parts or [Part("reasoning", None, string(raw.get("id")), raw=raw)]  # encrypted, or withheld
    if kind.endswith(("_call", "mcp_list_tools")):  # run by the provider: web_search_call, mcp_call, …
        return [
            Part("server_tool_call", raw.get("arguments"), string(raw.get("id")), string(raw.get("name")) or kind, raw)
        ]
    return [Part(kind, raw=raw)]


def _content(raw: Mapping[str, Any]) -> Part:
    kind = string(raw.get("type")) or "text"
    spoken = string(raw.get("transcript"))
    if spoken is not None:  # speech, in realtime
        return Part("text", spoken, raw=raw)
    return Part(_CONTENT.get(kind, kind), string(raw.get("refusal" if kind == "refusal" else "text")), raw=raw)


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half: all output items as one message. `finish_reason` is why it is incomplete, else its status."""
    items = objs(whole.get("output"))
    usage = obj(whole.get("usage"))
    details = obj(usage.get("input_tokens_details")) or obj(usage.get("input_token_details"))  # the latter in realtime
    reason = string(obj(whole.get("incomplete_details")).get("reason")) or string(whole.get("status"))
    parts = tuple(part for item in items for part in _parts(item))
    return Answered(
        model=string(whole.get("model")),
        output=(Message("assistant", parts, reason, items),) if items or reason else (),
        usage=Usage(
            input=number(usage.get("input_tokens")),
            output=number(usage.get("output_tokens")),
            cached=number(details.get("cached_tokens")),
            reasoning=number(obj(usage.get("output_tokens_details")).get("reasoning_tokens")),
            raw=usage or None,
        ),
        response_id=string(whole.get("id")),
    )


_FINAL = ("response.done", "response.completed", "response.incomplete", "response.failed", "response.cancelled")
_INDEXED = {"content_index": "content", "summary_index": "summary"}


def assemble(frames: Sequence[Frame]) -> Assembled:
    """The last snapshot, which normally is whole; items put together from deltas where it isn't."""
    whole: dict[str, Any] = {}
    items: dict[int, dict[str, Any]] = {}
    complete = False
    for frame in frames:
        event = obj(frame.data)
        kind = string(event.get("type")) or frame.event
        index = number(event.get("output_index")) or 0
        if "response" in event:
            whole = {**whole, **obj(event["response"])}
            complete = complete or kind in _FINAL
        elif kind in ("response.output_item.added", "response.output_item.done"):
            items[index] = dict(obj(event.get("item")))
        elif kind == "error":
            whole["error"] = obj(event.get("error")) or without(event, ("type",))
        elif kind.endswith(".delta") and isinstance(event.get("delta"), str):
            _add(items.setdefault(index, {}), kind, event)
    if not arr(whole.get("output")):  # cut, or a backend whose last snapshot is empty
        whole["output"] = [items[index] for index in sorted(items)]
    return Assembled(whole, complete)


def _add(item: dict[str, Any], kind: str, event: Mapping[str, Any]) -> None:
    text = event["delta"]
    for key, name in _INDEXED.items():
        at = number(event.get(key))
        if at is not None:
            field, label = "text", "summary_text" if name == "summary" else "output_text"
            if "reasoning_text" in kind:
                label = "reasoning_text"
            elif kind == "response.refusal.delta":
                field = label = "refusal"
            elif "audio" in kind:
                field, label = ("transcript" if "transcript" in kind else "audio"), "output_audio"
            # The cut may have swallowed the event that announced this part.
            parts = list(objs(item.get(name)))
            parts += [{"type": label} for _ in range(at + 1 - len(parts)) if at < 1000]
            if at < len(parts):
                parts[at] = {**parts[at], field: (string(parts[at].get(field)) or "") + text}
            item[name] = parts
            return
    name = "input" if "custom_tool_call_input" in kind else "code" if "_code" in kind else "arguments"
    item[name] = (string(item.get(name)) or "") + text


DIALECT = Dialect("openai.responses", "openai", "chat", speaks, ask, answer, assemble)
