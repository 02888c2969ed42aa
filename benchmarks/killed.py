"""Kill -9 at random instants of an agent with streams, threads and tasks: what is left of its recording.

Its server says what was delivered: who asks for the next has had all before. Each of those has to be in the cassette,
and a replay has to come to the cut, having printed what the program had printed.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import replay
from replay.cassette.scan import Scan
from replay.cassette.source import FileSource
from replay.demo.server import environment
from replay.model.errors import ReplayError

REPLAY = str(Path(sys.executable).with_name("replay"))

PROGRAM = """
import asyncio, os, threading
import httpx, requests
BASE = os.environ["AGENT_BASE_URL"]

def thread(worker):
    for number in range(25):
        print("got", len(requests.get(f"{BASE}/whole?w={worker}&n={number}").text), flush=True)

async def task(client, worker):
    for number in range(12):
        async with client.stream("GET", f"{BASE}/stream?w={worker}&n={number}") as response:
            async for line in response.aiter_lines():
                print("line", len(line), flush=True)

async def main():
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(task(client, f"task{number}") for number in range(3)))

threads = [threading.Thread(target=thread, args=(f"thread{number}",)) for number in range(3)]
for each in threads:
    each.start()
asyncio.run(main())
for each in threads:
    each.join()
"""

Seen = dict[str, dict[str, int]]
"""Run, worker: number of the last request."""


@dataclass(slots=True)
class Killed:
    """What came of it.

    Attributes:
        kills: how many. readable: cassettes that open, unfinished. replayed: to the cut, printing the same.
        delivered: responses that programs had whole; missing: of those, in no cassette.
    """

    kills: int = 0
    readable: int = 0
    replayed: int = 0
    delivered: int = 0
    missing: int = 0


def kill(times: int, directory: Path) -> Killed:
    """Record and kill so often, each time when the cassette has another length."""
    found = Killed()
    program = directory / "mixed.py"
    program.write_text(PROGRAM)
    with _witness() as (url, seen):
        whole = directory / "whole.cassette"
        command = [REPLAY, "-q", "record", "-o", str(whole), "--", sys.executable, str(program)]
        subprocess.run(command, env=environment(f"{url}/9999"), stdout=subprocess.DEVNULL, check=True)
        size = unpacked(whole)
        for number in range(times):
            path = directory / f"{number}.cassette"
            at = random.randrange(1, size)
            printed = None
            while printed is None:  # it ended before: sooner
                seen.pop(str(number), None)
                printed = killed(program, path, f"{url}/{number}", at, whole_group=bool(number % 2))
                at = at * 3 // 4
            _judge(found, path, printed, seen.get(str(number), {}))
    return found


def _judge(found: Killed, path: Path, printed: bytes, seen: dict[str, int]) -> None:
    found.kills += 1
    delivered = {(worker, str(number)) for worker, last in seen.items() for number in range(last)}
    found.delivered += len(delivered)
    try:
        with replay.load(path) as cassette:
            there = {
                tuple(re.findall(r"[wn]=(\w+)", event.request["url"]))
                for event in cassette.events
                if event.kind == "http" and event.status in ("done", "streamed")
            }
            found.readable += cassette.status == "open" and cassette.outcome is None
    except ReplayError:
        there = set[tuple[str, ...]]()
    found.missing += len(delivered - there)
    again = replay.run(path)
    lines = printed[: printed.rfind(b"\n") + 1]
    found.replayed += again.identical and again.cut and again.stdout.startswith(lines)


def killed(program: Path, path: Path, url: str, at: int, *, whole_group: bool) -> bytes | None:
    """Record, and kill once the cassette has `at` bytes: the program, or the command with it.

    Returns:
        What was printed; None where it ended before, and the cassette is gone.

    Raises:
        AssertionError: the command that outlived the program doesn't say that the recording is unfinished.
    """
    command = [REPLAY, "record", "-o", str(path), "--", sys.executable, str(program)]
    with subprocess.Popen(
        command, env=environment(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        while process.poll() is None and _length(path) < at:
            pass
        if process.poll() is None:
            if whole_group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                for child in _children(process.pid, program):
                    os.kill(child, signal.SIGKILL)
        out, err = process.communicate()
    with replay.load(path) as cassette:
        ended = cassette.outcome is not None
    if ended:
        path.unlink()
        return None
    if not whole_group:
        assert process.returncode == 128 + signal.SIGKILL
        assert b"the recording is unfinished and replays to the cut" in err
    return out


def unpacked(path: Path) -> int:
    """How long the file was before it was sealed."""
    source = FileSource(path)
    try:
        scan = Scan(source)
        for _ in scan.runs():
            pass
        return scan.footer.size
    finally:
        source.close()


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _children(pid: int, program: Path) -> list[int]:
    """Those that run the program."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if str(program) in Path(f"/proc/{child}/cmdline").read_text()]


@contextlib.contextmanager
def _witness() -> Generator[tuple[str, Seen]]:
    """A server, and what it has seen."""
    seen: Seen = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            run, worker, number = re.fullmatch(r"/(\d+)/\w+\?w=(\w+)&n=(\d+)", self.path).groups()  # type: ignore[union-attr]
            seen.setdefault(run, {})[worker] = int(number)
            self.send_response(200)
            if "/whole" in self.path:
                self.send_header("Content-Length", "300")
                self.end_headers()
                self.wfile.write(b"x" * 300)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one\n", b"two two\n", b"three three three\n", b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # it was killed
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
