"""Runs of LangSmith: as exported, one object a line or a list, or nested by `child_runs`.

    {"id", "name", "run_type": "llm" | "chat_model" | "tool" | "chain" | …, "start_time", "end_time", "trace_id",
     "inputs": {"messages": …},
     "outputs": {"generations" | "choices" | "output": …}, "extra", …}

Messages are OpenAI's, or LangChain's (`{"lc": 1, "kwargs": {"content", "tool_calls": [{"name", "args"}]}}`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from replay.interop.chat import PARAMETERS
from replay.interop.transcripts.spans import Span, Trace, messages_of, microseconds, read
from replay.semantics.loose import arr, obj, objs, string

_ROLES: Final = {"human": "user", "ai": "assistant", "aimessagechunk": "assistant", "chat": "user"}


def runs(_data: bytes, document: Any) -> list[Trace]:
    """A run for each trace in a file."""
    listed = objs(document) if isinstance(document, list) else [obj(document)]
    found = [each for each in _flat(listed) if "run_type" in each]
    traces: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        traces.setdefault(string(each.get("trace_id")) or "", []).append(each)
    return [_trace(identity, each, part) for part, (identity, each) in enumerate(traces.items())]


def _flat(listed: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    waiting = list(listed)[::-1]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += objs(each.get("child_runs"))[::-1]


def _trace(identity: str, found: list[dict[str, Any]], part: int) -> Trace:
    left: Counter[str] = Counter()
    spans: list[Span] = []
    root = next((each for each in found if not each.get("parent_run_id")), found[0])
    for place, each in enumerate(found):
        span = _span(place, each)
        if span is None:
            left[str(each.get("run_type"))] += 1
        else:
            spans.append(span)
    return Trace("langsmith", tuple(spans), string(root.get("name")) or "", part, None, {"trace": identity}, left)


def _span(place: int, run: dict[str, Any]) -> Span | None:
    kind, inputs, outputs = run.get("run_type"), obj(run.get("inputs")), obj(run.get("outputs"))
    times = microseconds(run.get("start_time")), microseconds(run.get("end_time"))
    name, error, span = string(run.get("name")) or "", string(run.get("error")) or None, string(run.get("id"))
    if kind == "tool":
        given = inputs.get("input", inputs)
        response = outputs.get("output", outputs)
        message = _message(obj(response)) if "kwargs" in obj(response) or obj(response).get("type") == "tool" else {}
        called = string(message.get("tool_call_id")) or string(obj(run.get("extra")).get("tool_call_id"))
        result = message.get("content", response) if message else response
        return Span(
            place, "tool", name, *times, request=read(given), response=result, id=called, error=error, span=span
        )
    if kind not in ("llm", "chat_model"):
        return None
    extra = obj(run.get("extra"))
    about = {**obj(extra.get("metadata")), **obj(extra.get("invocation_params"))}
    model = next((about[key] for key in ("model", "model_name", "ls_model_name") if string(about.get(key))), name)
    given = inputs.get("messages", inputs.get("prompts", inputs.get("input")))
    tools = about.get("tools", inputs.get("tools"))
    usage = obj(outputs.get("usage_metadata")) or obj(obj(outputs.get("llm_output")).get("token_usage"))
    return Span(
        place,
        "llm",
        str(model),
        *times,
        messages=[_message(each) for each in messages_of(given)],
        said=[_message(each) for each in _said(outputs)],
        parameters={key: about[key] for key in PARAMETERS if about.get(key) is not None},
        tools=tuple(objs(tools)) if isinstance(tools, list) else None,
        usage=_usage(usage),
        error=error,
        span=span,
    )


def _said(outputs: dict[str, Any]) -> list[dict[str, Any]]:
    for batch in arr(outputs.get("generations")):
        found = objs(batch) if isinstance(batch, list) else [obj(batch)]
        return [obj(each.get("message")) or {"role": "assistant", "content": each.get("text")} for each in found]
    choices = objs(outputs.get("choices"))
    if choices:
        return [obj(each.get("message")) for each in choices]
    return (
        [] if not outputs else messages_of(outputs.get("messages", outputs.get("message", outputs.get("output"))))[-1:]
    )


def _message(raw: dict[str, Any]) -> dict[str, Any]:
    """LangChain's as OpenAI's; OpenAI's as it is."""
    kwargs = obj(raw.get("kwargs")) or (raw if "role" not in raw else {})
    if not kwargs:
        return raw
    named = str(kwargs.get("type") or (arr(raw.get("id")) or [""])[-1]).lower().removesuffix("message")
    more = obj(kwargs.get("additional_kwargs"))
    message: dict[str, Any] = {"role": _ROLES.get(named, named or "user"), "content": kwargs.get("content")}
    calls = [
        {"id": call.get("id"), "function": {"name": call.get("name"), "arguments": call.get("args")}}
        for call in objs(kwargs.get("tool_calls"))
    ] or objs(more.get("tool_calls"))
    if calls:
        message["tool_calls"] = calls
        content = arr(kwargs.get("content"))
        if content:  # Anthropic's blocks say the calls again
            message["content"] = [block for block in content if obj(block).get("type") != "tool_use"]
    for key in ("tool_call_id", "name"):
        if string(kwargs.get(key)):
            message[key] = kwargs[key]
    return message


def _usage(found: dict[str, Any]) -> dict[str, Any]:
    names = {
        "prompt_tokens": ("prompt_tokens", "input_tokens"),
        "completion_tokens": ("completion_tokens", "output_tokens"),
    }
    return {
        ours: next(found[name] for name in theirs if isinstance(found.get(name), int))
        for ours, theirs in names.items()
        if any(isinstance(found.get(name), int) for name in theirs)
    }
