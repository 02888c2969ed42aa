"""Streams that a program leaves before their end: where it did is recorded, shown, and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import replay
from replay.demo.server import environment
from tests.conformance.odd_server import OddServer
from tests.support.e2e import Recorded, cli, record, shown, write

AGENT = """\
import asyncio
import os

import openai

LEAVE_AFTER = 3
ASKED = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Where is my order?"}], "stream": True}
OPTIONS = {"base_url": os.environ["AGENT_BASE_URL"] + "/v1", "api_key": "dummy"}


def ask():
    with openai.OpenAI(**OPTIONS) as client, client.chat.completions.create(**ASKED) as stream:
        for number, chunk in enumerate(stream, 1):
            print(number, chunk.id, chunk.choices[0].delta.content)
            if number == LEAVE_AFTER:
                break


async def ask_asynchronously():
    async with openai.AsyncOpenAI(**OPTIONS) as client:
        stream = await client.chat.completions.create(**ASKED)
        number = 0
        async for chunk in stream:
            number += 1
            print(number, chunk.id, chunk.choices[0].delta.content)
            if number == LEAVE_AFTER:
                break
        await stream.close()


ask()
asyncio.run(ask_asynchronously())
"""

PIECES = """\
import http.client
import sys

host, path = sys.argv[1:]
connection = http.client.HTTPConnection(host)
connection.request("GET", path)
response = connection.getresponse()
for _ in range(TIMES):
    response.read1()
response.close()
print("left")
"""

CANCELLED = """\
import asyncio
import sys

import aiohttp
import httpx


async def with_httpx(url, seen):
    async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
        print("httpx", response.status_code)
        async for piece in response.aiter_raw():
            if piece.endswith(b"second"):
                seen.set()


async def with_aiohttp(url, seen):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        print("aiohttp", response.status)
        async for piece in response.content.iter_any():
            if piece.endswith(b"second"):
                seen.set()


async def main():
    url = sys.argv[1]
    for read in (with_httpx, with_aiohttp):
        seen = asyncio.Event()
        task = asyncio.create_task(read(url, seen))
        await seen.wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            print("cancelled", read.__name__)


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, server_url: str) -> Recorded:
    directory = tmp_path_factory.mktemp("left")
    made = record(write(directory / "agent.py", AGENT), directory / "a.cassette", url=server_url)
    assert made.exit_code == 0, made.stderr.decode()
    return made


def test_an_openai_stream_that_is_left_after_three_chunks(left: Recorded) -> None:
    run = replay.run(left.path)
    assert (run.identical, run.divergence, run.stdout) == (True, None, left.stdout)
    assert left.stdout.count(b"\n") == 6
    with replay.load(left.path) as cassette:
        asked = [event for event in cassette.events if event.kind == "http"]
    assert [[piece.status for piece in event.pieces][-1] for event in asked] == ["closed", "closed"]
    told = cli("show", left.path)
    for event in asked:
        assert f"closed by the program after {len(event.pieces) - 1} pieces".encode() in told.stdout, shown(told)
    whole = cli("show", left.path, str(asked[0].id))
    assert b"closed by the program" in whole.stdout, shown(whole)


@pytest.mark.parametrize(("times", "found"), [(1, "closes"), (3, "reads")])
def test_leaving_it_elsewhere_is_a_divergence(times: int, found: str, tmp_path: Path) -> None:
    program = write(tmp_path / "pieces.py", PIECES.replace("TIMES", "2"))
    with OddServer() as server:
        where = [server.url.partition("//")[2], "/left/chunks/0"]
        made = record(program, tmp_path / "a.cassette", arguments=where, env=environment(server.url))
    assert made.exit_code == 0, made.stderr.decode()
    with replay.load(made.path) as cassette:
        (asked,) = [event for event in cassette.events if event.kind == "http"]
    assert [piece.status for piece in asked.pieces] == ["piece", "piece", "closed"]
    other = write(tmp_path / "other.py", PIECES.replace("TIMES", str(times)))
    run = replay.run(made.path, command=[sys.executable, str(other), *where])
    assert run.divergence is not None
    assert run.divergence.event == asked.id
    assert f"got {found} the stream of GET" in run.divergence.reason
    if found == "reads":
        assert f"expected closes the stream of event {asked.id}" in run.divergence.reason


def test_cancelled_while_a_piece_is_pending(tmp_path: Path) -> None:
    program = write(tmp_path / "cancelled.py", CANCELLED)
    with OddServer() as server:
        made = record(
            program, tmp_path / "a.cassette", arguments=[f"{server.url}/left/endless/0"], env=environment(server.url)
        )
    assert made.exit_code == 0, made.stderr.decode()
    assert made.stdout.count(b"cancelled") == 2
    with replay.load(made.path) as cassette:
        asked = [event for event in cassette.events if event.kind == "http"]
    endings = [[piece.status for piece in event.pieces if piece.status != "piece"] for event in asked]
    assert endings == [["error", "closed"]] * 2
    for _ in range(3):
        run = replay.run(made.path)
        assert (run.identical, run.divergence, run.stdout) == (True, None, made.stdout)
