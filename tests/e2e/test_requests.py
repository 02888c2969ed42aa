"""Applications behind real servers: each request a cassette of its own, which replays alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware

import replay
from replay.demo.server import spawn
from replay.model.errors import UsageError
from tests.support.e2e import write

TRACE = "0af7651916cd43dd8448eb211c80319c"

STARLETTE = """
import asyncio, os, random, time, uuid
import httpx, replay
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

client = httpx.AsyncClient()
left = set()

@replay.tool
async def look_up(number):
    await asyncio.sleep(random.choice([0, 0.002]))
    return number

async def later(number):
    await asyncio.sleep(0.05)
    await client.post(os.environ["LLM"] + "/echo", json={"later": number})

async def agent(request):
    number = request.path_params["number"]
    asked = await request.json()
    found = await asyncio.gather(*(look_up(number) for _ in range(3)))
    answer = (await client.post(os.environ["LLM"] + "/echo", json={"n": number, "run": uuid.uuid4().hex})).json()
    if number == 4:
        raise RuntimeError(f"agent {number}")
    if number == 5:
        left.add(asyncio.create_task(later(number)))
    task = BackgroundTask(later, number) if number == 6 else None
    body = {"n": number, "asked": asked, "found": found, "answer": answer, "at": time.time()}
    return JSONResponse(body, background=task)

def plain(request):
    return JSONResponse({"n": request.path_params["number"], "chance": random.random(), "at": time.time()})

async def stream(request):
    async def pieces():
        for _ in range(3):
            await asyncio.sleep(0)
            yield f"{uuid.uuid4()}\\n"
    return StreamingResponse(pieces())

number = "/{number:int}"
routes = [Route("/agent" + number, agent, methods=["POST"]), Route("/plain" + number, plain), Route("/stream", stream)]
app = Starlette(routes=routes)
app.add_middleware(replay.asgi)
"""

FLASK = """
import os, random, time, uuid
import flask, requests, replay

app = flask.Flask("service")
app.wsgi_app = replay.wsgi(app.wsgi_app)

@app.post("/agent/<int:number>")
def agent(number):
    asked = flask.request.get_json()
    answer = requests.post(os.environ["LLM"] + "/echo", json={"n": number, "run": uuid.uuid4().hex}).json()
    if number == 4:
        raise RuntimeError(f"agent {number}")
    return {"n": number, "asked": asked, "answer": answer, "at": time.time()}

@app.get("/stream")
def stream():
    return flask.Response((f"{uuid.uuid4()}\\n" for _ in range(3)))
"""


def test_middleware_as_frameworks_type_it(tmp_path: Path) -> None:
    """Mostly for the type checkers, which read this as a user's program."""
    app = Starlette()
    app.add_middleware(replay.asgi)
    app.add_middleware(replay.asgi, name="agent", linger=5.0, sample=0.5, directory=tmp_path)
    api = FastAPI(middleware=[Middleware(replay.asgi), Middleware(replay.asgi, keep="on-failure")])
    api.add_middleware(replay.asgi, where="main:app")
    assert len(app.user_middleware) == len(api.user_middleware) - 1 == 2
    with pytest.raises(UsageError, match="nonsense"):
        replay.asgi(app, nonsense=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@contextmanager
def served(directory: Path, llm: str, *words: str, **variables: str) -> Generator[str]:
    """The URL of a server that is told to stop afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name(words[0]))
    environ = {**os.environ, "LLM": llm, "REPLAY_DIR": str(directory / "dir"), **variables}
    command = [program, *(word.format(port=port) for word in words[1:])]
    with subprocess.Popen(command, cwd=directory, env=environ, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
    assert b"replay:" not in err, err.decode()


def ask(url: str, body: object = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def recorded(directory: Path) -> dict[str, Path]:
    """Cassettes by what they were called with; all sealed."""
    found: dict[str, Path] = {}
    for path in directory.glob("dir/*.cassette"):
        with replay.load(path) as cassette:
            assert (cassette.status, cassette.gaps) == ("sealed", []), path
            found[cassette.header["name"]] = path
    return found


@pytest.fixture(scope="module")
def llm() -> Generator[str]:
    with spawn(errors=0) as url:
        yield url


SERVERS = {
    "uvicorn": (STARLETTE, ("uvicorn", "--port", "{port}", "--log-level", "warning", "main:app")),
    "asyncio": (STARLETTE, ("uvicorn", "--loop", "asyncio", "--port", "{port}", "--log-level", "warning", "main:app")),
    "gunicorn": (FLASK, ("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "--no-control-socket", "main:app")),
    "gthread": (FLASK, ("gunicorn", "--threads", "8", "-b", "127.0.0.1:{port}", "--no-control-socket", "main:app")),
}


@pytest.mark.parametrize("server", SERVERS)
def test_each_request_is_a_cassette(server: str, tmp_path: Path, llm: str) -> None:
    program, command = SERVERS[server]
    write(tmp_path / "main.py", program)
    with served(tmp_path, llm, *command) as url, ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(ask, [f"{url}/agent/{n}" for n in range(8)], [{"ask": n} for n in range(8)]))
        _, streamed = ask(f"{url}/stream")
        if program is STARLETTE:
            list(pool.map(ask, [f"{url}/plain/{n}" for n in range(8)]))
    assert [status for status, _ in asked] == [500 if n == 4 else 200 for n in range(8)]
    found = recorded(tmp_path)
    assert len(found) == (17 if program is STARLETTE else 9)
    for number in range(8):
        path = found[f"POST /agent/{number}"]
        with replay.load(path) as cassette:
            said = b" ".join(event.body or b"" for event in cassette.events)
            assert {other for other in range(8) if b'"n":%d,' % other in said.replace(b" ", b"")} == {number}
            sent = b"".join(e.body or b"" for e in cassette.events if e.name.startswith("send ") and "body" in e.name)
            assert (sent == asked[number][1]) is (number != 4 or program is FLASK)
            outlived = [event for event in cassette.events if b'"later"' in (event.body or b"")]
            assert len(outlived) == (program is STARLETTE and number in (5, 6))
    with replay.load(found["GET /stream"]) as cassette:
        assert b"".join(e.body or b"" for e in cassette.events if "body" in e.name) == streamed
    some = [f"POST /agent/{n}" for n in (1, 4, 5, 6)] if server == "uvicorn" else ["POST /agent/2", "POST /agent/4"]
    for name in [*some, "GET /stream", *(["GET /plain/3"] if program is STARLETTE else [])]:
        run = replay.run(found[name])
        assert run.identical, (name, run, run.stderr.decode())


def test_a_changed_handler_diverges(tmp_path: Path, llm: str) -> None:
    source = write(tmp_path / "main.py", STARLETTE)
    with served(tmp_path, llm, *SERVERS["uvicorn"][1]) as url:
        assert ask(f"{url}/agent/1", {})[0] == 200
    (path,) = recorded(tmp_path).values()
    source.write_text(STARLETTE.replace('"found": found', '"found": "nothing"'))
    run = replay.run(path)
    assert not run.identical
    assert run.divergence is not None
    assert run.divergence.got is not None
    assert "send http.response" in run.divergence.got.what
