"""Cohere chat (`POST /v2/chat`; `/v1/chat` as far as its text answers go) and rerank (`POST …/rerank`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Part, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect
from replay.semantics.dialects import openai_chat
from replay.semantics.loose import arr, dumps, number, obj, objs, string, without
from replay.semantics.wire import Frame


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """By path and `messages` (v2) or `message` (v1); Ollama's `/api/chat` is another dialect."""
    return (path.endswith("/v2/chat") and isinstance(body.get("messages"), list)) or (
        path.endswith("/v1/chat") and isinstance(body.get("message"), str)
    )


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half; v1 has the history and the new message apart."""
    asked = openai_chat.ask(path, body)  # messages and tools of v2 have OpenAI's shape
    old = [{"role": m.get("role"), "content": m.get("message")} for m in objs(body.get("chat_history"))]
    if isinstance(body.get("message"), str):
        old.append({"role": "USER", "content": body["message"]})
    preamble = string(body.get("preamble"))
    return Asked(
        model=asked.model,
        messages=(*asked.messages, *(openai_chat.message(item) for item in old)),
        system=(Part("text", preamble, raw=preamble),) if preamble else (),
        tools=asked.tools,
        params=without(asked.params, ("message", "chat_history", "preamble")),
        stream=asked.stream,
    )


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half of both versions."""
    raw = obj(whole.get("message")) or ({"role": "CHATBOT", "content": whole["text"]} if "text" in whole else {})
    reason = string(whole.get("finish_reason"))
    usage = obj(whole.get("usage")) or obj(whole.get("meta"))
    tokens = obj(usage.get("tokens"))
    plan = string(raw.get("tool_plan"))
    message = openai_chat.message(raw, reason)
    if plan:  # why it calls the tools
        message = Message(message.role, (Part("reasoning", plan, raw=plan), *message.parts), reason, raw)
    return Answered(
        output=(message,) if raw else (),
        usage=Usage(
            input=number(tokens.get("input_tokens")),
            output=number(tokens.get("output_tokens")),
            cached=number(usage.get("cached_tokens")),
            raw=usage or None,
        ),
        response_id=string(whole.get("id")) or string(whole.get("response_id")),
    )


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Deltas of v2 put together; complete at `message-end`. v1 sends its whole answer in the last frame."""
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {"role": "assistant"}
    content: dict[int, dict[str, Any]] = {}
    calls: dict[int, dict[str, Any]] = {}
    complete = False
    for event in (obj(frame.data) for frame in frames):
        delta = obj(event.get("delta"))
        new, index = obj(delta.get("message")), number(event.get("index")) or 0
        match event.get("type") or event.get("event_type"):
            case "message-start":
                whole["id"] = event.get("id")
            case "content-start" | "content-delta":
                part = content.setdefault(index, {})
                for key, value in obj(new.get("content")).items():
                    part[key] = value if key == "type" else (string(part.get(key)) or "") + (string(value) or "")
            case "tool-plan-delta":
                message["tool_plan"] = (string(message.get("tool_plan")) or "") + (string(new.get("tool_plan")) or "")
            case "tool-call-start":
                calls[index] = dict(obj(new.get("tool_calls")))
            case "tool-call-delta":
                more = string(obj(obj(new.get("tool_calls")).get("function")).get("arguments")) or ""
                call = calls.setdefault(index, {})
                old = obj(call.get("function"))
                call["function"] = {**old, "arguments": (string(old.get("arguments")) or "") + more}
            case "message-end":
                whole |= {"finish_reason": delta.get("finish_reason"), "usage": delta.get("usage")}
                complete = True
            case "stream-end":
                whole |= obj(event.get("response"))
                complete = True
            case _:
                pass  # content-end, tool-call-end, citations
    message["content"] = [content[index] for index in sorted(content)]
    message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return Assembled(whole if "text" in whole else {**whole, "message": message}, complete)


DIALECT = Dialect("cohere.chat", "cohere", "chat", speaks, ask, answer, assemble)


def speaks_rerank(path: str, body: Mapping[str, Any]) -> bool:
    """By path, query and documents; other providers took the shape over."""
    return path.endswith("/rerank") and isinstance(body.get("query"), str) and isinstance(body.get("documents"), list)


def ask_rerank(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half: the query, then each document, as user messages."""
    del path
    texts = [string(item) or dumps(item) for item in (body.get("query"), *arr(body.get("documents")))]
    return Asked(
        model=string(body.get("model")),
        messages=tuple(Message("user", (Part("text", text, raw=text),), raw=text) for text in texts),
        params=without(body, ("model", "query", "documents")),
    )


def answer_rerank(whole: Mapping[str, Any]) -> Answered:
    """The answer half: parts of type `ranking`, best first. It is paid by searches, not by tokens."""
    parts = tuple(Part("ranking", dict(raw), raw=raw) for raw in objs(whole.get("results")))
    tokens = obj(obj(whole.get("meta")).get("tokens"))
    return Answered(
        model=string(whole.get("model")),
        output=(Message("assistant", parts, raw=parts),) if parts else (),
        usage=Usage(number(tokens.get("input_tokens")), number(tokens.get("output_tokens")), raw=whole.get("meta")),
        response_id=string(whole.get("id")),
    )


RERANK = Dialect("cohere.rerank", "cohere", "rerank", speaks_rerank, ask_rerank, answer_rerank, assemble)
