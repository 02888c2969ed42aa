"""Gemini (`POST …/models/M:generateContent` and `:streamGenerateContent`), at the Gemini API and at Vertex.

The wire gives function calls ids only sometimes; those without get `name#k`, see `ToolCall.id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Messages, Part, Tool, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect
from replay.semantics.loose import dumps, number, obj, objs, string, total, without
from replay.semantics.wire import Frame

_PATH = re.compile(r"/([^/:]+):(streamG|g|BidiG)enerateContent$")


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """By path and `contents`."""
    return _PATH.search(path) is not None and "contents" in body


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half; the model is in the path. Both spellings of fields occur (camelCase and snake_case)."""
    found = _PATH.search(path)
    config = {**obj(body.get("generation_config")), **obj(body.get("generationConfig"))}
    system = obj(body.get("systemInstruction", body.get("system_instruction")))
    left = without(
        body,
        ("contents", "systemInstruction", "system_instruction", "tools", "generationConfig", "generation_config"),
    )
    contents = objs(body.get("contents")) or objs([body.get("contents")])  # the API takes a single one as well
    return Asked(
        model=found.group(1) if found else None,
        messages=Messages(contents, _message),
        system=tuple(_part(part) for part in objs(system.get("parts"))),
        tools=tuple(tool for raw in objs(body.get("tools")) for tool in _tools(raw)),
        params={**config, **left},
        stream=bool(found and found.group(2) != "g"),
    )


def _tools(raw: Mapping[str, Any]) -> list[Tool]:
    declared = objs(raw.get("functionDeclarations", raw.get("function_declarations")))
    tools = [
        Tool(
            string(f.get("name")) or "",
            string(f.get("description")),
            f.get("parameters", f.get("parametersJsonSchema", f.get("parameters_json_schema"))),
            f,
        )
        for f in declared
    ]
    named = without(raw, ("functionDeclarations", "function_declarations"))
    return tools + [Tool(name, raw={name: value}) for name, value in named.items()]  # googleSearch, codeExecution


def _message(raw: Mapping[str, Any], reason: str | None = None) -> Message:
    role = string(raw.get("role")) or ("model" if reason else "user")
    return Message(role, tuple(_part(part) for part in objs(raw.get("parts"))), reason, raw)


def _part(raw: Mapping[str, Any]) -> Part:
    call = obj(raw.get("functionCall", raw.get("function_call")))
    result = obj(raw.get("functionResponse", raw.get("function_response")))
    if call:
        return Part("tool_call", dumps(call.get("args") or {}), string(call.get("id")), string(call.get("name")), raw)
    if result:
        return Part(
            "tool_call_response", result.get("response"), string(result.get("id")), string(result.get("name")), raw
        )
    if isinstance(raw.get("text"), str):
        return Part("reasoning" if raw.get("thought") is True else "text", raw["text"], raw=raw)
    for key, kind in (("inlineData", "blob"), ("fileData", "uri"), ("inline_data", "blob"), ("file_data", "uri")):
        if key in raw:
            return Part(kind, raw=raw)
    if "toolCall" in raw:  # run by the provider, like executableCode
        hosted = obj(raw["toolCall"])
        name = string(hosted.get("toolType"))
        return Part("server_tool_call", dumps(hosted.get("args") or {}), string(hosted.get("id")), name, raw)
    if "executableCode" in raw:
        return Part("server_tool_call", string(obj(raw["executableCode"]).get("code")), name="code_execution", raw=raw)
    return Part(next(iter(without(raw, ("thoughtSignature",))), "text"), raw=raw)


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half. The wire counts thoughts apart from the candidates; `Usage.output` has both."""
    usage = obj(whole.get("usageMetadata"))
    thoughts = number(usage.get("thoughtsTokenCount"))
    return Answered(
        model=string(whole.get("modelVersion")),
        output=tuple(
            _message({"role": "model", **obj(c.get("content"))}, string(c.get("finishReason")))
            for c in objs(whole.get("candidates"))
        ),
        usage=Usage(
            input=total(usage.get("promptTokenCount"), usage.get("toolUsePromptTokenCount")),
            output=total(usage.get("candidatesTokenCount"), thoughts),
            cached=number(usage.get("cachedContentTokenCount")),
            reasoning=thoughts,
            raw=usage or None,
        ),
        response_id=string(whole.get("responseId")),
    )


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Each frame is a small whole answer: parts in a row, neighbouring texts of one kind joined."""
    whole: dict[str, Any] = {}
    candidates: dict[int, dict[str, Any]] = {}
    for frame in frames:
        chunk = obj(frame.data)
        whole.update(without(chunk, ("candidates",)))
        for new in objs(chunk.get("candidates")):
            known = candidates.setdefault(number(new.get("index")) or 0, {"content": {"parts": []}})
            known.update(without(new, ("content",)))
            content = obj(new.get("content"))
            known["content"].update(without(content, ("parts",)))
            for part in objs(content.get("parts")):
                append(known["content"]["parts"], part)
    whole["candidates"] = [candidates[index] for index in sorted(candidates)]
    blocked = "blockReason" in obj(whole.get("promptFeedback"))
    ended = bool(candidates) and all(c.get("finishReason") for c in candidates.values())
    return Assembled(whole, ended or blocked)


def append(parts: list[dict[str, Any]], new: dict[str, Any]) -> None:
    """One more part, joined to the last when both are text of one kind."""
    last = parts[-1] if parts else {}
    if (
        isinstance(last.get("text"), str)
        and isinstance(new.get("text"), str)
        and last.get("thought") == new.get("thought")
    ):
        parts[-1] = {**last, **new, "text": last["text"] + new["text"]}
    else:
        parts.append(new)


DIALECT = Dialect("gemini", "gcp.gemini", "generate_content", speaks, ask, answer, assemble)
