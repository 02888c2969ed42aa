"""What the recordings don't have: rarer shapes of each dialect, and answers that went wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from replay import semantics
from replay.model.event import Event, Failure, Piece
from replay.semantics import LLMCall, loose, wire
from tests.semantics.test_eventstream import frame, text


def exchange(
    path: str, request: Any, response: Any = None, *, kind: str = "application/json", status: int = 200, **other: Any
) -> Event:
    """An http event; a str or bytes response goes as it is."""
    raw = response if isinstance(response, bytes) else response.encode() if isinstance(response, str) else None
    return Event(
        id=0, kind="http", name="", effect="read", lane="m", at=0, took=1, site=None,
        request={"method": "POST", "url": f"http://gateway{path}", "headers": []},
        body=json.dumps(request).encode(), status=other.pop("state", "done"),
        response={"status": status, "headers": [["Content-Type", kind]],
                  "body": json.dumps(response).encode() if raw is None else raw},
        **other,
    )  # fmt: skip


def read(path: str, request: Any, response: Any = None, **how: Any) -> LLMCall:
    """The call; there has to be one."""
    call = semantics.read(exchange(path, request, response, **how))
    assert call is not None
    return call


def sse(*events: Any) -> str:
    """A stream of data lines."""
    return "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events)


def kinds(call: LLMCall) -> list[list[str]]:
    """The types of the parts of each message of the request."""
    return [[part.type for part in message.parts] for message in call.messages]


STREAM = {"kind": "text/event-stream"}
CHAT: dict[str, Any] = {"model": "m", "messages": []}


def test_chat_request_shapes() -> None:
    messages: list[Any] = [
        {"role": "user", "content": [{"type": kind} for kind in ("image_url", "input_audio", "file", "new")]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}, {"type": "thinking", "thinking": [
            {"type": "text", "text": "hm"}]}], "refusal": "no", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "audio": {"id": "a"}, "tool_calls": [{"id": "c", "custom": {"name": "g", "input": "raw"}},
                                                                  {"function": {"name": "h", "arguments": {"a": 1}}}]},
        {"role": "function", "name": "f", "content": "1"},
    ]  # fmt: skip
    tools = [{"type": "custom", "custom": {"name": "g"}}, {"type": "web_search"}]
    call = read(
        "/v1/chat/completions", {"model": "m", "messages": messages, "tools": tools, "functions": [{"name": "f"}]}
    )
    assert kinds(call) == [
        ["uri", "blob", "file", "new"],
        ["refusal", "reasoning", "refusal", "tool_call"],
        ["tool_call", "tool_call", "blob"],
        ["tool_call_response"],
    ]
    assert [part.content for part in call.messages[2].parts[:2]] == ["raw", '{"a":1}']
    assert [tool.name for tool in call.tools] == ["g", "web_search", "f"]
    assert semantics.tool_results(call) == [("f#0", "1")]
    assert call.messages[1].reasoning == "hm"


def test_chat_stream_of_gateways() -> None:
    def delta(**fields: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": fields}]}

    call = read(
        "/v1/chat/completions",
        CHAT,
        sse(
            delta(role="assistant", content=None, reasoning_details=[{"index": 0, "text": "a"}, {"text": "no index"}]),
            delta(reasoning_details=[{"index": 0, "text": "b", "score": 1}]),
            delta(reasoning_details=[{"index": 0, "score": 2}]),  # neither text nor label: the last one counts
            delta(tool_calls=[{"index": 0, "id": "c0", "function": {"name": "f", "arguments": '{"a"'}}]),
            delta(tool_calls=[{"index": 0, "id": "c0", "function": {"name": "f", "arguments": ":1}"}}]),  # name again
            delta(tool_calls=[{"id": "c1", "function": {"name": "g", "arguments": "{}"}}]),  # no index
            delta(tool_calls=[{"id": "c2", "function": {"name": "g", "arguments": "{}"}}]),
            {
                "choices": [
                    {"index": 0, "delta": {}, "finish_reason": "tool_calls", "logprobs": {"content": [{"t": 1}]}}
                ]
            },
            {"choices": [], "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 7}}},
        ),
        **STREAM,
    )
    assert [(tool.id, tool.name, tool.parsed) for tool in call.tool_calls] == [
        ("c0", "f", {"a": 1}), ("c1", "g", {}), ("c2", "g", {}),
    ]  # fmt: skip
    assert call.output[0].raw["reasoning_details"] == [{"index": 0, "text": "ab", "score": 2}, {"text": "no index"}]
    assert (call.usage.input, call.usage.output, call.finish_reason, call.warnings) == (5, 7, "tool_calls", ())


def test_calls_without_ids_are_numbered_through_the_conversation() -> None:
    def content(*names: str) -> dict[str, Any]:
        return {"role": "model", "parts": [{"functionCall": {"name": name, "args": {}}} for name in names]}

    def results(*names: str) -> dict[str, Any]:
        return {"role": "user", "parts": [{"functionResponse": {"name": n, "response": {"of": n}}} for n in names]}

    request: dict[str, Any] = {"contents": [content("f", "g", "f"), results("f", "g", "f"), content("f")]}
    call = read("/v1/models/m:generateContent", request, {"candidates": [{"content": content("g", "f")}]})
    assert [tool.id for tool in call.tool_calls] == ["g#1", "f#3"]
    assert [tool_id for tool_id, _ in semantics.tool_results(call)] == ["f#0", "g#0", "f#1"]


def test_gemini_shapes() -> None:
    parts: list[Any] = [
        {"inlineData": {}},
        {"file_data": {}},
        {"executableCode": {"code": "1"}},
        {"codeExecutionResult": {}},
        {},
    ]
    request: dict[str, Any] = {"contents": {"parts": parts}, "tools": [{"googleSearch": {}}], "safetySettings": []}
    call = read("/v1beta/models/m:streamGenerateContent", request, [{"promptFeedback": {"blockReason": "SAFETY"}}])
    assert kinds(call) == [["blob", "uri", "server_tool_call", "codeExecutionResult", "text"]]
    assert [tool.name for tool in call.tools] == ["googleSearch"]
    assert (call.stream, call.warnings, call.output) == (True, (), ())


def test_a_cut_json_array_gives_its_whole_elements() -> None:
    text = json.dumps([{"candidates": [{"content": {"parts": [{"text": str(n)}]}}]} for n in range(5)])
    pieces = (Piece(0, "piece", text[:-30].encode()), Piece(1, "error", None))
    event = exchange("/models/m:streamGenerateContent", {"contents": []}, b"", state="streamed", pieces=pieces)
    call = semantics.read(event)
    assert call is not None
    assert call.text == "0123"
    assert call.warnings[0] == "the stream is cut inside a message"
    nothing = exchange("/models/m:streamGenerateContent", {"contents": []}, b"[{", state="open")
    assert semantics.read(nothing) is not None
    assert wire.read(exchange("/", {}, b"[nonsense"), "h", "/", {}).frames is None


def test_responses_request_shapes() -> None:
    items: list[Any] = [
        {"role": "user", "content": "text"},
        {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "raw"},
        {"type": "computer_call", "call_id": "d", "action": {"type": "click"}},
        {"type": "shell_call", "call_id": "e"},
        {"type": "computer_call_output", "call_id": "d", "output": {"type": "image"}},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "item_reference", "id": "x"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ]
    call = read("/responses", {"model": "m", "input": items})
    assert [kind for (kind,) in kinds(call)] == [
        "text", "tool_call", "tool_call", "tool_call", "tool_call_response", "reasoning", "item_reference", "refusal",
    ]  # fmt: skip
    assert [message.role for message in call.messages] == [
        "user", "assistant", "assistant", "assistant", "tool", "assistant", "assistant", "assistant",
    ]  # fmt: skip
    assert [part.content for message in call.messages[1:4] for part in message.parts] == ["raw", '{"type":"click"}', ""]
    assert call.messages[7].parts[0].content == "no"


def test_responses_stream_put_together_from_deltas() -> None:
    def event(kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": f"response.{kind}", **fields}

    call = read(
        "/v1/responses",
        {"model": "m", "input": "x"},
        sse(
            event("created", response={"id": "r", "model": "m-1", "output": []}),
            event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="th"),
            event("output_item.done", output_index=0, item={"type": "reasoning", "summary": [
                {"type": "summary_text", "text": "thought"}], "content": []}),
            event("reasoning_text.delta", output_index=1, content_index=0, delta="x"),
            event("output_item.added", output_index=2, item={"type": "message", "content": []}),
            event("output_text.delta", output_index=2, content_index=0, delta="he"),
            event("output_text.delta", output_index=2, content_index=0, delta="llo"),
            event("refusal.delta", output_index=2, content_index=1, delta="no"),
            event("output_text.delta", output_index=2, content_index=5_000, delta="absurd"),
            event("output_item.added", output_index=3, item={"type": "function_call", "call_id": "c", "name": "f"}),
            event("function_call_arguments.delta", output_index=3, delta='{"a":'),
            event("output_item.added", output_index=4, item={"type": "custom_tool_call", "call_id": "d", "name": "g"}),
            event("custom_tool_call_input.delta", output_index=4, delta="raw"),
            event("output_item.added", output_index=5, item={"type": "code_interpreter_call", "id": "e"}),
            event("code_interpreter_call_code.delta", output_index=5, delta="print()"),
            event("in_progress", note="ignored"),
        ),
        **STREAM,
    )  # fmt: skip
    assert call.text == "hello"
    assert call.reasoning == "thoughtx"
    assert [(tool.id, tool.arguments, tool.parsed) for tool in call.tool_calls] == [
        ("c", '{"a":', None),
        ("d", "raw", None),
    ]
    assert call.warnings == ("the stream ended before its end marker: this is what had come by then",)
    assert call.output[0].parts[-1].raw["code"] == "print()"


def test_a_responses_stream_that_fails() -> None:
    failed = {"type": "error", "code": "server_error", "message": "sorry"}
    call = read("/v1/responses", {"model": "m", "input": "x"}, sse(failed), **STREAM)
    assert call.error == semantics.CallError("server_error", "sorry", 200)
    assert call.warnings == ()


def test_anthropic_shapes() -> None:
    blocks: list[Any] = [
        {"type": "thinking", "thinking": "hm"}, {"type": "redacted_thinking", "data": "x"},
        {"type": "image", "source": {"type": "url"}}, {"type": "document", "source": {"type": "base64"}},
        {"type": "mcp_tool_use", "id": "s", "name": "n", "input": {}},
    ]  # fmt: skip
    request: dict[str, Any] = {
        "anthropic_version": "v",
        "messages": [{"role": "user", "content": blocks}],
        "max_tokens": 1,
    }
    path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:streamRawPredict"
    deltas = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "a"},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"n": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"n": 2}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "of later days"}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "later"}},
    ]
    call = read(path, request, sse(*deltas), **STREAM)
    assert kinds(call) == [["reasoning", "reasoning", "uri", "blob", "server_tool_call"]]
    assert call.request_model == "claude-x"
    assert call.text == "a"
    assert call.output[0].parts[0].raw["citations"] == [{"n": 1}, {"n": 2}]
    assert call.error == semantics.CallError("overloaded_error", "later", 200)
    assert read("/model/anthropic.claude/invoke", {**request, "system": "s"}).system[0].content == "s"


def test_bedrock_shapes() -> None:
    from tests.semantics.test_eventstream import frame, text

    def event(kind: str, value: Any) -> bytes:
        return frame(text(":event-type", kind), json.dumps(value).encode())

    stream = b"".join(
        [
            event("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"a"'}}}),
            event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": ":1}"}}}),
            event("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"citation": {}}}),
            frame(text(":exception-type", "throttlingException"), b'{"message": "slow down"}'),
        ]
    )
    messages: list[Any] = [
        {"role": "user", "content": [{"image": {}}, {"cachePoint": {}}, {"toolResult": {"toolUseId": "t"}}]}
    ]
    request: dict[str, Any] = {
        "messages": messages,
        "system": [{"text": "s"}],
        "toolConfig": {"tools": [{"cachePoint": {}}]},
    }
    kind = {"kind": "application/vnd.amazon.eventstream"}
    call = read("/model/m/converse-stream", request, stream, **kind)
    assert kinds(call) == [["blob", "cachePoint", "tool_call_response"]]
    assert call.tool_calls[0].parsed == {"a": 1}
    assert call.error == semantics.CallError("throttlingException", "slow down", 200)
    assert "cut inside a frame" in read("/model/m/converse-stream", request, stream[:-1], **kind).warnings[0]


def test_ollama_shapes() -> None:
    function = {"function": {"name": "f", "arguments": {"a": 1}}}
    messages: list[Any] = [
        {"role": "user", "content": "x", "images": ["aGk="]},
        {"role": "assistant", "content": "", "tool_calls": [function]},
        {"role": "tool", "content": "1", "tool_name": "f"},
    ]
    lines = [
        {"message": {"role": "assistant", "thinking": "h"}, "done": False},
        {"message": {"role": "assistant", "content": "a", "thinking": "m"}, "done": False},
        {"message": {"role": "assistant", "content": "b", "tool_calls": [function]}, "done": False},
        {"message": {"role": "assistant"}, "done": True, "done_reason": "stop", "eval_count": 3},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    call = read("/api/chat", {"model": "m", "messages": messages, "options": {"seed": 1}}, text)
    assert kinds(call) == [["text", "blob"], ["tool_call"], ["tool_call_response"]]
    assert (call.text, call.reasoning, call.tool_calls[0].id, call.usage.output) == ("ab", "hm", "f#1", 3)
    assert call.params == {"seed": 1}
    made = [{"response": "a", "thinking": "h", "done": False}, {"response": "b", "thinking": "m", "done": True}]
    text = "".join(json.dumps(line) + "\n" for line in made)
    call = read("/api/generate", {"model": "m", "prompt": "x", "system": "s"}, text, kind="application/x-ndjson")
    assert (call.text, call.reasoning, call.system[0].content) == ("ab", "hm", "s")


def test_cohere_shapes() -> None:
    def event(kind: str, index: int = 0, **message: Any) -> dict[str, Any]:
        return {"type": kind, "index": index, "delta": {"message": message}}

    stream = sse(
        {"type": "message-start", "id": "i"},
        event("tool-plan-delta", tool_plan="I "),
        event("tool-plan-delta", tool_plan="will"),
        event("content-start", content={"type": "text", "text": ""}),
        event("content-delta", content={"text": "a"}),
        event("content-end"),
        event("tool-call-start", tool_calls={"id": "c", "function": {"name": "f", "arguments": ""}}),
        event("tool-call-delta", tool_calls={"function": {"arguments": "{}"}}),
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": {"tokens": {"input_tokens": 1}}}},
    )
    call = read("/v2/chat", {"model": "m", "messages": [], "stream": True}, stream, **STREAM)
    assert (call.text, call.reasoning, call.finish_reason, call.usage.input) == ("a", "I will", "TOOL_CALL", 1)
    assert [(tool.id, tool.parsed) for tool in call.tool_calls] == [("c", {})]
    old = {"message": "x", "chat_history": [{"role": "USER", "message": "before"}], "preamble": "s"}
    call = read("/v1/chat", old, sse({"event_type": "stream-end", "response": {"text": "hi"}}), **STREAM)
    assert (call.text, [m.text for m in call.messages], call.system[0].content) == ("hi", ["before", "x"], "s")


def test_tgi_stream() -> None:
    request: dict[str, Any] = {"inputs": "x", "parameters": {}}
    tokens = [{"token": {"text": "a"}}, {"token": {"text": "b"}}, {"token": {"text": "</s>", "special": True}}]
    call = read("/generate_stream", request, sse(*tokens), **STREAM)
    assert (call.text, call.stream, len(call.warnings)) == ("ab", True, 1)
    whole = {"generated_text": "ab!", "details": {"finish_reason": "length", "generated_tokens": 3}}
    call = read("/generate_stream", request, sse(*tokens, whole), **STREAM)
    assert (call.text, call.finish_reason, call.usage.output, call.warnings) == ("ab!", "length", 3, ())


def test_completions_and_embeddings() -> None:
    chunks = [{"choices": [{"index": 0, "text": text}]} for text in "ab"]
    call = read(
        "/v1/completions", {"model": "m", "prompt": ["x", [1, 2]], "stream": True}, sse(*chunks, "[DONE]"), **STREAM
    )
    assert (call.text, [message.text for message in call.messages], call.warnings) == ("ab", ["x", "[1,2]"], ())
    assert read("/v1/embeddings", {"model": "m", "input": [1, 2]}).messages[0].text == "[1,2]"


@pytest.mark.parametrize(
    ("response", "how", "error"),
    [
        ({"error": "model not found"}, {"status": 404}, ("404", "model not found")),
        ([{"error": {"status": "INVALID_ARGUMENT", "message": "bad"}}], {"status": 400}, ("INVALID_ARGUMENT", "bad")),
        ({"message": "no", "__type": "AccessDenied"}, {"status": 403}, ("AccessDenied", "no")),
        ("<html>bad gateway</html>", {"status": 502}, ("502", "<html>bad gateway</html>")),
        ({"error": {"code": 7, "detail": "why"}}, {"status": 200}, ("7", "why")),
        (b"", {"error": Failure("httpx.ReadTimeout", "slow")}, ("httpx.ReadTimeout", "slow")),
    ],
)
def test_errors(response: Any, how: dict[str, Any], error: tuple[str, str]) -> None:
    call = read("/chat/completions", CHAT, response, **how)
    assert call.error is not None
    assert (call.error.type, call.error.message) == error
    assert semantics.attributes(call)["error.type"] == error[0]


def test_an_error_in_a_list() -> None:
    response = [{"error": {"status": "PERMISSION_DENIED", "message": "no"}}]
    call = read("/v1/messages", {"model": "m", "messages": []}, response, status=403)
    assert call.error == semantics.CallError("PERMISSION_DENIED", "no", 403)


def test_answers_that_are_none() -> None:
    assert read("/chat/completions", CHAT, b"").warnings == ("there is no answer",)
    assert read("/chat/completions", CHAT, b'"text"').warnings == ("the answer is not a JSON object",)
    assert "recording ended" in read("/chat/completions", CHAT, b'{"id"', state="open").warnings[-1]
    assert read("/chat/completions", CHAT, sse({"choices": []}, "{"), **STREAM).warnings[0] == (
        "1 of 2 messages of the stream are not JSON"
    )
    assert (read("/chat/completions", CHAT).text, read("/chat/completions", CHAT).reasoning) == ("", "")


def test_what_is_not_a_call() -> None:
    event = exchange("/chat/completions", CHAT, {})
    for other in (
        exchange("/elsewhere", CHAT),
        exchange("/chat/completions", [1]),
        exchange("/messages/count_tokens", CHAT),
        exchange("/model/llama/invoke", CHAT),
    ):
        assert semantics.read(other) is None
    import dataclasses

    assert semantics.read(dataclasses.replace(event, kind="tool")) is None
    assert semantics.read(dataclasses.replace(event, body=None)) is None
    assert semantics.read(dataclasses.replace(event, request="not a map")) is None
    assert semantics.read(dataclasses.replace(event, request={"url": "http://[broken/chat/completions"})) is None


def test_proxies_and_hosts() -> None:
    call = read("/proxy/openai/v1/chat/completions/", CHAT)
    assert (call.dialect, call.provider) == ("openai.chat", "openai")
    assert read("/", CHAT).dialect == "openai.chat"
    assert read("/openai/deployments/gpt-4o/chat/completions", {"messages": []}).request_model == "gpt-4o"


def test_headers_of_any_shape() -> None:
    assert wire.header([["A", "1"], ("a", "2"), "junk", [1, 2]], "a") == "1, 2"
    assert wire.header(None, "a") == ""


def test_loose() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert loose.dumps(deep) == ""
    assert loose.loads("[" * 100_000) is None
    assert loose.loads(b"\xff") is None
    assert loose.number(True) is None


def test_attributes() -> None:
    request: dict[str, Any] = {
        "model": "m", "temperature": 0.5, "max_tokens": 9, "messages": [
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}},
                                                 {"id": "d", "function": {"name": "f", "arguments": "{"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "1"}],
    }  # fmt: skip
    answer = {"id": "r", "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
    found = semantics.attributes(read("/v1/chat/completions", request, answer))
    assert found["gen_ai.request.temperature"] == 0.5
    assert found["gen_ai.request.max_tokens"] == 9
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    asked, result = found["gen_ai.input.messages"]
    assert [part["arguments"] for part in asked["parts"]] == [{"a": 1}, "{"]
    assert result["parts"] == [{"type": "tool_call_response", "id": "c", "response": "1"}]
    assert found["gen_ai.output.messages"][0]["finish_reason"] == "stop"
    assert not any(value is None for value in found.values())


def test_anthropic_through_bedrock_streams() -> None:
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {"id": "m1", "model": "c", "role": "assistant", "usage": {"input_tokens": 3}},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    body = b"".join(
        frame(
            text(":event-type", "chunk"),
            json.dumps({"bytes": base64.b64encode(json.dumps(e).encode()).decode()}).encode(),
        )
        for e in events
    )
    asked = {"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": "hello"}]}
    how = {"kind": "application/vnd.amazon.eventstream"}
    call = read("/model/anthropic.c%3A0/invoke-with-response-stream", asked, body, **how)
    assert (call.dialect, call.request_model, call.stream) == ("anthropic.messages", "anthropic.c:0", True)
    assert (call.text, call.finish_reason, call.usage.input, call.usage.output) == ("hi", "end_turn", 3, 1)
    assert call.warnings == ()
    broken = read("/model/c/invoke-with-response-stream", asked, frame(b"", b'{"bytes": "!"}'), **how)
    assert broken.warnings
