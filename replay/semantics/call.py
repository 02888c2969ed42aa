"""What an LLM call means, whatever wire it travelled on. Names follow the OpenTelemetry GenAI conventions (`gen_ai.*`).

Every element keeps what the wire said (`raw`), so that reading loses nothing: a field that this version has no name for
is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message.

    Attributes:
        type: `text`, `reasoning`, `tool_call`, `tool_call_response`, `server_tool_call`, `server_tool_call_response`,
            `refusal`, `blob`, `uri`, `file`, or what the wire calls it when none of these fits.
        content: the text; a tool call's arguments as JSON text; a tool's result as the wire has it (str, list or dict).
        id, name: of the tool call, where there is one.
    """

    type: str
    content: Any = None
    id: str | None = None
    name: str | None = None
    raw: Any = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `role` as the wire has it (`user`, `assistant`, `model`, `tool`, …) and its parts in order."""

    role: str
    parts: tuple[Part, ...]
    finish_reason: str | None = None
    raw: Any = None

    @property
    def text(self) -> str:
        """All text parts joined; reasoning, tool calls and results are left out."""
        return "".join(part.content for part in self.parts if part.type == "text" and isinstance(part.content, str))

    @property
    def reasoning(self) -> str:
        """All reasoning that came in clear, joined."""
        return "".join(
            part.content for part in self.parts if part.type == "reasoning" and isinstance(part.content, str)
        )


class Messages(Sequence[Message]):
    """Messages that are read when they are looked at.

    A listing of a thousand calls needs to know how many each had, and each has the whole conversation before it.
    """

    __slots__ = ("_raw", "_read", "_reader")

    def __init__(self, raw: Sequence[Any], reader: Callable[[Any], Message]) -> None:
        self._raw = raw
        self._reader = reader
        self._read: tuple[Message, ...] | None = None

    def _all(self) -> tuple[Message, ...]:
        if self._read is None:
            self._read = tuple(map(self._reader, self._raw))
        return self._read

    def __len__(self) -> int:
        return len(self._raw)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Message, ...]: ...
    def __getitem__(self, index: int | slice) -> Message | tuple[Message, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Message]:
        return iter(self._all())

    def __reversed__(self) -> Iterator[Message]:
        return reversed(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == tuple(other)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._all())


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model wants run.

    Attributes:
        id: links it to its result. Where the wire has none (Gemini, Ollama) it is `name#k`: the k-th call of that name
            in the conversation, from 0.
        arguments: the text as it came; for wires that carry an object, that object as compact JSON.
        parsed: the arguments read as JSON, or None when they aren't JSON (a cut stream, free-form input).
    """

    id: str
    name: str
    arguments: str
    parsed: Any = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model was offered. `parameters` is its JSON schema, None for tools that the provider runs."""

    name: str
    description: str | None = None
    parameters: Any = None
    raw: Any = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; None where the wire doesn't say.

    `input` counts everything the model read, cached tokens included; `output` everything it wrote, reasoning included
    (wires that report them apart are summed, as the conventions ask). `cached` was read from a cache, `cache_write` put
    into one.
    """

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    cache_write: int | None = None
    raw: Any = None


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class CallError:
    """Why there is no (whole) answer. `type` as the provider names it, else the HTTP status or the exception's name."""

    type: str
    message: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class LLMCall:
    """One exchange with a model.

    Attributes:
        dialect: the wire format, such as `openai.chat`.
        operation: `chat`, `generate_content`, `text_completion` or `embeddings`.
        provider: who answered, such as `openai`, `azure.ai.openai`, `groq`; by host, else the dialect's own.
        system: instructions given apart from the messages; those given as messages stay in `messages`.
        params: all other fields of the request (temperature, max_tokens, …).
        output: one message per choice.
        tool_calls: of the first choice, only those that the caller has to run.
        warnings: what could not be read, and what was cut.
    """

    dialect: str
    operation: str
    provider: str
    request_model: str | None
    response_model: str | None = None
    system: tuple[Part, ...] = ()
    messages: Sequence[Message] = ()
    tools: tuple[Tool, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stream: bool = False
    output: tuple[Message, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = NO_USAGE
    finish_reason: str | None = None
    response_id: str | None = None
    error: CallError | None = None
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.output[0].text if self.output else ""

    @property
    def reasoning(self) -> str:
        """The first choice's reasoning, as far as it came in clear."""
        return self.output[0].reasoning if self.output else ""
