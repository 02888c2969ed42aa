"""OpenAI chat completions (`POST …/chat/completions`), spoken by Azure, Groq, Mistral, OpenRouter, vLLM, … too.

Deviations read as well: `reasoning_content` (DeepSeek, vLLM) and `reasoning` (Groq, OpenRouter), usage under `x_groq`,
tool call fragments without an index (each then is a call of its own), the functions of 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import NO_USAGE, Message, Messages, Part, Tool, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect, merge
from replay.semantics.loose import arr, dumps, number, obj, objs, string, without
from replay.semantics.wire import Frame


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """By path; a bare gateway path will do when the body can be nothing else."""
    return isinstance(body.get("messages"), list) and (
        path.endswith("/chat/completions") or (path in ("", "/v1") and "model" in body and "system" not in body)
    )


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half; Azure's old paths name the model as `deployments/<name>`."""
    before, found, after = path.partition("/deployments/")
    del before
    tools = [_tool(tool) for tool in objs(body.get("tools"))]
    tools += [_tool({"type": "function", "function": function}) for function in objs(body.get("functions"))]
    return Asked(
        model=string(body.get("model")) or (after.partition("/")[0] if found else None),
        messages=Messages(objs(body.get("messages")), message),
        tools=tuple(tools),
        params=without(body, ("model", "messages", "tools", "functions", "stream")),
        stream=body.get("stream") is True,
    )


def _tool(raw: Mapping[str, Any]) -> Tool:
    kind = string(raw.get("type")) or ""
    inner = obj(raw.get(kind))
    return Tool(
        name=string(inner.get("name")) or kind,
        description=string(inner.get("description")),
        parameters=inner.get("parameters"),
        raw=raw,
    )


_MEDIA = {"image_url": "uri", "input_audio": "blob", "audio": "blob", "file": "file", "video_url": "uri"}


def content(value: Any) -> list[Part]:
    """The parts of a `content` field: a string, a list of typed parts, or nothing."""
    if isinstance(value, str):
        return [Part("text", value, raw=value)]
    parts: list[Part] = []
    for raw in objs(value):
        kind = string(raw.get("type")) or "text"
        if kind == "thinking":  # Cohere: text; Mistral: a list of text parts inside
            texts = [string(inner.get("text")) or "" for inner in objs(raw.get("thinking"))]
            parts.append(Part("reasoning", string(raw.get("thinking")) or "".join(texts), raw=raw))
        else:
            text = string(raw.get(kind)) if kind in ("text", "refusal") else None
            parts.append(Part(_MEDIA.get(kind, kind), text, raw=raw))
    return parts


def message(raw: Mapping[str, Any], finish_reason: str | None = None) -> Message:
    """One message, of a request or an answer."""
    role = string(raw.get("role")) or "assistant"
    if role in ("tool", "function"):
        result = Part(
            "tool_call_response", raw.get("content"), string(raw.get("tool_call_id")), string(raw.get("name")), raw
        )
        return Message(role, (result,), raw=raw)
    parts: list[Part] = []
    for key in ("reasoning_content", "reasoning"):
        text = string(raw.get(key))
        if text:
            parts.append(Part("reasoning", text, raw=text))
            break  # OpenRouter sends both, the same
    parts += content(raw.get("content"))
    refusal = string(raw.get("refusal"))
    if refusal:
        parts.append(Part("refusal", refusal, raw=refusal))
    parts += [_call(call) for call in objs(raw.get("tool_calls"))]
    if obj(raw.get("function_call")):
        parts.append(_call({"function": raw["function_call"]}))
    if obj(raw.get("audio")):
        parts.append(Part("blob", raw=raw["audio"]))
    return Message(role, tuple(parts), finish_reason, raw)


def _call(raw: Mapping[str, Any]) -> Part:
    inner = obj(raw.get("function")) or obj(raw.get("custom"))
    arguments = inner.get("arguments", inner.get("input"))
    # Some gateways send the object instead of its text.
    text = arguments if isinstance(arguments, str) else dumps(arguments) if arguments is not None else ""
    return Part("tool_call", text, string(raw.get("id")) or None, string(inner.get("name")), raw)


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half."""
    choices = [message(obj(c.get("message")), string(c.get("finish_reason"))) for c in objs(whole.get("choices"))]
    return Answered(
        model=string(whole.get("model")),
        output=tuple(choices),
        usage=usage(obj(whole.get("usage")) or obj(obj(whole.get("x_groq")).get("usage"))),
        response_id=string(whole.get("id")),
    )


def usage(raw: Mapping[str, Any]) -> Usage:
    """`usage` of chat completions, completions and embeddings."""
    if not raw:
        return NO_USAGE
    read, wrote = obj(raw.get("prompt_tokens_details")), obj(raw.get("completion_tokens_details"))
    cached = number(read.get("cached_tokens"))
    return Usage(
        input=number(raw.get("prompt_tokens")),
        output=number(raw.get("completion_tokens")),
        cached=number(raw.get("prompt_cache_hit_tokens")) if cached is None else cached,  # DeepSeek's name
        reasoning=number(wrote.get("reasoning_tokens")),
        cache_write=number(read.get("cache_write_tokens")),
        raw=raw or None,
    )


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Deltas put together; complete at `[DONE]`, or when every choice has its finish reason (some never send it)."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for frame in frames:
        chunk = obj(frame.data)
        whole |= {key: value for key, value in chunk.items() if key != "choices" and value not in (None, "")}
        for choice in objs(chunk.get("choices")):
            known = choices.setdefault(number(choice.get("index")) or 0, {"message": {}})
            delta = obj(choice.get("delta")) or obj(choice.get("message"))
            _add(known["message"], delta)
            for key, value in without(choice, ("delta", "message")).items():
                known[key] = (
                    merge(known.get(key), value) if key == "logprobs" else known.get(key) if value is None else value
                )
    whole["choices"] = [choices[index] for index in sorted(choices)]
    done = any(frame.event == "[DONE]" for frame in frames)
    return Assembled(whole, done or (bool(choices) and all(c.get("finish_reason") for c in choices.values())))


def _add(known: dict[str, Any], delta: Mapping[str, Any]) -> None:
    calls = arr(known.get("tool_calls"))
    for call in objs(delta.get("tool_calls")):
        old = next((c for c in calls if c.get("index") == call.get("index") is not None), None)
        if old is None:
            calls.append(call)
        elif obj(old.get("function")).get("name") == obj(call.get("function")).get("name"):
            # A name that comes again with every fragment is a label, not a fragment.
            rest = without(obj(call.get("function")), ("name",))
            calls[calls.index(old)] = merge(old, {**call, "function": rest})
        else:
            calls[calls.index(old)] = merge(old, call)
    if calls:
        known["tool_calls"] = calls
    known.update(obj(merge(without(known, ("tool_calls",)), without(delta, ("tool_calls",)))))


DIALECT = Dialect("openai.chat", "openai", "chat", speaks, ask, answer, assemble)
