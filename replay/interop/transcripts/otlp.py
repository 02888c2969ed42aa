"""Traces in OTLP JSON (`{"resourceSpans": …}`, one document or one on each line), in four conventions of attributes:

    gen_ai.*            OpenTelemetry's: messages as attributes (`gen_ai.input.messages`), or in events of the span
    gen_ai.prompt.0.*   OpenLLMetry's: a number for each message; tools by `traceloop.span.kind`
    llm.*, tool.*       OpenInference's: `openinference.span.kind` says what a span is
    gen_ai.tool.*       what a tool was asked and what it answered

A span that is neither of a model nor of a tool is left out, and a blind spot.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from replay.interop.transcripts.spans import Span, Trace, messages_of, read, text
from replay.semantics.loose import arr, obj, objs, string

_TOOL: Final = frozenset(("execute_tool", "tool", "TOOL"))
_LLM: Final = frozenset(("chat", "text_completion", "generate_content", "completion", "LLM"))
_AGENT: Final = frozenset(("invoke_agent", "create_agent", "agent", "AGENT"))
_PARAMETERS: Final = {
    "gen_ai.request.temperature": "temperature",
    "gen_ai.request.top_p": "top_p",
    "gen_ai.request.max_tokens": "max_tokens",
    "gen_ai.request.seed": "seed",
}
_MESSAGE: Final = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
_ROLES: Final = {"human": "user", "model": "assistant", "ai": "assistant"}


def runs(data: bytes, document: Any) -> list[Trace]:
    """A run for each trace id."""
    documents = objs(document) if isinstance(document, list) else [obj(document)]
    if not documents or not all("resourceSpans" in each for each in documents):
        return []
    found: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for each in documents:
        for resource in objs(each.get("resourceSpans")):
            for scope in objs(resource.get("scopeSpans")):
                for span in objs(scope.get("spans")):
                    found.setdefault(_hex(span.get("traceId")), []).append((span, attributes(span.get("attributes"))))
    return [_trace(identity, spans, part) for part, (identity, spans) in enumerate(found.items())]


def attributes(raw: Any) -> dict[str, Any]:
    """`[{"key", "value": {"stringValue" | "intValue" | …}}]` as a dict."""
    return {str(each.get("key")): _value(each.get("value")) for each in objs(raw)}


def _value(raw: Any) -> Any:
    for kind, value in obj(raw).items():
        match kind:
            case "intValue":
                return int(value) if str(value).lstrip("-").isdecimal() else value
            case "arrayValue":
                return [_value(each) for each in arr(obj(value).get("values"))]
            case "kvlistValue":
                return attributes(obj(value).get("values"))
            case _:
                return value
    return None


def _hex(value: Any) -> str:
    """Ids are hexadecimal in OTLP JSON; some writers keep protobuf's base64."""
    raw = string(value) or ""
    if len(raw) in (16, 32) or not raw:
        return raw.lower()
    try:
        return b64decode(raw).hex()
    except ValueError:
        return raw


def _trace(identity: str, found: Sequence[tuple[dict[str, Any], dict[str, Any]]], part: int) -> Trace:
    left: Counter[str] = Counter()
    spans: list[Span] = []
    agents = {_hex(span.get("spanId")): _agent(about, span) for span, about in found if _kind(about) in _AGENT}
    parents = {_hex(span.get("spanId")): _hex(span.get("parentSpanId")) for span, _ in found}
    for place, (span, about) in enumerate(found):
        kind = _kind(about)
        common = _common(span, about, agents, parents)
        if kind in _TOOL:
            spans.append(_tool(place, span, about, common))
        elif kind in _LLM or (kind is None and ("gen_ai.request.model" in about or "llm.model_name" in about)):
            spans.append(_llm(place, span, about, common))
        elif kind not in _AGENT:
            left[kind or "(no agent's)"] += 1
    root = next((span for span, _ in found if not span.get("parentSpanId")), found[0][0])
    trace = identity if re.fullmatch(r"[0-9a-f]{32}", identity) else None
    return Trace("otlp", tuple(spans), string(root.get("name")) or "", part, trace, {}, left)


def _kind(about: Mapping[str, Any]) -> str | None:
    for key in ("gen_ai.operation.name", "openinference.span.kind", "llm.request.type", "traceloop.span.kind"):
        if string(about.get(key)):
            return str(about[key])
    return None


def _agent(about: Mapping[str, Any], span: Mapping[str, Any]) -> str | None:
    for key in ("gen_ai.agent.name", "agent.name", "traceloop.entity.name"):
        if string(about.get(key)):
            return str(about[key])
    return string(span.get("name"))


def _common(
    span: Mapping[str, Any], about: Mapping[str, Any], agents: Mapping[str, str | None], parents: Mapping[str, str]
) -> dict[str, Any]:
    agent = string(about.get("gen_ai.agent.name"))
    above, seen = parents.get(_hex(span.get("spanId")), ""), set[str]()
    while agent is None and above and above not in seen:
        seen.add(above)
        agent = agents.get(above)
        above = parents.get(above, "")
    status = obj(span.get("status"))
    failed = status.get("code") in (2, "STATUS_CODE_ERROR")
    why = string(status.get("message")) or string(about.get("error.type")) or "error"
    return {
        "start": _time(span.get("startTimeUnixNano")),
        "end": _time(span.get("endTimeUnixNano")),
        "agent": agent,
        "error": why if failed else None,
        "span": _hex(span.get("spanId")),
    }


def _time(value: Any) -> int | None:
    """Nanoseconds, a number or its digits."""
    digits = str(value)
    return int(digits) // 1000 if digits.isdecimal() and len(digits) < 25 and int(digits) else None


def _first(about: Mapping[str, Any], *keys: str) -> Any:
    return next((about[key] for key in keys if about.get(key) is not None), None)


def _tool(place: int, span: Mapping[str, Any], about: Mapping[str, Any], common: dict[str, Any]) -> Span:
    name = _first(about, "gen_ai.tool.name", "tool.name", "traceloop.entity.name") or span.get("name")
    asked = read(
        _first(about, "gen_ai.tool.call.arguments", "tool.parameters", "input.value", "traceloop.entity.input")
    )
    answer = read(_first(about, "gen_ai.tool.call.result", "output.value", "traceloop.entity.output"))
    called = string(_first(about, "gen_ai.tool.call.id", "tool_call.id", "tool.id"))
    return Span(place, "tool", str(name), request=asked, response=answer, id=called, **common)


def _llm(place: int, span: Mapping[str, Any], about: Mapping[str, Any], common: dict[str, Any]) -> Span:
    model = _first(about, "gen_ai.request.model", "llm.model_name", "gen_ai.response.model")
    given, said = _messages(span, about)
    parameters = {ours: about[theirs] for theirs, ours in _PARAMETERS.items() if about.get(theirs) is not None}
    parameters |= {
        key: value
        for key, value in obj(read(about.get("llm.invocation_parameters"))).items()
        if key in _PARAMETERS.values()
    }
    usage = {
        "prompt_tokens": _first(
            about, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"
        ),
        "completion_tokens": _first(
            about, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"
        ),
    }
    return Span(
        place,
        "llm",
        str(model or ""),
        messages=given,
        said=said,
        parameters=parameters,
        tools=_offered(about),
        usage={name: count for name, count in usage.items() if isinstance(count, int)},
        **common,
    )


def _offered(about: Mapping[str, Any]) -> tuple[dict[str, Any], ...] | None:
    found = read(about.get("gen_ai.tool.definitions"))
    if isinstance(found, list):
        return tuple(objs(found))
    tree = _tree(about, "llm.tools")
    schemas = [obj(read(obj(obj(each).get("tool")).get("json_schema"))) for each in arr(tree)]
    return tuple(schemas) if schemas else None


def _messages(span: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What it was given and what it said, in whichever convention they stand."""
    events = objs(span.get("events"))
    details = {key: value for each in events for key, value in attributes(each.get("attributes")).items()}
    both = {**details, **about}
    if "gen_ai.input.messages" in both or "gen_ai.output.messages" in both:
        system = (
            [_parts({"role": "system", "parts": read(both["gen_ai.system_instructions"])})]
            if both.get("gen_ai.system_instructions")
            else []
        )
        given = [_parts(each) for each in messages_of(both.get("gen_ai.input.messages"))]
        return [*system, *given], [_parts(each) for each in messages_of(both.get("gen_ai.output.messages"))]
    for prompt, completion, inner in (
        ("llm.input_messages", "llm.output_messages", "message"),
        ("gen_ai.prompt", "gen_ai.completion", ""),
    ):
        given, said = arr(_tree(about, prompt)), arr(_tree(about, completion))
        if given or said:
            return [_numbered(each, inner) for each in given], [_numbered(each, inner) for each in said]
    given_events = [_told(each) for each in events if _MESSAGE.fullmatch(str(each.get("name")))]
    choices = [_told(each) for each in events if each.get("name") == "gen_ai.choice"]
    if given_events or choices:
        return given_events, choices
    return messages_of(about.get("input.value")), messages_of(about.get("output.value"))


def _parts(message: Mapping[str, Any]) -> dict[str, Any]:
    """OpenTelemetry's `{"role", "parts": [{"type": "text" | "tool_call" | "tool_call_response" | "reasoning"}]}`."""
    if "parts" not in message:
        return dict(message)
    found: dict[str, Any] = {"role": message.get("role")}
    texts: list[Any] = []
    for part in objs(message.get("parts")):
        kind = part.get("type")
        if kind == "tool_call":
            call = {"id": part.get("id"), "function": {"name": part.get("name"), "arguments": part.get("arguments")}}
            found.setdefault("tool_calls", []).append(call)
        elif kind == "tool_call_response":
            answer = part.get("response", part.get("result"))
            found |= {"role": "tool", "tool_call_id": part.get("id")}
            texts.append({"type": "text", "text": text(answer)})
        elif kind == "reasoning":
            found["reasoning_content"] = part.get("content")
        elif kind == "text":
            texts.append({"type": "text", "text": part.get("content")})
        else:
            texts.append(dict(part))
    return {**found, "content": texts}


def _numbered(raw: Any, inner: str) -> dict[str, Any]:
    """One of `….0.role`, `….0.content`, `….0.tool_calls.0.…`."""
    message = obj(obj(raw).get(inner)) if inner else obj(raw)
    calls: list[dict[str, Any]] = []
    for each in objs(message.get("tool_calls")):
        call = obj(each.get("tool_call")) or each
        function = obj(call.get("function")) or call
        calls.append(
            {"id": call.get("id"), "function": {"name": function.get("name"), "arguments": function.get("arguments")}}
        )
    role = str(message.get("role") or "assistant")
    content = message.get("content")
    blocks = [obj(obj(each).get("message_content")) for each in arr(message.get("contents"))]
    found = {**message, "role": _ROLES.get(role, role), "content": content if content is not None else blocks}
    return {**found, "tool_calls": calls} if calls else found


def _told(event: Mapping[str, Any]) -> dict[str, Any]:
    """`gen_ai.user.message`, `gen_ai.choice` and the like, as events of a span."""
    about = attributes(event.get("attributes"))
    body = obj(read(about.get("gen_ai.event.content"))) or {key: read(value) for key, value in about.items()}
    message = obj(body.get("message")) or body
    named = _MESSAGE.fullmatch(str(event.get("name")))
    role = named[1] if named else "assistant"
    found: dict[str, Any] = {"role": role, "content": message.get("content"), "tool_calls": message.get("tool_calls")}
    return {**found, "tool_call_id": body.get("id")} if role == "tool" else found


def _tree(about: Mapping[str, Any], prefix: str) -> Any:
    """`prefix.0.a.b` and so on, as lists and objects; None where there is none."""
    root: dict[str, Any] = {}
    for key, value in about.items():
        if not key.startswith(prefix + "."):
            continue
        *above, last = key[len(prefix) + 1 :].split(".")
        at = root
        for name in above:
            inner = at.setdefault(name, {})
            at = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
        at.setdefault(last, value)
    return _listed(root) if root else None


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(each) for key, each in obj(value).items()}
    if inner and all(key.isdecimal() and len(key) < 7 for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
