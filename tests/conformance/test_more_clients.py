"""Clients whose ways differ too much for `clients.py`: httplib2, tornado, boto3, websockets of aiohttp."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replay import semantics
from replay.model.event import Event
from tests.conformance.odd_server import CHUNKS, OddServer
from tests.semantics.test_eventstream import frame, text
from tests.support.programs import Recorded, explained, record

SWAPS = Path(__file__).parents[2] / "fixtures" / "swaps"


@pytest.fixture
def odd() -> Iterator[OddServer]:
    with OddServer() as server:
        yield server


def replayed(found: Recorded) -> Recorded:
    """That recording, which replays twice; its server may still be there, and isn't asked."""
    assert found.exit_code == 0, found.stderr.decode()
    assert [spot.what for spot in found.cassette().blind_spots] == []
    for _ in range(2):
        again = found.again()
        assert again.identical, explained(again)
        assert again.stdout == found.stdout
    return found


def kinds(found: Recorded) -> Counter[str]:
    return Counter(event.kind for event in found.cassette().events)


def body_of(event: Event) -> bytes:
    return b"".join(piece.value for piece in event.pieces if piece.status == "piece")


def test_httplib2(odd: OddServer, tmp_path: Path) -> None:
    program = """
        import json, httplib2
        BASE = "@"
        client = httplib2.Http(timeout=20)
        def ask(url, *args, **options):
            try:
                response, body = client.request(url, *args, **options)
                print(response.status, body.decode())
            except Exception as error:
                print(type(error).__name__, error)
        ask(f"{BASE}/x/answer/p", "POST", body=b"plain")
        for what in ("answer/a", "answer/b", "moved/there", "chunks/1", "close/1", "cut/1"):
            ask(f"{BASE}/x/{what}")
        ask("http://127.0.0.1:1/x")
        client = httplib2.Http(timeout=0.1)
        ask(f"{BASE}/x/hang/1")
    """
    found = replayed(record(tmp_path, program.replace("@", odd.url)))
    assert kinds(found)["connection"] == 0
    assert kinds(found)["http"] > odd.requests  # nobody listened on port 1
    assert "RemoteDisconnected" in found.text
    assert '"body": "plain"' in found.text


def test_tornado(odd: OddServer, tmp_path: Path) -> None:
    program = """
        import asyncio, json
        from tornado.httpclient import AsyncHTTPClient, HTTPClient
        BASE = "@"
        async def main():
            client = AsyncHTTPClient()
            async def ask(url, **options):
                try:
                    found = await client.fetch(url, **options)
                    print(found.code, found.reason, found.body, found.effective_url, found.request_time > 0)
                except Exception as error:
                    print(type(error).__name__, error)
            for what in ("answer/a", "moved/there", "chunks/1", "close/1", "cut/1"):
                await ask(f"{BASE}/x/{what}", headers={"Authorization": "Bearer very-secret"})
            await ask(f"{BASE}/x/answer/p", method="POST", body=b"plain", decompress_response=True)
            await ask("http://127.0.0.1:1/x")
            await ask(f"{BASE}/x/hang/1", request_timeout=0.1)
            sizes, lines = [], []
            sized = lambda piece: sizes.append(len(piece))
            await ask(f"{BASE}/x/chunks/2", streaming_callback=sized, header_callback=lines.append)
            print(sizes, lines[0], lines[-1])
            gate = []
            async def open_gate():
                while not gate:
                    await asyncio.sleep(0)
                print("first", gate)
                await client.fetch(f"{BASE}/x/open/g")
            await asyncio.gather(ask(f"{BASE}/x/gated/g", streaming_callback=gate.append), open_gate())
            print(gate)
        asyncio.run(main())
    """
    found = replayed(record(tmp_path, program.replace("@", odd.url)))
    assert kinds(found)["connection"] == 0
    assert "first [b'first']\n" in found.text
    assert f"[{sum(CHUNKS)}]" in found.text or str([*CHUNKS]) in found.text
    events = [event for event in found.cassette().events if event.kind == "http"]
    assert [event.name.rpartition("/x/")[2] for event in events[:2]] == ["answer/a", "moved/there"]
    moved = events[1]
    assert (moved.response["status"], moved.response["url"]) == (200, f"{odd.url}/x/answer/there")
    assert json.loads(body_of(moved))["key"] == "there"
    assert ["Authorization", "Bearer very-secret"] not in moved.request["headers"]


class _Bedrock(http.server.BaseHTTPRequestHandler):
    """A model behind `converse` and `converse-stream`, with a file store beside it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Silent."""

    def do_GET(self) -> None:
        self._send("application/octet-stream", b"object " * 1000)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
        if self.path.endswith("/converse"):
            message = {"role": "assistant", "content": [{"text": "hello"}]}
            answer = {
                "output": {"message": message},
                "stopReason": "end_turn",
                "usage": usage,
                "metrics": {"latencyMs": 1},
            }
            self._send("application/json", json.dumps(answer).encode())
            return
        frames = [
            ("messageStart", {"role": "assistant"}),
            *(
                ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}})
                for word in ("hel", "lo ", "you")
            ),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
        ]
        self._send("application/vnd.amazon.eventstream", *(self._frame(name, value) for name, value in frames))

    def _frame(self, name: str, value: Any) -> bytes:
        headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
        return frame(b"".join(text(*pair) for pair in headers.items()), json.dumps(value).encode())

    def _send(self, kind: str, *pieces: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(sum(map(len, pieces))))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)


def test_boto3(tmp_path: Path) -> None:
    program = """
        import boto3
        from botocore.config import Config
        made = dict(endpoint_url="@", region_name="eu-west-1", aws_access_key_id="AKIAXXXXXXXXXXXXXXXX",
                    aws_secret_access_key="abc", config=Config(retries={"max_attempts": 1}))
        model = boto3.client("bedrock-runtime", **made)
        asked = dict(modelId="a.model", messages=[{"role": "user", "content": [{"text": "hi"}]}])
        print(model.converse(**asked)["output"])
        for event in model.converse_stream(**asked)["stream"]:
            print(event)
        print(len(boto3.client("s3", **made).get_object(Bucket="b", Key="k")["Body"].read()))
    """
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Bedrock) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        found = record(tmp_path, program.replace("@", f"http://127.0.0.1:{server.server_address[1]}"))
        server.shutdown()
    replayed(found)
    calls = [semantics.read(event) for event in found.cassette().events if event.kind == "http"]
    whole, streamed, other = calls
    assert whole is not None
    assert streamed is not None
    assert (whole.text, streamed.text, streamed.usage.output, other) == ("hello", "hello you", 2, None)


def test_websockets_of_aiohttp(odd: OddServer, tmp_path: Path) -> None:
    program = """
        import asyncio, aiohttp
        async def main():
            async with aiohttp.ClientSession() as session:
                async with session.get("HTTP/x/answer/0") as response:  # leaves a connection in the pool
                    print(await response.json())
                async with session.ws_connect("WS") as socket:
                    for number in range(3):
                        await socket.send_str(str(number))
                        print(await socket.receive_json())
                left = await session.ws_connect("WS".replace("127.0.0.1", "localhost"))
                await left.send_str("left open")
                print(await left.receive())
            for url in ("HTTP/x/answer/1", "http://127.0.0.1:1/"):
                async with aiohttp.ClientSession() as session:
                    try:
                        await session.ws_connect(url)
                    except aiohttp.ClientError as error:
                        print(type(error).__name__)
        asyncio.run(main())
    """
    command = [sys.executable, str(SWAPS / "server.py"), "websocket"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        found = record(tmp_path, program.replace("HTTP", odd.url).replace("WS", url))
        server.kill()
    replayed(found)
    assert found.text.endswith("WSServerHandshakeError\nClientConnectorError\n")
