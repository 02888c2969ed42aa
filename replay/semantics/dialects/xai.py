"""xAI's own API, which is gRPC (`xai_api.Chat/GetCompletion` and `/GetCompletionChunk`); its HTTP API is OpenAI's.

Results of tools have an id only in newer versions of the API; those without get it from their position: the k-th result
after a message with tool calls answers its k-th call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from replay.semantics.call import Message, Part, Tool, Usage
from replay.semantics.dialect import Answered, Asked, Assembled, Dialect, merge
from replay.semantics.loose import arr, loads, number, obj, objs, string, total, without
from replay.semantics.protobuf import BOOL, FLOAT, INT, STRING
from replay.semantics.protobuf import Message as Nested
from replay.semantics.wire import Frame

_ROLES = ("INVALID_ROLE", *(f"ROLE_{r}" for r in ("USER", "ASSISTANT", "SYSTEM", "FUNCTION", "TOOL", "DEVELOPER")))
_CALL_TYPES = (
    *(f"TOOL_CALL_TYPE_{t}" for t in ("INVALID", "CLIENT_SIDE_TOOL", "WEB_SEARCH_TOOL", "X_SEARCH_TOOL")),
    *(f"TOOL_CALL_TYPE_{t}" for t in ("CODE_EXECUTION_TOOL", "COLLECTIONS_SEARCH_TOOL", "MCP_TOOL")),
    "TOOL_CALL_TYPE_ATTACHMENT_SEARCH_TOOL",
)
_STATES = tuple(f"TOOL_CALL_STATUS_{s}" for s in ("IN_PROGRESS", "COMPLETED", "INCOMPLETE", "FAILED"))
_REASONS = tuple(f"REASON_{r}" for r in ("INVALID", "MAX_LEN", "MAX_CONTEXT", "STOP", "TOOL_CALLS", "TIME_LIMIT"))
_MODES = tuple(f"TOOL_MODE_{m}" for m in ("INVALID", "AUTO", "NONE", "REQUIRED"))
_FORMATS = tuple(f"FORMAT_TYPE_{t}" for t in ("INVALID", "TEXT", "JSON_OBJECT", "JSON_SCHEMA"))
_EFFORTS = (
    "INVALID_EFFORT",
    *(f"EFFORT_{e}" for e in ("LOW", "MEDIUM", "HIGH", "NONE", "XHIGH")),
)

_FUNCTION = Nested({1: ("name", STRING), 2: ("arguments", STRING)})
_TOOL_CALL = Nested(
    {
        1: ("id", STRING),
        2: ("type", _CALL_TYPES),
        3: ("status", _STATES),
        4: ("error_message", STRING),
        10: ("function", _FUNCTION),
    }
)
_IMAGE = Nested({1: ("image_url", STRING), 3: ("file_id", STRING)})
_FILE = Nested({1: ("file_id", STRING), 3: ("filename", STRING), 4: ("mime_type", STRING), 5: ("url", STRING)})
_CONTENT = Nested({1: ("text", STRING), 2: ("image_url", _IMAGE), 3: ("file", _FILE)})
_MESSAGE = Nested(
    {
        1: ("content", [_CONTENT]),
        2: ("role", _ROLES),
        3: ("name", STRING),
        4: ("tool_calls", [_TOOL_CALL]),
        5: ("reasoning_content", STRING),
        6: ("encrypted_content", STRING),
        7: ("tool_call_id", STRING),
    }
)
_DECLARED = Nested({1: ("name", STRING), 2: ("description", STRING), 3: ("strict", BOOL), 4: ("parameters", STRING)})
_HOSTED = Nested({})
_TOOL = Nested(
    {
        1: ("function", _DECLARED),
        3: ("web_search", _HOSTED),
        4: ("x_search", _HOSTED),
        5: ("code_execution", _HOSTED),
        6: ("collections_search", _HOSTED),
        7: ("mcp", Nested({1: ("server_label", STRING), 2: ("server_description", STRING), 3: ("server_url", STRING)})),
        8: ("attachment_search", _HOSTED),
        10: ("image_generation", _HOSTED),
    }
)
_REQUEST = {
    1: ("messages", [_MESSAGE]),
    2: ("model", STRING),
    3: ("frequency_penalty", FLOAT),
    7: ("max_tokens", INT),
    8: ("n", INT),
    9: ("presence_penalty", FLOAT),
    10: ("response_format", Nested({1: ("format_type", _FORMATS), 2: ("schema", STRING)})),
    11: ("seed", INT),
    12: ("stop", [STRING]),
    14: ("temperature", FLOAT),
    15: ("top_p", FLOAT),
    16: ("user", STRING),
    17: ("tools", [_TOOL]),
    18: ("tool_choice", Nested({1: ("mode", _MODES), 2: ("function_name", STRING)})),
    19: ("reasoning_effort", _EFFORTS),
    21: ("parallel_tool_calls", BOOL),
    22: ("previous_response_id", STRING),
    25: ("max_turns", INT),
}
_WRITTEN = Nested(
    {
        1: ("content", STRING),
        2: ("role", _ROLES),
        3: ("tool_calls", [_TOOL_CALL]),
        4: ("reasoning_content", STRING),
        5: ("encrypted_content", STRING),
    }
)
_USAGE = Nested(
    {
        1: ("completion_tokens", INT),
        2: ("prompt_tokens", INT),
        3: ("total_tokens", INT),
        4: ("prompt_text_tokens", INT),
        5: ("prompt_image_tokens", INT),
        6: ("reasoning_tokens", INT),
        7: ("cached_prompt_text_tokens", INT),
        8: ("num_sources_used", INT),
        11: ("cost_in_usd_ticks", INT),
    }
)
_SHARED = {1: ("id", STRING)}
_ANSWER = {
    **_SHARED,
    2: ("outputs", [Nested({1: ("finish_reason", _REASONS), 2: ("index", INT), 3: ("message", _WRITTEN)})]),
    6: ("model", STRING),
    7: ("system_fingerprint", STRING),
    9: ("usage", _USAGE),
    10: ("citations", [STRING]),
}
_CHUNK = {
    **_SHARED,
    2: ("outputs", [Nested({1: ("delta", _WRITTEN), 3: ("finish_reason", _REASONS), 4: ("index", INT)})]),
    4: ("model", STRING),
    5: ("system_fingerprint", STRING),
    6: ("usage", _USAGE),
    7: ("citations", [STRING]),
}
_METHODS = {
    "/xai_api.Chat/GetCompletion": (_REQUEST, _ANSWER),
    "/xai_api.Chat/GetCompletionChunk": (_REQUEST, _CHUNK),
}


def speaks(path: str, body: Mapping[str, Any]) -> bool:
    """By the method's name."""
    return path in _METHODS and "messages" in body


def ask(path: str, body: Mapping[str, Any]) -> Asked:
    """The request half."""
    return Asked(
        model=string(body.get("model")),
        messages=tuple(_messages(objs(body.get("messages")))),
        tools=tuple(_tool(raw) for raw in objs(body.get("tools"))),
        params=without(body, ("messages", "model", "tools")),
        stream=path.endswith("Chunk"),
    )


def _messages(raws: Iterable[dict[str, Any]]) -> Iterable[Message]:
    waiting: list[str] = []
    for raw in raws:
        role = (string(raw.get("role")) or "").removeprefix("ROLE_").lower()
        texts = [_content(part) for part in objs(raw.get("content"))]
        if role == "tool":
            given = string(raw.get("tool_call_id")) or (waiting.pop(0) if waiting else None)
            content = "".join(part.content or "" for part in texts)
            yield Message(role, (Part("tool_call_response", content, given, raw=raw),), raw=raw)
            continue
        written = _written({**raw, "content": None})
        waiting = [part.id for part in written if part.type == "tool_call" and part.id] or waiting
        yield Message(role, (*texts, *written), raw=raw)


def _content(raw: Mapping[str, Any]) -> Part:
    if "image_url" in raw:
        return Part("uri", raw=raw)
    return Part("file", raw=raw) if "file" in raw else Part("text", string(raw.get("text")) or "", raw=raw)


def _written(raw: Mapping[str, Any]) -> list[Part]:
    thought, text = string(raw.get("reasoning_content")), string(raw.get("content"))
    parts = [Part("reasoning", thought, raw=thought)] if thought else []
    parts += [Part("text", text, raw=text)] if text else []
    for call in objs(raw.get("tool_calls")):
        function = obj(call.get("function"))
        mine = str(call.get("type", "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL")).endswith("CLIENT_SIDE_TOOL")
        kind, name = "tool_call" if mine else "server_tool_call", string(function.get("name"))
        if raw.get("role") == "ROLE_TOOL":  # the same call again, carried out; what it found is encrypted
            kind += "_response"
        parts.append(Part(kind, string(function.get("arguments")) or "", string(call.get("id")), name, call))
    return parts


def _tool(raw: Mapping[str, Any]) -> Tool:
    declared = obj(raw.get("function"))
    name = string(declared.get("name")) or next(iter(raw), "")
    text = string(declared.get("parameters"))
    return Tool(name, string(declared.get("description")), None if text is None else loads(text), dict(raw))


def answer(whole: Mapping[str, Any]) -> Answered:
    """The answer half: the outputs of one turn (what the provider's tools did comes as outputs of their own) as one
    message. Reasoning tokens come apart from the completion; `Usage.output` has both."""
    outputs = objs(whole.get("outputs"))
    parts = tuple(part for output in outputs for part in _written(obj(output.get("message"))))
    reasons = [string(output.get("finish_reason")) for output in outputs]
    usage = obj(whole.get("usage"))
    return Answered(
        model=string(whole.get("model")),
        output=(Message("assistant", parts, next(filter(None, reversed(reasons)), None), outputs),) if outputs else (),
        usage=Usage(
            input=number(usage.get("prompt_tokens")),
            output=total(usage.get("completion_tokens"), usage.get("reasoning_tokens")),
            cached=number(usage.get("cached_prompt_text_tokens")),
            reasoning=number(usage.get("reasoning_tokens")),
            raw=usage or None,
        ),
        response_id=string(whole.get("id")),
    )


def assemble(frames: Sequence[Frame]) -> Assembled:
    """Deltas of each output joined; a tool call's comes whole. Usage counts on from chunk to chunk: the last stands."""
    whole: dict[str, Any] = {}
    outputs: dict[int, dict[str, Any]] = {}
    for chunk in (obj(frame.data) for frame in frames):
        whole |= {key: value for key, value in chunk.items() if key != "outputs" and value not in ("", {}, [])}
        for new in objs(chunk.get("outputs")):
            known = outputs.setdefault(number(new.get("index")) or 0, {"message": {}})
            delta = obj(new.get("delta")) or obj(new.get("message"))
            calls = [*arr(obj(known["message"]).get("tool_calls")), *arr(delta.get("tool_calls"))]
            known["message"] = merge(without(known["message"], ("tool_calls",)), without(delta, ("tool_calls",)))
            known["message"] |= {"tool_calls": calls} if calls else {}
            known |= {key: value for key, value in without(new, ("delta", "message")).items() if value}
    whole["outputs"] = [outputs[index] for index in sorted(outputs)]
    return Assembled(whole, any(string(output.get("finish_reason")) for output in outputs.values()))


DIALECT = Dialect("xai.chat", "x_ai", "chat", speaks, ask, answer, assemble, rpc=_METHODS)
