"""What a dialect declares, and how an exchange is read with one. A new wire format is one file in `dialects/` and one
line in its table.

A dialect is four pure functions over JSON; everything about bytes, streams, cuts and errors is done here once. A stream
is first assembled into the JSON that the whole answer would have been, so that there is one reader of answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from replay.semantics.call import NO_USAGE, CallError, LLMCall, Message, Part, Tool, ToolCall, Usage
from replay.semantics.loose import arr, loads, obj, string, without
from replay.semantics.protobuf import Schema
from replay.semantics.session import Session
from replay.semantics.wire import Exchange, Frame


@dataclass(frozen=True, slots=True)
class Asked:
    """The request half. Attributes as in LLMCall."""

    model: str | None
    messages: Sequence[Message] = ()
    system: tuple[Part, ...] = ()
    tools: tuple[Tool, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer half. Attributes as in LLMCall."""

    model: str | None = None
    output: tuple[Message, ...] = ()
    usage: Usage = NO_USAGE
    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class Assembled:
    """A stream put together: the JSON of the whole answer, and whether its end marker came."""

    whole: dict[str, Any]
    complete: bool


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format.

    Attributes:
        name: such as `openai.chat`.
        provider: who speaks it when the host doesn't tell.
        operation: `chat`, `generate_content`, `text_completion`, `embeddings`.
        speaks: does a request with this path and JSON body belong to it? By shape, not by host: proxies and gateways
            serve every dialect.
        ask: reads the request: (path, body).
        answer: reads a whole answer.
        assemble: puts a stream together.
        rpc: for wires that are gRPC: method path -> fields of its request and of each of its answers, see `protobuf`.
        session: for wires of many messages on one connection: is this message one of them, and what keeps their state.
    """

    name: str
    provider: str
    operation: str
    speaks: Callable[[str, Mapping[str, Any]], bool]
    ask: Callable[[str, Mapping[str, Any]], Asked]
    answer: Callable[[Mapping[str, Any]], Answered]
    assemble: Callable[[Sequence[Frame]], Assembled]
    rpc: Mapping[str, tuple[Schema, Schema]] = field(default_factory=dict[str, tuple[Schema, Schema]])
    session: tuple[Callable[[Mapping[str, Any]], bool], Callable[[], Session]] | None = None


_HOSTS = (
    # (end of the host, gen_ai.provider.name), the well-known values of the conventions first
    ("openai.azure.com", "azure.ai.openai"),
    ("inference.ai.azure.com", "azure.ai.inference"),
    ("api.openai.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.x.ai", "x_ai"),
    ("api.cohere.com", "cohere"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("amazonaws.com", "aws.bedrock"),
    ("openrouter.ai", "openrouter"),
    ("huggingface.co", "huggingface"),
)


@lru_cache(maxsize=256)
def provider_of(host: str, default: str) -> str:
    """Who answers at this host.

    Example:
        >>> provider_of("my.openai.azure.com", "openai"), provider_of("localhost", "openai")
        ('azure.ai.openai', 'openai')
    """
    return next((name for end, name in _HOSTS if host.endswith(end)), default)


def read(dialect: Dialect, exchange: Exchange, asked: Asked | None = None) -> LLMCall:
    """The exchange read in this dialect; never raises. `asked`: its request, where that isn't to be read."""
    asked = dialect.ask(exchange.path, exchange.request) if asked is None else asked
    warnings = list(exchange.warnings)
    whole: dict[str, Any] = {}
    if exchange.frames is not None:
        assembled = dialect.assemble(exchange.frames)
        whole = assembled.whole
        if not assembled.complete and not whole.get("error"):
            warnings.append("the stream ended before its end marker: this is what had come by then")
    elif exchange.body:
        whole = obj(exchange.whole)
        if not isinstance(exchange.whole, dict):
            warnings.append("the answer is not a JSON object")
    error = _error(exchange, whole)
    if exchange.cut and exchange.frames is None:
        warnings.append("the recording ended before the whole answer had come")
    elif not exchange.body and not exchange.frames and error is None:
        warnings.append("there is no answer")
    answered = dialect.answer(whole)
    first = answered.output[0] if answered.output else None
    return LLMCall(
        dialect=dialect.name,
        operation=dialect.operation,
        provider=provider_of(exchange.host, dialect.provider),
        request_model=asked.model,
        response_model=answered.model,
        system=asked.system,
        messages=asked.messages,
        tools=asked.tools,
        params=asked.params,
        stream=asked.stream or exchange.stream,
        output=answered.output,
        tool_calls=tool_calls(first, asked.messages) if first else (),
        usage=answered.usage,
        finish_reason=first.finish_reason if first else None,
        response_id=answered.response_id,
        error=error,
        warnings=tuple(warnings),
    )


def asks(dialect: Dialect, exchange: Exchange) -> tuple[ToolCall, ...]:
    """Only the tools that the answer asks for: `read(…).tool_calls` where the history isn't known."""
    frames = exchange.frames
    whole = obj(exchange.whole) if frames is None else dialect.assemble(frames).whole
    output = dialect.answer(without(whole, ("usage",))).output
    return tool_calls(output[0]) if output else ()


def tool_calls(message: Message, history: Sequence[Message] = ()) -> tuple[ToolCall, ...]:
    """The tool calls that a message asks for; `history` numbers those without an id, see `ToolCall.id`."""
    seen: dict[str, int] = {}
    if any(part.type == "tool_call" and not part.id for part in message.parts):
        for part in (part for earlier in history for part in earlier.parts if part.type == "tool_call"):
            seen[part.name or ""] = seen.get(part.name or "", 0) + 1
    calls: list[ToolCall] = []
    for part in message.parts:
        if part.type == "tool_call":
            name = part.name or ""
            nth = seen[name] = seen.get(name, 0) + 1
            text = part.content if isinstance(part.content, str) else ""
            calls.append(ToolCall(part.id or f"{name}#{nth - 1}", name, text, loads(text)))
    return tuple(calls)


def _error(exchange: Exchange, whole: Mapping[str, Any]) -> CallError | None:
    if exchange.failure:
        return CallError(exchange.failure[0], exchange.failure[1], exchange.status)
    failed = exchange.status is not None and exchange.status >= 400
    wrapped = whole.get("error")
    if wrapped is None and not failed:
        return None
    # {"error": {…}} nearly everywhere, {"error": "…"} at Ollama, [{"error": …}] at Gemini, bare {"message"} at Bedrock
    if wrapped is None and exchange.frames:
        wrapped = obj(exchange.frames[0].data).get("error")
    inner = obj(wrapped) or (whole if wrapped is None else {})
    kinds = (inner.get("type"), inner.get("status"), inner.get("code"), inner.get("__type"))
    kind = next((str(value) for value in kinds if value and isinstance(value, (str, int))), str(exchange.status))
    texts = (wrapped, inner.get("message"), inner.get("Message"), inner.get("detail"))
    message = next((text for text in map(string, texts) if text), None)
    if message is None:
        message = exchange.body[:500].decode("utf-8", "replace")
    return CallError(kind, message, exchange.status)


def merge(
    old: Any, new: Any, same: frozenset[str] = frozenset({"id", "index", "type", "role", "model", "object"})
) -> Any:
    """Adds a delta: texts are joined, objects merged key by key, lists merged by their elements' `index`.

    Keys in `same` are labels and replaced. Null changes nothing.

    Example:
        >>> merge({"content": "a", "role": "assistant"}, {"content": "b", "role": "assistant"})
        {'content': 'ab', 'role': 'assistant'}
    """
    if old is None or new is None:
        return old if new is None else new
    if isinstance(old, str) and isinstance(new, str):
        return old + new
    if isinstance(old, dict) and isinstance(new, dict):
        merged = obj(old).copy()
        for key, value in obj(new).items():
            label = key in same and value is not None
            merged[key] = value if label else merge(merged.get(key), value, same)
        return merged
    if isinstance(old, list) and isinstance(new, list):
        items = arr(old).copy()
        for item in arr(new):
            index = obj(item).get("index")
            at = next(
                (i for i, known in enumerate(items) if index is not None and obj(known).get("index") == index), None
            )
            if at is None:
                items.append(item)
            else:
                items[at] = merge(items[at], item, same)
        return items
    return new
