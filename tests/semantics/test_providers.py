"""What we read is what the SDKs of the other providers read from the same bytes, which a local server gives them.

openai's and anthropic's are in test_sdk.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import pytest

from replay import semantics
from replay.interop.vcr.reading import Recorded, recordings
from replay.model.event import Event
from replay.semantics import LLMCall
from tests.semantics.wires import RECORDINGS

ALL = [(path.stem, recorded) for path in RECORDINGS for recorded in recordings(path, cut=7)]


def _recorded(dialect: str, host: str = "") -> list[Any]:
    found: list[Any] = []
    for name, recorded in ALL:
        call = semantics.read(recorded.event)
        if call is None or call.error is not None or host not in recorded.event.request["url"]:
            continue
        if call.dialect == dialect:
            found.append(pytest.param(recorded, call, id=f"{name}-{recorded.event.id}"))
    assert found
    return found


def _sdk(name: str) -> Any:
    """The SDK, of the `sdks` extra."""
    return pytest.importorskip(name)


@contextmanager
def _serving(event: Event) -> Generator[str]:
    """The URL of a server that gives the recorded answer to everything."""
    body = event.response.get("body", b"") + b"".join(p.value for p in event.pieces if p.status == "piece")
    headers = [(n, v) for n, v in event.response["headers"] if n.lower() not in ("content-length", "transfer-encoding")]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(event.response["status"])
            for name, value in headers:
                if name.lower() not in ("connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("recorded", "call"), _recorded("gemini"))
def test_google(recorded: Recorded, call: LLMCall) -> None:
    genai, types = _sdk("google.genai"), _sdk("google.genai.types")
    chunks: list[Any]
    with _serving(recorded.event) as url:
        client = genai.Client(api_key="x", http_options=types.HttpOptions(base_url=url))
        if call.stream:
            chunks = list(client.models.generate_content_stream(model="m", contents="x"))
        else:
            chunks = [client.models.generate_content(model="m", contents="x")]
        client.close()
    parts: list[Any] = [
        part
        for chunk in chunks
        for candidate in chunk.candidates or ()
        if candidate.content is not None
        for part in candidate.content.parts or ()
    ]
    assert call.text == "".join(part.text for part in parts if part.text and not part.thought)
    assert call.reasoning == "".join(part.text for part in parts if part.text and part.thought)
    asked = [part.function_call for part in parts if part.function_call]
    assert [(each.name, each.parsed) for each in call.tool_calls] == [(each.name, each.args) for each in asked]
    assert [each.id for each in asked if each.id] == [each.id for each in call.tool_calls if "#" not in each.id]
    usage: Any = next(chunk.usage_metadata for chunk in reversed(chunks) if chunk.usage_metadata)
    assert call.usage.input == usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0)
    assert call.usage.output == (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    assert (call.usage.cached, call.usage.reasoning) == (usage.cached_content_token_count, usage.thoughts_token_count)
    candidates: Any = chunks[-1].candidates
    assert call.finish_reason == candidates[0].finish_reason.value
    assert (call.response_model, call.response_id) == (chunks[-1].model_version, chunks[-1].response_id)


@pytest.mark.parametrize(("recorded", "call"), _recorded("bedrock.converse"))
def test_boto3(recorded: Recorded, call: LLMCall) -> None:
    boto3 = _sdk("boto3")
    with _serving(recorded.event) as url:
        client = boto3.client(
            "bedrock-runtime",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        asked = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
        if call.stream:
            answer = _converse_stream(client.converse_stream(**asked)["stream"])
        else:
            answer = client.converse(**asked)
        client.close()
    message = answer["output"]["message"]
    assert call.output[0].role == message["role"]
    assert call.text == "".join(part.get("text", "") for part in message["content"])
    thoughts = [part.get("reasoningContent", {}).get("reasoningText", {}) for part in message["content"]]
    assert call.reasoning == "".join(thought.get("text", "") for thought in thoughts)
    tools = [part["toolUse"] for part in message["content"] if "toolUse" in part]
    assert [(each.id, each.name, each.parsed) for each in call.tool_calls] == [
        (each["toolUseId"], each["name"], each["input"]) for each in tools
    ]
    assert call.finish_reason == answer["stopReason"]
    usage = answer["usage"]
    cached, written = usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens")
    assert (call.usage.output, call.usage.cached) == (usage["outputTokens"], cached)
    assert (call.usage.input, call.usage.cache_write) == (
        usage["inputTokens"] + (cached or 0) + (written or 0),
        written,
    )


def _converse_stream(events: Any) -> dict[str, Any]:
    """The answer that boto3's events amount to; boto3 itself doesn't put them together."""
    answer: dict[str, Any] = {}
    blocks: list[Any] = []
    for event in events:
        if "messageStart" in event:
            answer["role"] = event["messageStart"]["role"]
        elif "contentBlockStart" in event:
            blocks.append({"toolUse": {**event["contentBlockStart"]["start"]["toolUse"], "input": ""}})
        elif "contentBlockDelta" in event:
            at, delta = event["contentBlockDelta"]["contentBlockIndex"], event["contentBlockDelta"]["delta"]
            while len(blocks) <= at:
                blocks.append({})
            if "text" in delta:
                blocks[at]["text"] = blocks[at].get("text", "") + delta["text"]
            elif "toolUse" in delta:
                blocks[at]["toolUse"]["input"] += delta["toolUse"]["input"]
            elif "text" in delta["reasoningContent"]:
                text = blocks[at].setdefault("reasoningContent", {}).setdefault("reasoningText", {"text": ""})
                text["text"] += delta["reasoningContent"]["text"]
        elif "messageStop" in event:
            answer |= event["messageStop"]
        elif "metadata" in event:
            answer |= event["metadata"]
    for block in blocks:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return {**answer, "output": {"message": {"role": answer["role"], "content": blocks}}}


@pytest.mark.parametrize(("recorded", "call"), [*_recorded("ollama.chat"), *_recorded("ollama.generate")])
def test_ollama(recorded: Recorded, call: LLMCall) -> None:
    ollama = _sdk("ollama")
    chunks: list[Any]
    with _serving(recorded.event) as url:
        client = ollama.Client(host=url)
        if call.dialect == "ollama.chat":
            chunks = [client.chat(model="m", messages=[])]
            texts = [chunks[0].message.content]
        else:
            chunks = list(client.generate(model="m", prompt="x", stream=True))
            texts = [chunk.response for chunk in chunks]
        client._client.close()
    last = chunks[-1]
    assert call.text == "".join(texts)
    assert (call.response_model, call.finish_reason) == (last.model, last.done_reason)
    assert (call.usage.input, call.usage.output) == (last.prompt_eval_count, last.eval_count)


def _cohere_chat(call: LLMCall, theirs: Any) -> None:
    texts = [part.text for part in theirs.message.content if part.type == "text"]
    thoughts = [part.thinking for part in theirs.message.content if part.type == "thinking"]
    assert (call.text, call.reasoning) == ("".join(texts), "".join(thoughts))
    assert [(each.id, each.name, each.arguments) for each in call.tool_calls] == [
        (each.id, each.function.name, each.function.arguments) for each in theirs.message.tool_calls or ()
    ]
    assert (call.finish_reason, call.response_id) == (theirs.finish_reason, theirs.id)
    tokens = theirs.usage.tokens
    assert (call.usage.input, call.usage.output) == (tokens.input_tokens, tokens.output_tokens)


@pytest.mark.parametrize(("recorded", "call"), [*_recorded("cohere.chat"), *_recorded("cohere.rerank")])
def test_cohere(recorded: Recorded, call: LLMCall) -> None:
    cohere = _sdk("cohere")
    with _serving(recorded.event) as url:
        if "/v2/" in recorded.event.request["url"]:
            _cohere_chat(call, cohere.ClientV2("x", base_url=url).chat(model="m", messages=[]))
        elif call.dialect == "cohere.rerank":
            theirs = cohere.Client("x", base_url=url).rerank(model="m", query="x", documents=[])
            ranked = [(part.content["index"], part.content["relevance_score"]) for part in call.output[0].parts]
            assert ranked == [(each.index, each.relevance_score) for each in theirs.results]
            assert call.response_id == theirs.id
        else:
            old = cohere.Client("x", base_url=url).chat(message="x")
            assert (call.text, call.finish_reason) == (old.text, old.finish_reason)
            tokens = old.meta.tokens
            assert (call.usage.input, call.usage.output) == (tokens.input_tokens, tokens.output_tokens)


def _mistral(url: str, call: LLMCall) -> Any:
    with _sdk("mistralai.client").Mistral(api_key="x", server_url=url) as client:
        if call.operation == "embeddings":
            return client.embeddings.create(model="m", inputs="x")
        return client.chat.complete(model="m", messages=[])


def _groq(url: str, call: LLMCall) -> Any:
    with _sdk("groq").Groq(api_key="x", base_url=url, max_retries=0) as client:
        if not call.stream:
            return client.chat.completions.create(model="m", messages=[])
        return list(client.chat.completions.create(model="m", messages=[], stream=True))


def _hugging_face(url: str, call: LLMCall) -> Any:
    del call
    return _sdk("huggingface_hub").InferenceClient(base_url=url, api_key="x").chat_completion(messages=[], model=None)


_CHATS: list[Any] = [
    pytest.param(*each.values, client, id=each.id)
    for client, host in ((_mistral, "api.mistral.ai"), (_groq, "api.groq.com"), (_hugging_face, "huggingface.co"))
    for each in _recorded("openai.chat", host)
]


@pytest.mark.parametrize(("recorded", "call", "client"), _CHATS)
def test_who_speaks_openai_chat(recorded: Recorded, call: LLMCall, client: Callable[[str, LLMCall], Any]) -> None:
    with _serving(recorded.event) as url:
        theirs = client(url, call)
    if isinstance(theirs, list):  # these SDKs leave it to the caller to put chunks together
        chunks = list(cast("Iterable[Any]", theirs))
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        assert call.text == "".join(delta.content or "" for delta in deltas)
        assert call.reasoning == "".join(getattr(delta, "reasoning", None) or "" for delta in deltas)
        assert call.finish_reason == chunks[-1].choices[0].finish_reason
        usage: Any = chunks[-1].x_groq.usage
        assert call.response_id == chunks[-1].id
    else:
        choice = theirs.choices[0]
        assert (call.text, call.finish_reason) == (choice.message.content or "", choice.finish_reason)
        assert [(each.id, each.name, each.arguments) for each in call.tool_calls] == [
            (each.id, each.function.name, each.function.arguments) for each in choice.message.tool_calls or ()
        ]
        usage = theirs.usage
        assert (call.response_id, call.response_model) == (theirs.id, theirs.model)
    assert (call.usage.input, call.usage.output) == (usage.prompt_tokens, usage.completion_tokens)


@pytest.mark.parametrize(("recorded", "call"), _recorded("openai.embeddings", "api.mistral.ai"))
def test_mistral_embeddings(recorded: Recorded, call: LLMCall) -> None:
    with _serving(recorded.event) as url:
        theirs = _mistral(url, call)
    assert [message.parts[0].content for message in call.output] == [each.embedding for each in theirs.data]
    assert call.usage.input == theirs.usage.prompt_tokens


@pytest.mark.parametrize(("recorded", "call"), _recorded("tgi.generate"))
def test_text_generation(recorded: Recorded, call: LLMCall) -> None:
    with _serving(recorded.event) as url:
        theirs = _sdk("huggingface_hub").InferenceClient(model=url).text_generation("x", details=True)
    details = theirs.details
    assert details is not None
    assert (call.text, call.finish_reason) == (theirs.generated_text, details.finish_reason)
    assert call.usage.output == details.generated_tokens


@pytest.mark.parametrize(("recorded", "call"), _recorded("xai.chat"))
def test_xai(recorded: Recorded, call: LLMCall) -> None:
    response, proto = _sdk("xai_sdk.chat").Response, _sdk("xai_sdk.proto").chat_pb2
    event = recorded.event
    asked = proto.GetCompletionsRequest.FromString(event.body)
    theirs: Any
    if call.stream:
        theirs = response(proto.GetChatCompletionResponse(), None)
        for piece in event.pieces[:-1]:
            theirs.process_chunk(proto.GetChatCompletionChunk.FromString(piece.value))
    else:
        theirs = response(proto.GetChatCompletionResponse.FromString(event.response["body"]), None)
    assert call.text == theirs.content
    assert call.reasoning == theirs.reasoning_content
    parts = [part for part in call.output[0].parts if part.type.endswith("tool_call")]
    assert [(part.id, part.name, part.content) for part in parts] == [
        (each.id, each.function.name, each.function.arguments) for each in theirs.tool_calls
    ]
    usage = theirs.usage
    assert call.usage.input == usage.prompt_tokens
    assert call.usage.output == usage.completion_tokens + usage.reasoning_tokens
    assert (call.usage.cached or 0) == usage.cached_prompt_text_tokens
    assert (call.finish_reason, call.response_id) == (theirs.finish_reason, theirs.id)
    assert [tool.name for tool in call.tools] == [tool.function.name or tool.WhichOneof("tool") for tool in asked.tools]
    texts = ["".join(part.text for part in message.content) for message in asked.messages]
    assert ["".join(p.content for p in m.parts if p.type != "tool_call") for m in call.messages] == texts
