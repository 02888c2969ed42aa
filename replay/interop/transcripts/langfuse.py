"""A trace of Langfuse with its observations, as its page and its API give it; or a list of observations.

    {"id", "name", "observations": [{"id", "type": "GENERATION" | "TOOL" | "SPAN" | "AGENT" | …, "name", "startTime",
      "endTime", "model", "modelParameters", "input", "output", "level", "statusMessage", "usageDetails"}]}

Scores stay outside.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from replay.interop.chat import PARAMETERS
from replay.interop.transcripts.spans import Span, Trace, messages_of, microseconds, read
from replay.semantics.loose import obj, objs, string


def runs(_data: bytes, document: Any) -> list[Trace]:
    """A run for each trace."""
    whole = obj(document)
    traces = [obj(whole["trace"]) | whole] if "trace" in whole else objs(whole.get("traces")) or [whole]
    if isinstance(document, list) or isinstance(whole.get("data"), list):
        listed = objs(document) or objs(whole.get("data"))
        grouped: dict[str, list[dict[str, Any]]] = {}
        for each in listed:
            grouped.setdefault(string(each.get("traceId")) or "", []).append(each)
        traces = [each for each in listed if "observations" in each] or [
            {"id": identity, "observations": found} for identity, found in grouped.items() if identity
        ]
    found = [_trace(each) for each in traces if objs(each.get("observations"))]
    return [each.with_part(part) for part, each in enumerate(found)]


def _trace(trace: dict[str, Any]) -> Trace:
    left: Counter[str] = Counter()
    spans: list[Span] = []
    listed = objs(trace.get("observations"))
    agents = {each.get("id"): string(each.get("name")) for each in listed if each.get("type") == "AGENT"}
    for place, each in enumerate(listed):
        kind = each.get("type")
        if kind == "GENERATION":
            spans.append(_generation(place, each, agents))
        elif kind == "TOOL":
            spans.append(_tool(place, each, agents))
        elif kind != "AGENT":
            left[str(kind)] += 1
    tags = {"trace": str(trace["id"])} if string(trace.get("id")) else {}
    return Trace("langfuse", tuple(spans), string(trace.get("name")) or "", 0, None, tags, left)


def _common(each: dict[str, Any], agents: dict[Any, str | None]) -> dict[str, Any]:
    failed = each.get("level") == "ERROR"
    return {
        "start": microseconds(each.get("startTime")),
        "end": microseconds(each.get("endTime")),
        "error": (string(each.get("statusMessage")) or "error") if failed else None,
        "agent": agents.get(each.get("parentObservationId")),
        "span": string(each.get("id")),
    }


def _generation(place: int, each: dict[str, Any], agents: dict[Any, str | None]) -> Span:
    given = read(each.get("input"))
    parameters = obj(read(each.get("modelParameters")))
    usage = obj(each.get("usageDetails")) or obj(each.get("usage"))
    tools = obj(given).get("tools")
    counted = {"prompt_tokens": usage.get("input"), "completion_tokens": usage.get("output")}
    said = [{**message, "role": "assistant"} for message in messages_of(each.get("output"))]
    return Span(
        place,
        "llm",
        string(each.get("model")) or string(each.get("providedModelName")) or "",
        messages=messages_of(given),
        said=said,
        parameters={key: parameters[key] for key in PARAMETERS if parameters.get(key) is not None},
        tools=tuple(objs(tools)) if isinstance(tools, list) else None,
        usage={name: count for name, count in counted.items() if isinstance(count, int)},
        **_common(each, agents),
    )


def _tool(place: int, each: dict[str, Any], agents: dict[Any, str | None]) -> Span:
    name = string(each.get("name")) or ""
    called = string(obj(read(each.get("metadata"))).get("tool_call_id"))
    return Span(
        place,
        "tool",
        name,
        request=read(each.get("input")),
        response=each.get("output"),
        id=called,
        **_common(each, agents),
    )
