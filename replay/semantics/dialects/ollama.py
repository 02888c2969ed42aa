"""Ollama's own API (`POST /api/chat`, `/api/generate`); streams are lines of JSON and the default.

Tool calls have no ids in older versions, results name their tool: `name#k`, see `ToolCall.id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Part, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect
from replay.semantics.dialects import openai_chat
from replay.semantics.loose import arr, dumps, number, obj, objs, string, without
from replay.semantics.wire import Frame


def speaks_chat(path: str, body: Mapping[str, Any]) -> bool:
    """By path and `messages`."""
    return path.endswith("/api/chat") and isinstance(body.get("messages"), list)


def speaks_generate(path: str, body: Mapping[str, Any]) -> bool:
    """By path and `prompt`."""
    return path.endswith("/api/generate") and "prompt" in body


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half of both operations; a prompt is one user message. Without `stream` it streams."""
    prompt, system = string(body.get("prompt")), string(body.get("system"))
    asked = openai_chat.ask(path, body)  # tools and params have the same shape
    messages = [_message(item) for item in objs(body.get("messages"))]
    if prompt is not None:
        messages.append(_message({"role": "user", "content": prompt, "images": body.get("images")}))
    return Asked(
        model=asked.model,
        messages=tuple(messages),
        system=(Part("text", system, raw=system),) if system else (),
        tools=asked.tools,
        params=without(asked.params, ("prompt", "system", "images", "options")) | obj(body.get("options")),
        stream=body.get("stream") is not False,
    )


def _message(raw: Mapping[str, Any], reason: str | None = None) -> Message:
    role, text = string(raw.get("role")) or "assistant", string(raw.get("content"))
    if role == "tool":
        name = string(raw.get("tool_name")) or string(raw.get("name"))
        result = Part("tool_call_response", text, string(raw.get("tool_call_id")), name, raw)
        return Message(role, (result,), raw=raw)
    thinking = string(raw.get("thinking"))
    parts = [Part("reasoning", thinking, raw=thinking)] if thinking else []
    parts += [Part("text", text, raw=text)] if text else []
    parts += [Part("blob", raw=image) for image in arr(raw.get("images"))]
    for call in objs(raw.get("tool_calls")):
        function = obj(call.get("function"))
        text = dumps(function.get("arguments") or {})
        parts.append(Part("tool_call", text, string(call.get("id")), string(function.get("name")), call))
    return Message(role, tuple(parts), reason, raw)


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half of both operations."""
    counts = {key: value for key, value in whole.items() if key.endswith(("_count", "_duration"))}
    generated = {"content": whole.get("response"), "thinking": whole.get("thinking")}
    message = obj(whole.get("message")) or (generated if "response" in whole else {})
    return Answered(
        model=string(whole.get("model")),
        output=(_message(message, string(whole.get("done_reason"))),) if message else (),
        usage=Usage(number(whole.get("prompt_eval_count")), number(whole.get("eval_count")), raw=counts or None),
    )


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Texts joined, tool calls in a row; complete at `done`."""
    whole: dict[str, Any] = {}
    for frame in frames:
        chunk = obj(frame.data)
        old = whole
        whole = {**old, **chunk}
        for key in ("response", "thinking"):
            if key in chunk:
                whole[key] = (string(old.get(key)) or "") + (string(chunk[key]) or "")
        if "message" in chunk:
            whole["message"] = _joined(obj(old.get("message")), obj(chunk["message"]))
    return Assembled(whole, whole.get("done") is True)


def _joined(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**old, **new}
    for key in ("content", "thinking"):
        if key in joined:
            joined[key] = (string(old.get(key)) or "") + (string(new.get(key)) or "")
    calls = [*objs(old.get("tool_calls")), *objs(new.get("tool_calls"))]
    return joined | ({"tool_calls": calls} if calls else {})


CHAT = Dialect("ollama.chat", "ollama", "chat", speaks_chat, ask, answer, assemble)
GENERATE = Dialect("ollama.generate", "ollama", "text_completion", speaks_generate, ask, answer, assemble)
