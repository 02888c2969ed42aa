"""Realtime sessions: turns found among the messages of a connection, and what a model had read by then."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay import semantics
from replay.model.event import Event
from replay.semantics import LLMCall
from tests.semantics.wires import RECORDINGS, events

SESSIONS = {path.stem: found for path in RECORDINGS if (found := [e for e in events(path) if e.kind == "websocket"])}


def message(sent: bool, data: Any, connection: int = 1) -> Event:
    """One message of a websocket."""
    text = data if isinstance(data, str) else json.dumps(data)
    return Event(
        id=0, kind="websocket", name="websocket.send" if sent else "websocket.recv", effect="read", lane="m", at=0,
        took=1, site=None, request={"url": "wss://api.openai.com/v1/realtime?model=m", "connection": connection},
        body=text.encode() if sent else None, status="done", response=None if sent else text,
    )  # fmt: skip


def calls(found: Iterable[Event]) -> list[LLMCall]:
    """The turns."""
    return [call for _, call in semantics.readings(found) if call is not None]


def test_speech_is_its_transcript() -> None:
    (call,) = calls(SESSIONS["azure_voice_live_audio_in_server_vad_turn"])
    assert call.request_model == "gpt-realtime-global-standard"
    assert [(m.role, m.text) for m in call.messages] == [("user", "Cześć, nazywam się Marcelo.")]
    assert call.text == "Hi Marcelo, nice to meet you! How can I help you today?"
    assert (call.system[0].content, call.finish_reason) == ("Reply in a few words.", "completed")
    assert (call.usage.input, call.usage.output) == (44, 99)


def test_a_history_that_the_program_sent() -> None:
    (call,) = calls(SESSIONS["azure_voice_live_message_history_seeding"])
    assert [m.role for m in call.messages] == ["user", "assistant", "user"]
    assert all(m.text for m in call.messages)
    assert call.text


def test_gemini_live() -> None:
    (call,) = calls(SESSIONS["gateway_gemini_text_in_audio_out"])
    assert (call.dialect, call.request_model) == ("gemini.live", "gemini-live-2.5-flash")
    assert (call.system[0].content, call.messages[0].text) == ("Answer in two or three words.", "Say a short greeting.")
    assert (call.text, call.finish_reason, call.usage.input, call.usage.output) == ("Hello there.", "STOP", 12, 3)


def _responses(name: str, *items: dict[str, Any], status: str = "completed", **more: Any) -> list[Event]:
    added = [
        message(False, {"type": "response.output_item.added", "output_index": i, "item": item})
        for i, item in enumerate(items)
    ]
    kept = [message(False, {"type": "conversation.item.created", "item": item}) for item in items]
    done = {"type": "response.done", "response": {"id": name, "status": status, "output": list(items), **more}}
    return [message(False, {"type": "response.created", "response": {"id": name}}), *added, *kept, message(False, done)]


def test_tools_link_over_turns_by_call_id() -> None:
    asked = {"id": "i1", "type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c1", "output": "42"}
    said = {"id": "i3", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "42."}]}
    first, second = calls(
        [
            message(True, {"type": "session.update", "session": {"model": "m", "tools": [{"name": "look"}]}}),
            message(True, "ping"),
            *_responses("r1", asked),
            message(True, {"type": "conversation.item.create", "item": result}),
            message(True, {"type": "response.create", "response": {"instructions": "briefly"}}),
            *_responses("r2", said),
        ]
    )
    assert [tool.name for tool in first.tools] == ["look"]
    assert first.tool_calls[0].id == "c1"
    assert semantics.tool_results(second) == [("c1", "42")]
    assert [m.parts[0].type for m in second.messages] == ["tool_call", "tool_call_response"]
    assert (second.text, second.system[0].content) == ("42.", "briefly")


def test_a_turn_that_fails() -> None:
    failed = {"error": {"type": "server_error", "message": "overloaded"}}
    begin = message(True, {"type": "response.create"})
    (call,) = calls([begin, *_responses("r", status="failed", status_details=failed)])
    assert call.error is not None
    assert (call.error.type, call.error.message) == ("server_error", "overloaded")


def test_gemini_live_calls_tools() -> None:
    ask = {"toolCall": {"functionCalls": [{"id": "f1", "name": "look", "args": {"a": 1}}]}}
    first, second = calls(
        [
            message(True, {"setup": {"model": "models/g", "tools": [{"functionDeclarations": [{"name": "look"}]}]}}),
            message(True, {"realtimeInput": {"text": "look"}}),
            message(False, ask),
            message(
                True, {"toolResponse": {"functionResponses": [{"id": "f1", "name": "look", "response": {"x": 2}}]}}
            ),
            message(False, {"serverContent": {"modelTurn": {"parts": [{"text": "it is 2"}]}, "interrupted": True}}),
            message(False, {"serverContent": {"inputTranscription": {"text": "stop"}, "turnComplete": True}}),
        ]
    )
    assert [(each.id, each.parsed) for each in first.tool_calls] == [("f1", {"a": 1})]
    assert semantics.tool_results(second) == [("f1", {"x": 2})]
    assert (second.text, second.finish_reason) == ("it is 2", "INTERRUPTED")


def test_connections_are_apart() -> None:
    one, two = (SESSIONS[name] for name in list(SESSIONS)[:2])
    other = [dataclasses.replace(event, request={**event.request, "connection": 2}) for event in two]
    mixed = [each for pair in zip(one, other, strict=False) for each in pair]
    mixed += [*one[len(mixed) // 2 :], *other[len(mixed) // 2 :]]
    assert sorted(call.text for call in calls(mixed)) == sorted(call.text for call in calls([*one, *other]))


JUNK: list[Any] = [
    None,
    {},
    {"type": 5},
    {"setup": []},
    {"serverContent": 1},
    {"type": "response.done", "response": 3},
    {"type": "conversation.item.created", "item": []},
    {"type": "response.done"},
    {"type": "response.text.delta", "delta": 1, "content_index": -7},
    "{",
]


@settings(max_examples=200)
@given(st.data())
def test_messages_lost_or_damaged_never_raise(data: st.DataObject) -> None:
    found = list(SESSIONS[data.draw(st.sampled_from(sorted(SESSIONS)))])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(found) - 1))
        junk = data.draw(st.sampled_from(JUNK))
        found[at : at + data.draw(st.integers(0, 2))] = (
            [] if junk is None else [message(data.draw(st.booleans()), junk)]
        )
        if not found:
            break
    for call in calls(found):
        semantics.attributes(call)
        semantics.tool_results(call)


@pytest.mark.parametrize("request_", [None, [], {"url": 5}, {"url": "wss://["}, {"url": "wss://x", "connection": {}}])
def test_events_of_any_shape(request_: Any) -> None:
    event = dataclasses.replace(message(True, {"type": "session.update"}), request=request_)
    assert calls([event]) == []
