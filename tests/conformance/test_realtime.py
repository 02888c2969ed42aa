"""Realtime sessions over websockets with a real SDK and a local server: replayed, and read as messages and turns."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from replay import semantics
from replay.semantics import websocket
from tests.support.e2e import cli, cli_json
from tests.support.programs import Recorded, explained, record

ASYNC = """
    import asyncio
    from openai import AsyncOpenAI
    async def main():
        client = AsyncOpenAI(base_url="http://127.0.0.1:@/v1", api_key="sk-none")
        async with client.realtime.connect(model="gpt-realtime") as connection:
            for text in ("hello", "and again " + "x" * 70000):
                content = [{"type": "input_text", "text": text}]
                await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
                await connection.response.create()
                async for event in connection:
                    print(event.type, getattr(event, "delta", ""))
                    if event.type == "response.done":
                        break
    asyncio.run(main())
"""
SYNC = """
    from openai import OpenAI
    client = OpenAI(base_url="http://127.0.0.1:@/v1", api_key="sk-none")
    with client.realtime.connect(model="gpt-realtime") as connection:
        for text in ("hello", "and again " + "x" * 70000):
            content = [{"type": "input_text", "text": text}]
            connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
            connection.response.create()
            for event in connection:
                print(event.type, getattr(event, "delta", ""))
                if event.type == "response.done":
                    break
"""


def _talk(socket: ServerConnection) -> None:
    def say(kind: str, **more: Any) -> None:
        socket.send(json.dumps({"type": kind, "event_id": "event_1", **more}))

    say("session.created", session={"type": "realtime", "model": "gpt-realtime"})
    turn = 0
    for text in socket:
        asked = json.loads(text)
        if asked["type"] == "conversation.item.create":
            say("conversation.item.added", item={"id": f"item_{turn}", **asked["item"]})
            continue
        turn += 1
        where = {"response_id": f"resp_{turn}", "item_id": f"answer_{turn}", "output_index": 0, "content_index": 0}
        say("response.created", response={"id": f"resp_{turn}", "status": "in_progress", "output": []})
        for word in ("hi ", f"there {turn}"):
            say("response.output_text.delta", delta=word, **where)
        content = [{"type": "output_text", "text": f"hi there {turn}"}]
        message = {"id": f"answer_{turn}", "type": "message", "role": "assistant", "content": content}
        usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
        done = {"id": f"resp_{turn}", "status": "completed", "output": [message], "usage": usage}
        say("response.done", response=done)


@pytest.fixture
def port() -> Iterator[int]:
    with serve(_talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=Server.serve_forever, args=(server,), daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]


@pytest.mark.parametrize("program", [ASYNC, SYNC], ids=["async", "sync"])
def test_openai_realtime(program: str, port: int, tmp_path: Path) -> None:
    found = record(tmp_path, program.replace("@", str(port)))
    assert found.exit_code == 0, found.stderr.decode()
    for _ in range(2):
        again = found.again()
        assert again.identical, explained(again)
        assert again.stdout == found.stdout
    _check(found, port)


def _check(found: Recorded, port: int) -> None:
    events = list(found.cassette().events)
    said = websocket.messages(events)
    assert {message.url for message in said} == {f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime"}
    kinds = [(message.sent, json.loads(message.data)["type"]) for message in said]
    assert [kind for sent, kind in kinds if sent] == ["conversation.item.create", "response.create"] * 2
    deltas = [json.loads(message.data)["delta"] for message in said if b"delta" in bytes(str(message.data), "utf-8")]
    assert "".join(deltas) == "hi there 1hi there 2"
    calls = [call for _, call in semantics.readings(events) if call is not None]
    assert [call.text for call in calls] == ["hi there 1", "hi there 2"]
    assert calls[0].usage.output == 3
    shown = cli_json("show", found.path)
    messages = [message for event in shown["events"] for message in event["links"].get("messages", ())]
    assert len(messages) == len(said)
    assert 'sent: \'{"type":"response.create"' in cli(
        "show", found.path, env={"COLUMNS": "300", "PATH": ""}
    ).stdout.decode().replace('": ', '":')
