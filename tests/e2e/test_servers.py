"""Servers with workers under `replay record`: started as ever, stopped by a supervisor, every process recorded."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import replay
from replay.cassette.family import family
from tests.support.e2e import REPLAY, cli, shown, write

APP = """
import os, time
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{time.time()} {os.getpid()}".encode()]
async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{time.time()} {os.getpid()}".encode()})
"""
COMMANDS = {
    "gunicorn": ["gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "--no-control-socket", "app:wsgi"],
    "uvicorn": ["uvicorn", "--workers", "2", "--port", "{port}", "app:asgi"],
}


@pytest.mark.parametrize(("server", "number"), [("gunicorn", signal.SIGTERM), ("uvicorn", signal.SIGINT)])
def test_a_server_with_workers(server: str, number: signal.Signals, tmp_path: Path) -> None:
    write(tmp_path / "app.py", APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / "x.cassette"
    program = str(Path(sys.executable).with_name(server))
    command = [program, *(word.format(port=port) for word in COMMANDS[server][1:])]
    with subprocess.Popen(
        [REPLAY, "record", "-o", str(path), "--", *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        answer = _ask(f"http://127.0.0.1:{port}/", process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    with replay.load(path) as cassette:
        assert cassette.status == "sealed"
        workers = family(path, cassette.id)
    assert len(workers) == 2, err.decode()
    found = [worker for worker in workers if worker.pid == int(answer.split()[1])]
    if server == "gunicorn":  # uvicorn's workers end by the signal that they got, and lose their last clock reads
        with replay.load(found[0].path) as cassette:
            times = [event.response for event in cassette.events if event.kind == "clock"]
            assert float(answer.split()[0]) in [each for some in times for each in some]
    for worker in workers:
        done = cli("show", worker.path)
        assert done.returncode == 0, shown(done)
        if server == "gunicorn":  # told to stop by a signal that writes to a pipe (`signal.set_wakeup_fd`)
            again = replay.run(worker.path)
            assert again.identical, again.divergence


def _ask(url: str, process: subprocess.Popen[bytes]) -> str:
    """What the server answers, as soon as it does."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return str(response.read().decode())
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < end
