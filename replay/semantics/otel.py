"""An LLM call as span attributes of the OpenTelemetry GenAI conventions (semantic-conventions-genai v0.1.0)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from replay.semantics.call import LLMCall, Message, Part
from replay.semantics.loose import loads

_PARAMS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "n": "choice.count",
}


def attributes(call: LLMCall) -> dict[str, Any]:
    """`gen_ai.*` attributes; those whose value is unknown are left out.

    Example:
        >>> attributes(LLMCall("openai.chat", "chat", "openai", "gpt-4o"))["gen_ai.request.model"]
        'gpt-4o'
    """
    usage = call.usage
    found: dict[str, Any] = {
        "gen_ai.operation.name": call.operation,
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.request_model,
        "gen_ai.response.model": call.response_model,
        "gen_ai.response.id": call.response_id,
        "gen_ai.response.finish_reasons": [m.finish_reason for m in call.output if m.finish_reason] or None,
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        "gen_ai.system_instructions": [_part(part) for part in call.system] or None,
        "gen_ai.input.messages": _messages(call.messages) or None,
        "gen_ai.output.messages": _messages(call.output) or None,
        "gen_ai.tool.definitions": [tool.raw for tool in call.tools] or None,
        "error.type": call.error.type if call.error else None,
    }
    for name, value in call.params.items():
        if name in _PARAMS:
            found[f"gen_ai.request.{_PARAMS[name]}"] = value
    return {name: value for name, value in found.items() if value is not None}


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {"role": message.role, "parts": [_part(part) for part in message.parts]}
        | ({"finish_reason": message.finish_reason} if message.finish_reason else {})
        for message in messages
    ]


def _part(part: Part) -> dict[str, Any]:
    if part.type == "tool_call":
        parsed = loads(part.content) if isinstance(part.content, str) else None
        return {
            "type": "tool_call",
            "id": part.id,
            "name": part.name,
            "arguments": part.content if parsed is None else parsed,
        }
    if part.type == "tool_call_response":
        return {"type": "tool_call_response", "id": part.id, "response": part.content}
    return {"type": part.type, "content": part.raw if part.content is None else part.content}
