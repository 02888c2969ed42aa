"""Secrets in compressed bodies: not in the file, packed or unpacked, and the replay reads the same."""

from __future__ import annotations

import gzip
import importlib
import os
import sys
import zlib
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import zstandard

from replay.cassette.cassette import load
from replay.cassette.redact import packing
from replay.cassette.redact.scanning import scan
from replay.launch import record_command, run
from replay.model.encodings import decode
from tests.support.programs import explained

brotli: Any = importlib.import_module("brotli")

KEY = "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"
TEXT = "".join(f"Line {n} of the answer. " for n in range(40)) + f"The key is {KEY}, said twice: {KEY}. That's all."

PROGRAM = r"""
import asyncio, gzip, json, os, sys, urllib.request
import aiohttp, httpx, requests

server, text = os.environ["SERVER"], os.environ["TEXT"]

def told(how, said):
    print(how, len(said), said)

for name in ("gzip", "deflate", "br", "zstd"):
    for way in ("whole", "cut", "stream"):
        url = f"{server}/{name}/{way}"
        with httpx.Client(trust_env=False) as client:
            told(f"httpx {name} {way}", client.get(url).text)
            with client.stream("GET", url) as response:
                told(f"lines {name} {way}", " ".join(response.iter_lines()))
            with client.stream("GET", url) as response:
                told(f"closed {name} {way}", next(response.iter_text())[:20])
        if name != "zstd":  # requests doesn't unpack it
            with requests.Session() as session:
                session.trust_env = False
                told(f"requests {name} {way}", session.get(url).text)
with urllib.request.urlopen(f"{server}/gzip/whole") as response:
    told("urllib", gzip.decompress(response.read()).decode())
with httpx.Client(trust_env=False) as client:
    told("plain", client.get(f"{server}/gzip/plain").text)
    sent = client.post(server, content=gzip.compress(text.encode(), mtime=0), headers={"Content-Encoding": "gzip"})
    told("sent", sent.text)

async def main():
    async with aiohttp.ClientSession() as session:
        for name in ("gzip", "deflate", "br"):
            for way in ("whole", "cut", "stream"):
                async with session.get(f"{server}/{name}/{way}") as response:
                    told(f"aiohttp {name} {way}", await response.text())

asyncio.run(main())
"""

ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def streamed(name: str, text: bytes, size: int) -> Generator[bytes]:
    """As a server that flushes each piece."""
    packer = packing.packer(name)
    for at in range(0, len(text), size):
        yield packer.piece(text[at : at + size], last=at + size >= len(text))


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        _, name, way = self.path.split("/")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Encoding", name if way != "plain" else "identity")
        packed = ENCODE[name](TEXT.encode()) if way != "plain" else TEXT.encode()
        if way in ("whole", "plain"):
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cut = (packed[at : at + 50] for at in range(0, len(packed), 50))
        for piece in cut if way == "cut" else streamed(name, TEXT.encode(), 61):
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"%d bytes" % len(gzip.decompress(body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Generator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_compressed_bodies(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    path = tmp_path / "x.cassette"
    variables = {**os.environ, "SERVER": server, "TEXT": TEXT}
    made = record_command([sys.executable, "program.py"], str(path), variables=variables, output="capture")
    assert made.exit_code == 0
    with load(path) as cassette:
        bodies: list[tuple[bytes, Any]] = []
        for event in cassette.events:
            assert KEY not in str(event)
            if event.kind == "http":
                headers = {name.lower(): value for name, value in event.response["headers"]}
                body = b"".join(piece.value for piece in event.pieces if piece.value)
                bodies.append(decode(body, headers.get("content-encoding", "")))
                bodies.append(decode(event.body or b"", "gzip"))
        assert not cassette.blind_spots
    assert all(KEY.encode() not in text for text, _ in bodies)
    assert sum(b"ghp_<redacted:" in text and b"That's all" in text for text, _ in bodies) >= 45
    assert list(scan(path)) == []
    again = run(str(path))
    assert again.identical, explained(again)
