"""A soak of a server: many sessions at once, each request of theirs recorded into a cassette of its own.

    python -m benchmarks.soak                     # 20,000 recorded requests by 200 sessions: seven minutes
    python -m benchmarks.soak --requests 2000     # a share of it

The application is an agent on uvicorn that asks a model twice through the `openai` client, with a tool call in between;
the model answers after 20 ms. Application, model and load are processes of their own. There are two loads:

- *saturated*: each session asks again as soon as it has its answer. What is measured is the processor.
- *paced*: each session thinks before it asks again, so long that the application, unrecorded, is half busy: what a
  server in production is. What is measured is whether it keeps up.

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
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import replay

ROOT = str(Path(__file__).parents[1])
WORD = re.compile(rb"word--?\d+-\d+")
MODULE = "benchmarks.soak_app"


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of a soak.

    Attributes:
        requests: answered, each with its own word. rate: of them a second, but for the first and the last tenth.
        latency: in seconds, the median and what 99 of 100 don't take.
        processor: seconds of the application's processor time, while it was asked.
        memory: resident bytes of the application, after each tenth of the requests.
        cassettes, unsealed: how many there are. foreign: in which another request's word stands.
        lost: words without a cassette. identical, replayed: of those that were replayed.
    """

    requests: int
    rate: float
    latency: tuple[float, float]
    processor: float
    memory: list[int]
    cassettes: int = 0
    unsealed: int = 0
    foreign: int = 0
    lost: int = 0
    replayed: int = 0
    identical: int = 0


def soak(
    directory: Path, *, requests: int, sessions: int, recorded: bool = True, think: float = 0.0, replays: int = 0
) -> Soaked:
    """Run it, with the cassettes in `directory`.

    Raises:
        AssertionError: an answer was another one's, or wrong.
    """
    with _model() as url, _application(url, directory, recorded=recorded) as (process, port):
        asyncio.run(_load(port, min(requests, 100), 10, 0.0, first=-sessions))  # warm
        memory: list[int] = []
        busy = _processor(process.pid)
        load = _load(port, requests, sessions, think, lambda: memory.append(_resident(process.pid)))
        asked = asyncio.run(load)
        busy = _processor(process.pid) - busy
    ends = sorted(end for _, end in asked)
    tenth = len(ends) // 10
    took = sorted(end - began for began, end in asked)
    rate = (len(ends) - 2 * tenth - 1) / (ends[-1 - tenth] - ends[tenth])
    done = Soaked(requests, rate, (took[len(took) // 2], took[len(took) * 99 // 100]), busy, memory)
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
    port: int, requests: int, sessions: int, think: float, tenth: Callable[[], object] = int, *, first: int = 0
) -> list[tuple[float, float]]:
    """When each request was sent, and answered."""
    left = iter(range(requests))
    asked: list[tuple[float, float]] = []

    async def session(number: int) -> None:
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
            asked.append((began, time.monotonic()))
            if len(asked) % max(1, requests // 10) == 0:
                tenth()
            await asyncio.sleep(think)
        writer.close()

    await asyncio.gather(*map(session, range(sessions)))
    return asked


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


def _both(name: str, requests: tuple[int, int], sessions: int, think: float, replays: int) -> tuple[Soaked, Soaked]:
    """Unrecorded and recorded under one load; told as they end."""
    found: list[Soaked] = []
    for recorded, count in zip((False, True), requests, strict=True):
        with tempfile.TemporaryDirectory() as directory:
            done = soak(
                Path(directory), requests=count, sessions=sessions, recorded=recorded, think=think, replays=replays
            )
        found.append(done)
        middle, most = done.latency
        print(
            f"{name:10}{'recorded' if recorded else 'unrecorded':11}{count:>9,}{done.rate:>9.1f}/s"
            f"{done.processor / count * 1e3:>9.2f} ms{middle * 1e3:>9.0f} ms{most * 1e3:>9.0f} ms"
            f"   {' '.join(f'{size / 2**20:.0f}' for size in done.memory)}",
            flush=True,
        )
    bare, ours = found
    print(
        f"{'':10}throughput {ours.rate / bare.rate:.1%}; cassettes {ours.cassettes:,}, unsealed {ours.unsealed}, with"
        f" another's word {ours.foreign}, lost {ours.lost}; replayed {ours.replayed}, identical {ours.identical}\n",
        flush=True,
    )
    return bare, ours


def main() -> None:
    """A table: both loads, unrecorded and recorded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000, help="that are recorded, of both loads")
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--replay", type=int, default=10, help="of the cassettes of each load")
    given = parser.parse_args()
    parts = [max(given.sessions, given.requests * tenths // 100) for tenths in (10, 30, 20, 70)]
    print(f"{given.sessions} sessions; the model takes 20 ms, and is asked twice per request\n")
    print(
        f"{'load':21}{'requests':>9}{'rate':>11}{'processor':>12}{'median':>12}{'99 of 100':>12}   MB after each tenth"
    )
    bare, _ = _both("saturated", (parts[0], parts[1]), given.sessions, 0.0, given.replay)
    think = 2 * given.sessions / bare.rate - 0.05
    _both("paced", (parts[2], parts[3]), given.sessions, think, given.replay)


if __name__ == "__main__":
    main()
