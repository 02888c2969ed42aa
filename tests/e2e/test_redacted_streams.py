"""Secrets that come in pieces, through every seam that streams: not in the file, and the replay is the same."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from replay.cassette.cassette import load
from replay.cassette.redact.scanning import scan
from replay.launch import record_command, run
from tests.support.programs import explained

KEY = "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"
CARD = "4111 1111 1111 1111"
TEXT = f"The key is {KEY}, the card {CARD}. That's all."

PROGRAM = r"""
import asyncio, json, os, sys, urllib.request
import httpx
import replay

size = int(os.environ["SIZE"])
text = open("secret.txt").read() if os.path.exists("secret.txt") else None

@replay.tool(effect="read")
def tokens(n):
    whole = os.environ["TEXT"]
    for at in range(0, len(whole), n):
        yield whole[at : at + n]

@replay.tool(effect="read")
async def deltas(n):
    whole = os.environ["TEXT"]
    for at in range(0, len(whole), n):
        yield {"delta": whole[at : at + n], "index": 0}

def told(how, pieces):
    print(how, "".join(pieces), len("".join(pieces)) > 0)

said = []
for token in tokens(size):
    said.append(token)
    print(token, end="", flush=True)
told("tokens", said)

async def main():
    said = []
    async for delta in deltas(size):
        said.append(delta["delta"])
        print(delta["delta"], end="|")
    told("deltas", said)
    async with httpx.AsyncClient(trust_env=False) as client:
        async with client.stream("GET", os.environ["SERVER"] + f"/{size}") as response:
            said = []
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    said.append(json.loads(line[6:])["choices"][0]["delta"]["content"])
                    print(said[-1], end="", flush=True)
            told("httpx", said)
            await client.post(os.environ["SERVER"] + "/back", content="".join(said))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", CHILD, str(size), stdout=asyncio.subprocess.PIPE)
    said = []
    while piece := await child.stdout.read(64):
        said.append(piece.decode())
    told("pipe", said)
    await child.wait()

CHILD = '''
import os, sys, time
whole, n = os.environ["TEXT"].encode(), int(sys.argv[1])
for at in range(0, len(whole), n):
    os.write(1, whole[at : at + n])
    time.sleep(0.002)
'''

asyncio.run(main())
with urllib.request.urlopen(os.environ["SERVER"] + f"/{size}") as response:
    told("urllib", [line.decode() for line in response])
"""


class _Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        size = int(self.path[1:])
        for at in range(0, len(TEXT), size):
            delta = {"choices": [{"index": 0, "delta": {"content": TEXT[at : at + size]}}]}
            line = b"data: " + json.dumps(delta).encode() + b"\n\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def server() -> Generator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


@pytest.mark.parametrize("size", [4, 13])
def test_tokens(tmp_path: Path, server: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    variables = {**os.environ, "SERVER": server, "SIZE": str(size), "TEXT": TEXT}
    path = tmp_path / "x.cassette"
    made = record_command([sys.executable, "program.py"], str(path), variables=variables, output="capture")
    assert made.exit_code == 0
    with load(path) as cassette:
        streams = [event for event in cassette.events if event.pieces]
        outputs = "".join(str(event.request) for event in cassette.events if event.kind == "output")
        everything = "".join(str(event) for event in cassette.events)
    assert len(streams) >= 5
    assert len([event for event in streams if "The" in str(event.pieces[0].value)]) >= 3
    assert "That's all" in outputs
    for secret in (KEY[4:], CARD[7:]):
        assert secret[:13] not in everything
        assert secret[:13] not in outputs.replace("|", "")
    assert list(scan(path)) == []
    again = run(str(path))
    assert again.identical, explained(again)


CALLS = r"""
import os, socket, sys
key, at = os.environ["THE_TEXT"], int(os.environ["CUT"])
one, other = socket.socketpair()
for part in (key[:at], key[at:]):
    if part:
        other.sendall(part.encode())
        print(len(one.recv(100)))
with open("secret.txt") as file:
    print(len(file.read(at)), len(file.read()))
for part in (key[:at], key[at:]):
    sys.stdout.write(part)
sys.stdout.write("\n")
for part in (key[:at], key[at:]):
    print(part, end="", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("cut", [40, 20])
def test_where_the_limit_is(tmp_path: Path, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret within one call, line or file is found. Of one that is cut over calls of `recv`, or printed in parts
    that are flushed, what is behind the first part stands in the file (docs/redaction.md)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(CALLS)
    (tmp_path / "secret.txt").write_text(KEY)
    variables = {**os.environ, "THE_TEXT": KEY, "CUT": str(cut)}
    path = tmp_path / "x.cassette"
    made = record_command([sys.executable, "program.py"], str(path), variables=variables, output="capture")
    assert made.exit_code == 0
    with load(path) as cassette:
        found: dict[str, str] = {}
        for event in cassette.events:
            name = f"{event.kind} {event.name}"
            found[name] = found.get(name, "") + f"{event.request} {event.response} {event.content!r} {event.body!r}"
    assert all(KEY not in text and KEY[:20] not in text for text in found.values())
    tails = {name for name, text in found.items() if KEY[20:] in text}
    assert tails == (set() if cut == 40 else {"connection socket sendall", "connection socket recv", "output stderr"})
