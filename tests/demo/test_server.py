"""The server against the real SDKs: it is understood, it never answers twice alike, and it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
import requests
from anthropic.types import MessageParam, ToolParam
from openai.types.chat import ChatCompletionToolParam
from openai.types.responses import FunctionToolParam

from replay.demo.server import RandomServer, spawn

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "days": {"type": "integer"}, "how": {"enum": ["air", "sea"]}},
    "required": ["order_id", "days", "how"],
}
CHAT_TOOL: ChatCompletionToolParam = {"type": "function", "function": {"name": "track", "parameters": SCHEMA}}
RESPONSES_TOOL: FunctionToolParam = {"type": "function", "name": "track", "parameters": SCHEMA, "strict": False}
MESSAGES_TOOL: ToolParam = {"name": "track", "input_schema": SCHEMA}
QUESTION = "Where is A-1043? [caller:me]"


def openai_client(server: RandomServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=2)


def anthropic_client(server: RandomServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=2)


def is_tracked(arguments: dict[str, Any]) -> bool:
    return arguments["order_id"] == "A-1043" and isinstance(arguments["days"], int) and arguments["how"] in "air sea"


# -- the three dialects -------------------------------------------------------------------------------------------


def test_chat_loop_ends_and_stays_within_the_schema(random_server: RandomServer) -> None:
    with openai_client(random_server) as client:
        messages: list[Any] = [{"role": "user", "content": QUESTION}]
        for rounds in range(5):
            completion = client.chat.completions.create(model="m", messages=messages, tools=[CHAT_TOOL])
            message = completion.choices[0].message
            assert completion.usage is not None
            assert completion.usage.total_tokens > 0
            if not message.tool_calls:
                assert rounds in (1, 2, 3)
                assert "[caller:me]" in str(message.content)
                return
            assert completion.choices[0].finish_reason == "tool_calls"
            messages.append(message.to_dict())
            for call in message.tool_calls:
                assert call.type == "function"
                assert is_tracked(json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"found": true}'})
    pytest.fail("the conversation did not end")


def test_chat_stream_accumulates_to_whole_calls_and_usage(random_server: RandomServer) -> None:
    with (
        openai_client(random_server) as client,
        client.chat.completions.stream(
            model="m",
            messages=[{"role": "user", "content": QUESTION}],
            tools=[CHAT_TOOL],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in kinds
    assert final.usage is not None
    calls = final.choices[0].message.tool_calls
    assert calls
    assert all(is_tracked(json.loads(call.function.arguments)) for call in calls)


def test_chat_stream_without_tools_is_text(random_server: RandomServer) -> None:
    with openai_client(random_server) as client:
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        chunks = list(stream)
    assert all(chunk.usage is None for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).endswith("[caller:me]")
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_choice_of_tools_is_honoured(random_server: RandomServer) -> None:
    other: ChatCompletionToolParam = {"type": "function", "function": {"name": "other", "parameters": SCHEMA}}
    with openai_client(random_server) as client:
        for _ in range(8):
            forced = client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": QUESTION}],
                tools=[other, CHAT_TOOL],
                tool_choice={"type": "function", "function": {"name": "track"}},
                parallel_tool_calls=False,
            )
            calls = forced.choices[0].message.tool_calls or []
            assert [call.function.name for call in calls if call.type == "function"] == ["track"]
        none = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": QUESTION}], tools=[CHAT_TOOL], tool_choice="none"
        )
    assert none.choices[0].message.tool_calls is None


def test_responses_loop_ends(random_server: RandomServer) -> None:
    with openai_client(random_server) as client:
        answer = client.responses.create(model="m", input=QUESTION, tools=[RESPONSES_TOOL], instructions="Be brief.")
        for _ in range(4):
            calls = [item for item in answer.output if item.type == "function_call"]
            if not calls:
                break
            assert all(is_tracked(json.loads(call.arguments)) for call in calls)
            answer = client.responses.create(
                model="m",
                previous_response_id=answer.id,
                input=[{"type": "function_call_output", "call_id": call.call_id, "output": "ok"} for call in calls],
                tools=[RESPONSES_TOOL],
            )
    assert answer.output_text.endswith("[caller:me]")
    assert answer.usage is not None


def test_responses_stream_accumulates(random_server: RandomServer) -> None:
    with openai_client(random_server) as client:
        with client.responses.stream(model="m", input=QUESTION) as stream:
            pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
            assert "".join(pieces) == stream.get_final_response().output_text
        with client.responses.stream(model="m", input=QUESTION, tools=[RESPONSES_TOOL]) as stream:
            sequence = [event.sequence_number for event in stream if hasattr(event, "sequence_number")]
            calls = [item for item in stream.get_final_response().output if item.type == "function_call"]
    assert sequence == sorted(sequence)
    assert calls
    assert all(is_tracked(json.loads(call.arguments)) for call in calls)


def test_messages_loop_ends(random_server: RandomServer) -> None:
    with anthropic_client(random_server) as client:
        messages: list[MessageParam] = [{"role": "user", "content": QUESTION}]
        for rounds in range(5):
            message = client.messages.create(model="m", max_tokens=99, messages=messages, tools=[MESSAGES_TOOL])
            uses = [block for block in message.content if block.type == "tool_use"]
            if not uses:
                last = message.content[-1]
                assert last.type == "text"
                assert last.text.endswith("[caller:me]")
                assert message.stop_reason == "end_turn"
                assert rounds in (1, 2, 3)
                return
            assert all(is_tracked(use.input) for use in uses)
            messages.append({"role": "assistant", "content": message.content})
            messages.append(
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "ok"} for use in uses],
                }
            )
    pytest.fail("the conversation did not end")


def test_messages_stream_has_thinking_sometimes(random_server: RandomServer) -> None:
    kinds: set[str] = set()
    with anthropic_client(random_server) as client:
        for _ in range(24):
            with client.messages.stream(
                model="m",
                max_tokens=99,
                messages=[{"role": "user", "content": QUESTION}],
                thinking={"type": "adaptive"},
            ) as stream:
                spoken = "".join(stream.text_stream)
                final = stream.get_final_message()
            assert spoken.endswith("[caller:me]")
            assert final.usage.output_tokens > 1
            kinds |= {block.type for block in final.content}
    assert kinds == {"text", "thinking"}


def test_messages_stream_of_tool_use(random_server: RandomServer) -> None:
    with (
        anthropic_client(random_server) as client,
        client.messages.stream(
            model="m", max_tokens=99, messages=[{"role": "user", "content": QUESTION}], tools=[MESSAGES_TOOL]
        ) as stream,
    ):
        uses = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert uses
    assert all(is_tracked(use.input) for use in uses)


async def _asked(server: RandomServer, marker: str) -> list[str]:
    """The answers of all three dialects, on asyncio, to a question with a marker."""
    question = f"hello [caller:{marker}]"
    async with (
        openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as first,
        anthropic.AsyncAnthropic(base_url=server.url, api_key="none") as second,
    ):
        chat, response, message = await asyncio.gather(
            first.chat.completions.create(model="m", messages=[{"role": "user", "content": question}]),
            first.responses.create(model="m", input=question),
            second.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": question}]),
        )
    block = message.content[-1]
    assert block.type == "text"
    return [chat.choices[0].message.content or "", response.output_text, block.text]


def test_async_clients(random_server: RandomServer) -> None:
    assert all(text.endswith("[caller:async]") for text in asyncio.run(_asked(random_server, "async")))


def test_sdks_retry_errors() -> None:
    with RandomServer(errors=1.0, delay=(0, 0)) as server:
        with openai_client(server) as client:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        with anthropic_client(server) as other:
            other.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])
        assert server.count == 6
        with openai_client(server).with_options(max_retries=0) as eager, pytest.raises(openai.APIStatusError) as raised:
            eager.responses.create(model="m", input="x")
    assert raised.value.status_code in (429, 500, 503)


# -- chance -------------------------------------------------------------------------------------------------------


def test_two_runs_differ() -> None:
    runs: list[list[str]] = []
    for _ in range(2):
        with RandomServer() as server:
            runs.append(asyncio.run(_asked(server, "same")))
    assert all(first != second for first, second in zip(*runs, strict=True))


def test_a_seed_makes_answers_repeatable() -> None:
    bodies: list[list[Any]] = []
    for _ in range(2):
        with RandomServer(seed=7, delay=(0, 0)) as server, httpx.Client(base_url=server.url) as client:
            bodies.append([client.get(f"/{path}").json() for path in ("orders/B-1", "weather?city=Oslo", "orders/B-2")])
    assert bodies[0] == bodies[1]


def test_chunks_are_cut_anywhere(random_server: RandomServer) -> None:
    request = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    cuts: set[bool] = set()
    for _ in range(8):
        with httpx.stream("POST", f"{random_server.url}/v1/chat/completions", json=request) as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            cuts |= {chunk.endswith(b"\n\n") for chunk in response.iter_raw()}
    assert False in cuts


def test_64_concurrent_calls_get_their_own_answers(random_server: RandomServer) -> None:
    before = random_server.count

    def ask(number: int) -> str:
        with openai_client(random_server) as client:
            reply = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}], metadata={"caller": str(number)}
            )
        return reply.choices[0].message.content or ""

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(ask, range(64)))
    assert all(answer.endswith(f"[caller:{number}]") for number, answer in enumerate(answers))
    assert random_server.count - before == 64


def test_64_concurrent_streams_on_one_loop(random_server: RandomServer) -> None:
    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"hello [caller:{number}]"}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def ask_all() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{random_server.url}/v1", api_key="none") as client:
            return await asyncio.gather(*(ask(client, number) for number in range(64)))

    answers = asyncio.run(ask_all())
    assert all(answer.endswith(f"[caller:{number}]") for number, answer in enumerate(answers))


# -- plain endpoints ----------------------------------------------------------------------------------------------


def test_plain_endpoints(random_server: RandomServer) -> None:
    with requests.Session() as session:
        url = random_server.url
        assert session.get(f"{url}/orders/A-1043").json()["total"] == 129.00
        assert session.get(f"{url}/old/orders/A-1043").url == f"{url}/orders/A-1043"
        assert session.get(f"{url}/orders/X-1").status_code == 404
        assert session.get(f"{url}/nothing").status_code == 404
        assert session.post(f"{url}/echo", data=b"[]").status_code == 400
        assert session.post(f"{url}/echo", json={"a": [1]}).json()["echo"] == {"a": [1]}
        assert session.post(f"{url}/echo", data=iter([b'{"a"', b": 1}"])).json()["echo"] == {"a": 1}
        assert session.get(f"{url}/weather", params={"city": "Oslo"}).json()["city"] == "Oslo"
        assert session.post(f"{url}/refunds", json={"order_id": "A-1043"}).status_code == 201
        text = session.get(f"{url}/text")
        assert text.headers["Content-Encoding"] == "gzip"
        assert text.content.decode().startswith("00 ")
        assert "Content-Encoding" not in session.get(f"{url}/text", headers={"Accept-Encoding": "identity"}).headers
        ledger = session.get(f"{url}/ledger").json()["ledger"]
        assert [(entry["what"], entry["order_id"]) for entry in ledger] == [("refund", "A-1043")]
        assert session.get(f"{url}/count").json() == {"count": 12}


# -- the end ------------------------------------------------------------------------------------------------------


def is_refused(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return True
    return False


def test_open_connections_are_cut_at_the_end() -> None:
    with httpx.Client() as client:
        with RandomServer() as server:
            client.get(f"{server.url}/count")
        with pytest.raises(httpx.TransportError):
            client.get(f"{server.url}/count")
    assert is_refused(server.url)


def test_a_spawned_server_ends_with_its_block() -> None:
    with spawn(delay=(0, 0)) as url:
        assert httpx.get(f"{url}/count").json() == {"count": 0}
    assert is_refused(url)


def test_it_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    """The parent leaves without a word; the end of the server shows as the end of the output that it inherited."""
    program = (
        "import subprocess, sys\n"
        "server = subprocess.Popen([sys.executable, '-m', 'replay.demo.server', '--port-file', sys.argv[1]])\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "port")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert httpx.get(f"{url}/count").status_code == 200
        parent.send_signal(signal.SIGKILL)
        assert parent.stdout.read() == ""
    assert is_refused(url)


@pytest.mark.parametrize("options", [["--lifetime", "0.2"], ["--until-eof"], ["--parent-pid", "99999999"]])
def test_it_ends_by_itself(options: list[str], tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    ended = subprocess.run(
        [sys.executable, "-m", "replay.demo.server", "--port-file", str(port_file), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ended.stdout == f"http://127.0.0.1:{port_file.read_text().strip()}\n"
    assert is_refused(ended.stdout.strip())


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "replay.demo.server"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("http://")
        server.terminate()
        assert server.wait() == 0
