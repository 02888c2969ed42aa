"""A soak of a server: many sessions at once, each request of theirs recorded into a cassette of its own.

    python -m benchmarks.soak --requests 20000 --sessions 200 --replay 20
    python -m benchmarks.soak --requests 20000 --sessions 200 --unrecorded

The application is an agent on uvicorn that asks a model twice through the `openai` client, with a tool call in between;
the model answers after 20 ms. Sessions wait `--think` seconds between their requests (0: as fast as it goes, and then
the processor is what is measured). Application, model and load are processes of their own.

Each request has a word of its own, which the load sends, the tool and the model repeat and the answer holds. A cassette
in which another request's word stands is cross-talk.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import replay

ROOT = str(Path(__file__).parents[1])
WORD = re.compile(rb"word--?\d+-\d+")
MODULE = "benchmarks.soak_app"


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of a soak.

    Attributes:
        requests: answered, each with its own word. seconds: that took. latency: the median, in seconds.
        processor: seconds of the application's processor time, while it was asked.
        memory: resident bytes of the application: at a quarter, half, three quarters and all of the requests.
        cassettes, unsealed: how many there are. foreign: in which another request's word stands.
        lost: words without a cassette. identical, replayed: of those that were replayed.
    """

    requests: int
    seconds: float
    latency: float
    processor: float
    memory: list[int]
    cassettes: int = 0
    unsealed: int = 0
    foreign: int = 0
    lost: int = 0
    replayed: int = 0
    identical: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def soak(
    directory: Path, *, requests: int, sessions: int, recorded: bool = True, think: float = 0.0, replays: int = 0
) -> Soaked:
    """Run it, with the cassettes in `directory`.

    Raises:
        AssertionError: an answer was another one's, or wrong.
    """
    with _model() as url, _application(url, directory, recorded=recorded) as (process, port):
        asyncio.run(_load(port, min(requests, 100), 10, 0.0, [], None, first=-sessions))  # warm
        memory: list[int] = []
        took: list[float] = []
        busy = _processor(process.pid)
        began = time.monotonic()
        asyncio.run(_load(port, requests, sessions, think, took, lambda: memory.append(_resident(process.pid))))
        seconds, busy = time.monotonic() - began, _processor(process.pid) - busy
    done = Soaked(requests, seconds, sorted(took)[len(took) // 2], busy, memory)
    return _checked(done, directory, replays, url) if recorded else done


def _checked(done: Soaked, directory: Path, replays: int, url: str) -> Soaked:
    seen: set[bytes] = set()
    foreign = unsealed = 0
    paths = sorted(directory.glob("*.cassette"))
    for path in paths:
        with replay.load(path) as cassette:
            words = set(WORD.findall(repr([(e.request, e.response, e.body) for e in cassette.events]).encode()))
            foreign += len(words) != 1
            unsealed += cassette.status != "sealed"
        seen |= words
    lost = done.requests - sum(not word.startswith(b"word--") for word in seen)
    chosen = random.Random(1).sample(paths, min(replays, len(paths)))
    os.environ.update(SOAK_MODEL=url, SOAK_RECORDED="on")  # read when the application is imported
    identical = sum(replay.run(path).identical for path in chosen)
    return replace(
        done, cassettes=len(paths), unsealed=unsealed, foreign=foreign, lost=lost, replayed=len(chosen),
        identical=identical,
    )  # fmt: skip


# -- the load ------------------------------------------------------------------------------------------------


async def _load(
    port: int, requests: int, sessions: int, think: float, took: list[float], quarter: Any, *, first: int = 0
) -> None:
    left = iter(range(requests))
    done = 0

    async def session(number: int) -> None:
        nonlocal done
        await asyncio.sleep(think * number / sessions)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in left:
            word = f"word-{first or number}-{request}"
            body = json.dumps({"word": word}).encode()
            began = time.monotonic()
            writer.write(b"POST /agent HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"(?i)content-length: (\d+)", head)
            assert size is not None, head
            answer = await reader.readexactly(int(size[1]))
            assert json.loads(answer)["said"] == [word, word], answer
            took.append(time.monotonic() - began)
            done += 1
            if quarter is not None and done % max(1, requests // 4) == 0:
                quarter()
            await asyncio.sleep(think)
        writer.close()

    await asyncio.gather(*map(session, range(sessions)))


# -- processes -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _model() -> Generator[str]:
    command = [sys.executable, "-m", "benchmarks.soak_model"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait()


@contextlib.contextmanager
def _application(url: str, directory: Path, *, recorded: bool) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--no-access-log", "--log-level", "warning", "--backlog", "512"]
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), *words, f"{MODULE}:app"]
    environ = {**os.environ, "SOAK_MODEL": url, "REPLAY_DIR": str(directory), "PYTHONHASHSEED": "0"}
    environ["SOAK_RECORDED"] = "on" if recorded else ""
    with subprocess.Popen(command, cwd=ROOT, env=environ) as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        yield process, port
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """One line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--think", type=float, default=0.0)
    parser.add_argument("--replay", type=int, default=0)
    parser.add_argument("--unrecorded", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        done = soak(
            Path(directory), requests=given.requests, sessions=given.sessions, recorded=not given.unrecorded,
            think=given.think, replays=given.replay,
        )  # fmt: skip
    print(json.dumps({**asdict(done), "rate": round(done.rate, 1)}))


if __name__ == "__main__":
    main()
