"""What we read is what the providers' own SDKs read from the same bytes.

The recorded bytes go through the real clients (their own HTTP library's mock transport stands where the network was),
and what these build is compared with what we built.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import anthropic
import httpx2
import openai
import pytest

from replay import semantics
from replay.model.event import Event
from replay.semantics import LLMCall
from tests.semantics.wires import FIXTURES, events, one_line


def _recorded(dialect: str) -> list[Any]:
    found: list[Any] = []
    for path in sorted(FIXTURES.rglob("*.yaml")):
        for event in events(path):
            call = semantics.read(event)
            if call is not None and call.dialect == dialect and call.error is None:
                found.append(pytest.param(event, id=f"{path.stem}-{event.id}"))
    return found


def _serve(event: Event) -> httpx2.MockTransport:
    headers = [(name, value) for name, value in event.response["headers"] if name.lower() != "content-length"]
    body = event.response.get("body", b"") + b"".join(p.value for p in event.pieces if p.status == "piece")

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(event.response["status"], headers=headers, content=body, request=request)

    return httpx2.MockTransport(handler)


@pytest.fixture
def openai_client() -> Iterator[Callable[[Event], openai.OpenAI]]:
    """A real client that gets the recorded bytes."""
    clients: list[openai.OpenAI] = []

    def make(event: Event) -> openai.OpenAI:
        http = httpx2.Client(transport=_serve(event))
        clients.append(openai.OpenAI(api_key="x", base_url="http://recorded/v1", max_retries=0, http_client=http))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def anthropic_client() -> Iterator[Callable[[Event], anthropic.Anthropic]]:
    """A real client that gets the recorded bytes."""
    clients: list[anthropic.Anthropic] = []

    def make(event: Event) -> anthropic.Anthropic:
        http = httpx2.Client(transport=_serve(event))
        clients.append(anthropic.Anthropic(api_key="x", base_url="http://recorded", max_retries=0, http_client=http))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def _read(event: Event) -> LLMCall:
    call = semantics.read(event)
    assert call is not None
    assert call.warnings == ()
    return call


@pytest.mark.parametrize("event", _recorded("openai.chat"))
def test_chat_completions(event: Event, openai_client: Callable[[Event], openai.OpenAI]) -> None:
    call = _read(event)
    client = openai_client(event)
    if call.stream:
        with client.chat.completions.stream(model="x", messages=[]) as stream:
            theirs = cast("Any", stream.until_done().get_final_completion())
    else:
        theirs = cast("Any", client.chat.completions.create(model="x", messages=[]))
    assert call.response_id == theirs.id
    assert call.response_model == theirs.model
    assert len(call.output) == len(theirs.choices)
    for ours, choice in zip(call.output, theirs.choices, strict=True):
        assert ours.role == choice.message.role
        assert ours.text == (choice.message.content or "")
        assert ours.finish_reason == choice.finish_reason
        assert ours.reasoning == _extra(choice.message, "reasoning_content", "reasoning")
    wanted: list[Any] = theirs.choices[0].message.tool_calls or []
    assert [(c.id, c.name, c.arguments) for c in call.tool_calls] == [
        (c.id, c.function.name, c.function.arguments) for c in wanted
    ]
    if theirs.usage is not None:
        usage = theirs.usage
        assert (call.usage.input, call.usage.output) == (usage.prompt_tokens, usage.completion_tokens)
        assert call.usage.cached == getattr(usage.prompt_tokens_details, "cached_tokens", None)
        assert call.usage.reasoning == getattr(usage.completion_tokens_details, "reasoning_tokens", None)


def _extra(message: Any, *names: str) -> str:
    return next((text for text in (getattr(message, name, None) for name in names) if text), "")


@pytest.mark.parametrize("event", _recorded("openai.responses"))
def test_responses(event: Event, openai_client: Callable[[Event], openai.OpenAI]) -> None:
    call = _read(event)
    client = openai_client(event)
    if call.stream:
        with client.responses.stream(model="x", input="") as stream:
            theirs = cast("Any", stream.until_done().get_final_response())
    else:
        theirs = cast("Any", client.responses.create(model="x", input=""))
    assert (call.response_id, call.response_model) == (theirs.id, theirs.model)
    assert call.text == theirs.output_text
    assert [(c.id, c.name, c.arguments) for c in call.tool_calls] == [
        (item.call_id, item.name, item.arguments) for item in theirs.output if item.type == "function_call"
    ]
    reasoning = [item for item in theirs.output if item.type == "reasoning"]
    parts: list[Any] = [part for item in reasoning for part in [*item.summary, *(item.content or ())]]
    thoughts: list[str] = [part.text for part in parts]
    assert sorted(p.content for p in call.output[0].parts if p.type == "reasoning" and p.content) == sorted(thoughts)
    assert call.finish_reason == (theirs.incomplete_details.reason if theirs.incomplete_details else theirs.status)
    usage = theirs.usage
    assert (call.usage.input, call.usage.output) == (usage.input_tokens, usage.output_tokens)
    assert call.usage.cached == usage.input_tokens_details.cached_tokens
    assert call.usage.reasoning == usage.output_tokens_details.reasoning_tokens


@pytest.mark.parametrize("event", _recorded("anthropic.messages"))
def test_messages(event: Event, anthropic_client: Callable[[Event], anthropic.Anthropic]) -> None:
    call = _read(event)
    client = anthropic_client(event)
    if call.stream:
        with client.messages.stream(model="x", messages=[], max_tokens=9) as stream:
            theirs = cast("Any", stream.get_final_message())
    else:
        theirs = cast("Any", client.messages.create(model="x", messages=[], max_tokens=9))
    assert (call.response_id, call.response_model, call.finish_reason) == (theirs.id, theirs.model, theirs.stop_reason)
    assert call.text == "".join(block.text for block in theirs.content if block.type == "text")
    assert call.reasoning == "".join(block.thinking for block in theirs.content if block.type == "thinking")
    assert len(call.output[0].parts) == len(theirs.content)
    assert [(c.id, c.name, c.parsed) for c in call.tool_calls] == [
        (block.id, block.name, block.input) for block in theirs.content if block.type == "tool_use"
    ]
    usage = theirs.usage
    cached, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    assert (call.usage.cached, call.usage.cache_write, call.usage.output) == (cached, written, usage.output_tokens)
    assert call.usage.input == usage.input_tokens + (cached or 0) + (written or 0)


@pytest.mark.parametrize("event", _recorded("openai.embeddings"))
def test_embeddings(event: Event, openai_client: Callable[[Event], openai.OpenAI]) -> None:
    call = _read(event)
    theirs = openai_client(event).embeddings.create(model="x", input="", encoding_format="base64")
    assert [part.content for message in call.output for part in message.parts] == [d.embedding for d in theirs.data]
    assert call.usage.input == theirs.usage.prompt_tokens


def test_errors_carry_what_the_sdk_raises(openai_client: Callable[[Event], openai.OpenAI]) -> None:
    event = next(events(FIXTURES / "pydantic-ai" / "openai_web_search_tool_model_not_supported.yaml"))
    call = semantics.read(event)
    assert call is not None
    assert call.error is not None
    with pytest.raises(openai.BadRequestError) as raised:
        openai_client(event).chat.completions.create(model="x", messages=[])
    assert raised.value.status_code == call.error.status == 400
    assert one_line(call.error.message) in one_line(str(raised.value))
    assert json.loads(event.body or b"")["model"] == call.request_model
