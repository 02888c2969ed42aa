"""Calls of entry points as servers and workers make them: what is theirs, and what is the process's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import replay
from tests.support.e2e import cli, shown, start, write

SIGNALLED = """
import random, signal, sys, threading, time
import replay

rung = []
signal.signal(signal.SIGALRM, lambda *_: rung.append(time.time()))

@replay.entrypoint
def handle(n):
    return [random.random() for _ in range(n) if time.sleep(0.002) is None and time.time()]

@replay.entrypoint
def own(n):
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(time.time()))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    while not seen:
        time.sleep(0.002)
    return seen

if __name__ == "__main__":
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    handle(50)
    assert len(rung) == 1
    own(1)
    assert len(rung) == 1
"""


def recorded(directory: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in directory.glob("*.cassette"):
        with replay.load(path) as cassette:
            assert (cassette.status, cassette.gaps) == ("sealed", []), path
            found[cassette.header["name"]] = path
    return found


def test_signals_of_the_server_are_none_of_a_requests_business(tmp_path: Path) -> None:
    """Those whose handler the request itself has installed are."""
    done = start(write(tmp_path / "p.py", SIGNALLED), REPLAY_DIR=str(tmp_path / "dir"), PYTHONHASHSEED="0")
    assert done.returncode == 0, done.stderr.decode()
    for name, path in recorded(tmp_path / "dir").items():
        run = replay.run(path)
        assert run.identical, (name, run, run.stderr.decode())


OUTLIVED = """
import asyncio, random, sys, threading, time
import replay

@replay.entrypoint(linger=float(sys.argv[1]) if len(sys.argv) > 1 else 60)
async def handle(n):
    async def later():
        for _ in range(3):
            await asyncio.sleep(0.05)
            random.random(), time.time()
        await asyncio.sleep(0.5)
        random.random(), time.time()
    keep.append(asyncio.create_task(later()))
    return n

async def main():
    await asyncio.gather(*map(handle, range(3)))
    await asyncio.gather(*keep)

keep = []
if __name__ == "__main__":
    asyncio.run(main())
    print(replay.flush(), replay.stats())
"""


def test_what_outlives_a_call_is_its_own_until_a_limit(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", OUTLIVED)
    counts: list[list[int]] = []
    for limit in ("60", "0.3", "0"):
        done = start(program, limit, REPLAY_DIR=str(tmp_path / limit), PYTHONHASHSEED="0")
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout.startswith(b"True Stats(sessions=3, open=0, "), done.stdout
        paths = sorted((tmp_path / limit).glob("*.cassette"))
        events: list[int] = []
        for path in paths:
            with replay.load(path) as cassette:
                assert cassette.status == "sealed"
                events.append(len(cassette.events))
        assert replay.run(paths[0]).identical, shown(cli("run", paths[0]))
        counts.append(events)
    whole, cut, none = counts
    assert whole[0] > cut[0] > none[0]
    assert len(whole) == len(cut) == len(none) == 3


TRACED = """
import replay
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, ConsoleSpanExporter

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)

@replay.entrypoint
def handle(n):
    return n

if __name__ == "__main__":
    with trace.get_tracer("t").start_as_current_span("outer"):
        handle(1)
"""


def test_a_span_says_where_the_recording_is(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk")
    done = start(write(tmp_path / "p.py", TRACED), REPLAY_DIR=str(tmp_path / "dir"), PYTHONHASHSEED="0")
    assert done.returncode == 0, done.stderr.decode()
    span = json.loads(done.stdout)
    (event,) = span["events"]
    (path,) = recorded(tmp_path / "dir").values()
    with replay.load(path) as cassette:
        link = cassette.header["trace"]
    assert event["name"] == "replay.cassette"
    assert event["attributes"] == {"replay.cassette": str(path), "replay.trace_id": link["id"]}
    assert span["context"]["trace_id"] == f"0x{link['id']}"
    assert span["context"]["span_id"] == f"0x{link['parent']}"
