"""Every recorded exchange with a model is read whole; cut anywhere, it gives what had come by then."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import loss
from benchmarks.semantics import look
from replay import semantics
from replay.model.event import Event, Piece
from replay.semantics.dialect import tool_calls
from tests.semantics.wires import RECORDINGS, events

FOUND = [found for path in RECORDINGS for found in look(path)]
ALL = [(path.stem, event) for path in RECORDINGS for event in events(path) if event.kind == "http"]
READ = [(name, event, call) for name, event in ALL if (call := semantics.read(event)) is not None]
STREAMED = [(name, event, call) for name, event, call in READ if event.status == "streamed" and call.error is None]


def test_every_dialect_is_among_the_recordings() -> None:
    assert Counter(found.call.dialect for found in FOUND if found.call is not None) == {
        "openai.chat": 24,
        "openai.responses": 29,
        "openai.realtime": 4,
        "anthropic.messages": 18,
        "bedrock.converse": 9,
        "gemini": 13,
        "gemini.live": 1,
        "cohere.chat": 3,
        "cohere.rerank": 1,
        "openai.embeddings": 2,
        "ollama.chat": 1,
        "ollama.generate": 1,
        "tgi.generate": 1,
        "xai.chat": 4,
    }


def test_nothing_of_an_exchange_with_a_model_is_lost() -> None:
    assert [(found.file, found.number, found.reasons) for found in FOUND if found.model and found.reasons] == []


def test_what_is_no_llm_call_stays_what_it_is() -> None:
    others = [found for found in FOUND if not found.model]
    assert Counter(found.reasons[0] for found in others) == {
        "MCP (JSON-RPC)": 10,
        "counts tokens; no model writes": 1,
        "telemetry": 1,
    }
    assert [found.call for found in others] == [None] * 12


@settings(max_examples=200)
@given(st.data())
def test_a_loss_is_noticed(data: st.DataObject) -> None:
    """The check that says that nothing is lost, given calls from which something was taken."""
    _, event, call = data.draw(st.sampled_from([each for each in READ if each[2].error is None and each[2].text]))
    message, usage = call.output[0], call.usage
    # A short text may stand in another one too: then its loss isn't seen.
    texts = [i for i, part in enumerate(message.parts) if isinstance(part.content, str) and len(part.content) > 40]
    if texts:
        at = data.draw(st.sampled_from(texts))
        part = dataclasses.replace(message.parts[at], content=message.parts[at].content[:-3], raw=None)
        cut = dataclasses.replace(message, parts=(*message.parts[:at], part, *message.parts[at + 1 :]))
        assert loss.missing(event, dataclasses.replace(call, output=(cut, *call.output[1:])))
    if usage.input and usage.output:
        assert loss.missing(event, dataclasses.replace(call, usage=dataclasses.replace(usage, input=None)))
        assert loss.missing(event, dataclasses.replace(call, usage=dataclasses.replace(usage, output=10**9)))
    if call.messages and len(call.messages) == 1 and call.messages[0].text.strip():
        assert loss.missing(event, dataclasses.replace(call, messages=call.messages[1:], system=()))
    if call.tool_calls:
        kept = tuple(part for part in message.parts if part.type != "tool_call")
        less = dataclasses.replace(message, parts=kept)
        assert loss.missing(event, dataclasses.replace(call, output=(less, *call.output[1:])))


@pytest.mark.parametrize(("name", "event", "call"), READ, ids=[f"{name}-{event.id}" for name, event, _ in READ])
def test_decodes_whole(name: str, event: Event, call: semantics.LLMCall) -> None:
    del name
    assert call.warnings == ()
    assert call.request_model or call.dialect == "tgi.generate"
    assert all(part.type for message in call.messages for part in message.parts)
    if call.error is None:
        assert call.output
        assert any(message.parts for message in call.output)
    else:
        assert call.error.message
        assert call.error.type
    assert semantics.attributes(call)["gen_ai.operation.name"] == call.operation
    assert semantics.read(event) == call


def test_tool_results_carry_the_ids_of_earlier_calls() -> None:
    linked = 0
    by_file: dict[str, list[semantics.LLMCall]] = {}
    for name, _, call in READ:
        by_file.setdefault(name, []).append(call)
    for calls in by_file.values():
        asked: set[str] = set()
        for call in calls:
            for message in call.messages:
                asked |= {tool.id for tool in tool_calls(message)}
            for tool_id, _ in semantics.tool_results(call):
                linked += tool_id in asked
                assert tool_id in asked or call.params.get("previous_response_id") or "#" in tool_id
            asked |= {tool.id for tool in call.tool_calls}
    assert linked > 30


def _cut(event: Event, size: int) -> Event:
    body = b"".join(piece.value for piece in event.pieces if piece.status == "piece")
    return dataclasses.replace(event, pieces=(Piece(0, "piece", body[:size]), Piece(1, "error", None)))


@settings(max_examples=150)
@given(st.data())
def test_how_a_stream_came_in_pieces_is_no_matter(data: st.DataObject) -> None:
    _, event, whole = data.draw(st.sampled_from(STREAMED))
    body = b"".join(piece.value for piece in event.pieces if piece.status == "piece")
    cuts = sorted({0, len(body), *data.draw(st.lists(st.integers(0, len(body)), max_size=20))})
    pieces = [Piece(i, "piece", body[a:b]) for i, (a, b) in enumerate(pairwise(cuts))]
    assert semantics.read(dataclasses.replace(event, pieces=(*pieces, Piece(0, "end", None)))) == whole


@settings(max_examples=300)
@given(st.data())
def test_a_cut_stream_gives_what_had_come(data: st.DataObject) -> None:
    _, event, whole = data.draw(st.sampled_from(STREAMED))
    size = sum(len(piece.value) for piece in event.pieces if piece.status == "piece")
    call = semantics.read(_cut(event, data.draw(st.integers(0, size - 1))))
    assert call is not None
    assert whole.text.startswith(call.text)
    assert whole.reasoning.startswith(call.reasoning)
    if call.output[:1] != whole.output[:1]:
        assert call.warnings


@settings(max_examples=400)
@given(st.data())
def test_reading_never_raises(data: st.DataObject) -> None:
    """Damage anywhere in request or response gives a call with less in it, or None."""
    _, event = data.draw(st.sampled_from(ALL))
    body, whole = event.body or b"", event.response.get("body", b"")
    streamed = b"".join(piece.value for piece in event.pieces if piece.status == "piece")

    def damage(raw: bytes) -> bytes:
        at = data.draw(st.integers(0, len(raw)))
        new = data.draw(st.sampled_from([b"", b"\xff", b"null", b"[]", b"{}", b'"', b"1", b"\n\n", b"}", b'":{}']))
        return raw[:at] + new + raw[at + data.draw(st.integers(0, 9)) :]

    pieces = (Piece(0, "piece", damage(streamed)), Piece(1, "end", None)) if event.pieces else ()
    damaged = dataclasses.replace(
        event, body=damage(body), response={**event.response, "body": damage(whole)}, pieces=pieces
    )
    call = semantics.read(damaged)
    if call is not None:
        semantics.attributes(call)
        semantics.tool_results(call)


def _walk(value: Any, data: st.DataObject, junk: Any) -> Any:
    """The value with something at a random place replaced."""
    if data.draw(st.integers(0, 5)) == 0 or not value:
        return junk
    if isinstance(value, dict):
        fields = cast("Mapping[str, Any]", value)
        key = data.draw(st.sampled_from(sorted(fields)))
        return {**fields, key: _walk(fields[key], data, junk)}
    if isinstance(value, list):
        items = cast("Sequence[Any]", value)
        at = data.draw(st.integers(0, len(items) - 1))
        return [*items[:at], _walk(items[at], data, junk), *items[at + 1 :]]
    return junk


@settings(max_examples=600)
@given(st.data(), st.sampled_from([None, [], {}, 1, True, "x", [None], [[]], [{}], {"type": 5}, {"index": "x"}, 1.5]))
def test_fields_of_another_type_never_raise(data: st.DataObject, junk: Any) -> None:
    _, event = data.draw(st.sampled_from(ALL))
    request = _walk(json.loads(event.body or b"{}"), data, junk)
    response: dict[str, Any] = dict(event.response)
    pieces: tuple[Piece, ...] = event.pieces
    if "body" in response and response["body"][:1] == b"{":
        response["body"] = json.dumps(_walk(json.loads(response["body"]), data, junk)).encode()
    if pieces and b"".join(p.value for p in pieces if p.value)[:1] in b"de":
        lines = b"".join(p.value for p in pieces if p.value).split(b"\n")
        places = [i for i, line in enumerate(lines) if line.startswith(b"data: {")]
        at = data.draw(st.sampled_from(places))
        lines[at] = b"data: " + json.dumps(_walk(json.loads(lines[at][6:]), data, junk)).encode()
        pieces = (Piece(0, "piece", b"\n".join(lines)), Piece(1, "end", None))
    body = json.dumps(request).encode()
    call = semantics.read(dataclasses.replace(event, body=body, response=response, pieces=pieces))
    if call is not None:
        semantics.attributes(call)
        semantics.tool_results(call)
