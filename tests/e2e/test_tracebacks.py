"""Tracebacks of what a crossing raised are the recorded ones, whether the program prints them or dies of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import replay
from tests.support.programs import explained, record

OURS = os.path.dirname(replay.__file__)
REPLAY = Path(sys.executable).with_name("replay")

PROGRAMS = {
    "a missing program": "import subprocess\nsubprocess.run(['no-such-program'])\n",
    "a refused connection": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')\n",
    "a refused stream": "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', 9))\n",
    "a tool that fails": (
        "import replay\n@replay.tool\ndef pay(amount):\n    raise ValueError(amount)\ntry:\n    pay(1)\n"
        "except ValueError as error:\n    raise RuntimeError('not paid') from error\n"
    ),
    "a tool that fails in a thread": (
        "import replay, threading\n@replay.tool\ndef pay(amount):\n    raise ValueError(amount)\n"
        "thread = threading.Thread(target=pay, args=(1,))\nthread.start()\nthread.join()\nprint('end')\n"
    ),
    "its own mistake": "def f(n):\n    return f(n - 1) if n else {}['x']\nf(5)\n",
}


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(REPLAY), *words], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("what", PROGRAMS)
def test_it_dies_again_with_the_same_words(tmp_path: Path, what: str) -> None:
    program = tmp_path / "p.py"
    program.write_text(PROGRAMS[what])
    recorded = run("record", "-q", "-o", "p.cassette", "--", sys.executable, "p.py", cwd=tmp_path)
    bare = subprocess.run([sys.executable, "p.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    replayed = run("run", "p.cassette", cwd=tmp_path)
    assert "Traceback" in bare.stderr
    assert recorded.returncode == bare.returncode
    assert "✓ identical" in replayed.stdout, replayed.stdout
    said = "".join(line for line in recorded.stderr.splitlines(keepends=True) if not line.startswith("replay: "))
    assert replayed.stderr == said
    if what in ("a missing program", "its own mistake"):  # elsewhere a seam stands in for a library's function
        assert said == bare.stderr


def test_another_end_is_a_divergence(tmp_path: Path) -> None:
    program = tmp_path / "p.py"
    program.write_text("x = {}\nx['a']\n")
    run("record", "-q", "-o", "p.cassette", "--", sys.executable, "p.py", cwd=tmp_path)
    program.write_text("x = {}\nx['b']\n")
    done = run("run", "p.cassette", cwd=tmp_path)
    assert done.returncode == 1
    assert "output stderr" in done.stdout
    assert "x['a']" in done.stdout, done.stdout


TOOLS = """
    import asyncio, contextlib, logging, os, socket, subprocess, sys, threading, traceback, urllib.request
    from concurrent.futures import ThreadPoolExecutor
    import aiohttp, httpx, replay, requests
    logging.basicConfig(format="%(message)s", stream=sys.stdout)

    @replay.tool
    def pay(amount):
        try:
            {}["account"]
        except KeyError:
            raise ValueError(amount)

    @replay.tool
    def chained(amount):
        try:
            pay(amount)
        except ValueError as error:
            raise RuntimeError(error) from error

    @replay.tool
    def suppressed(n):
        try:
            pay.__wrapped__(n)
        except ValueError:
            raise TypeError("x") from None

    @replay.tool
    def deep(n):
        return deep.__wrapped__(n + 1)

    def even(n):
        return odd(n + 1)

    def odd(n):
        return even(n + 1)

    @replay.tool
    def mutual(n):
        return even(n)

    @replay.tool
    def group(n):
        found = []
        for each in range(n):
            try:
                chained(each)
            except RuntimeError as error:
                found.append(error)
        raise ExceptionGroup("all", found)

    kept = OSError("kept")

    @replay.tool
    def again(n):
        raise kept

    @replay.tool
    async def slow(n):
        await asyncio.sleep(0.001)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(open, "nowhere"))
            tasks.create_task(boom())

    async def boom():
        raise KeyError("boom")

    @replay.tool
    def stream(n):
        yield 1
        raise LookupError("in the stream")

    @replay.tool
    async def astream(n):
        yield 1
        await asyncio.sleep(0)
        raise LookupError("in the stream")

    @replay.tool
    def made(n):
        exec(compile("def f():\\n  raise ValueError(1)\\nf()", "<made>", "exec"), {})

    def tries(what):
        try:
            what()
        except Exception as error:
            logging.exception("failed", stack_info=True)
            print(traceback.format_tb(error.__traceback__), traceback.format_stack())
            print(traceback.StackSummary.extract(traceback.walk_stack(None)).format())

    def inside(what):
        try:
            1 / 0
        except ZeroDivisionError:
            what()
"""

ENDS = {
    "tools": """
        for what in (pay, chained, suppressed, deep, mutual, group, again, again, made):
            tries(lambda: what(1))
            tries(lambda: inside(lambda: what(2)))
        tries(lambda: list(stream(1)))
        tries(lambda: inside(lambda: list(stream(1))))
        tries(lambda: ThreadPoolExecutor(1).submit(pay, 7).result())
    """,
    "tasks": """
        async def gathered():
            for each in await asyncio.gather(slow(1), slow(2), return_exceptions=True):
                traceback.print_exception(each, file=sys.stdout)
            try:
                [each async for each in astream(1)]
            except LookupError:
                logging.exception("stream", stack_info=True)
            waiting = asyncio.ensure_future(slow(3))
            for _ in range(2):
                try:
                    await waiting
                except Exception:
                    logging.exception("twice")
        tries(lambda: asyncio.run(slow(1)))
        tries(lambda: inside(lambda: asyncio.run(slow(1))))
        tries(lambda: asyncio.run(gathered()))
    """,
    "connections": """
        async def opened():
            await asyncio.open_connection("127.0.0.1", 9)
        async def got():
            async with aiohttp.ClientSession() as session:
                await session.get("http://127.0.0.1:9/")
        async def asked():
            async with httpx.AsyncClient() as client:
                await client.get("http://127.0.0.1:9/")
        for what in (opened, got, asked):
            tries(lambda: asyncio.run(what()))
        tries(lambda: socket.create_connection(("127.0.0.1", 9)))
        for get in (urllib.request.urlopen, httpx.get, requests.get):
            tries(lambda: get("http://127.0.0.1:9/"))
            tries(lambda: inside(lambda: get("http://127.0.0.1:9/")))
        tries(lambda: subprocess.run(["no-such-program"]))
    """,
    "hooks": """
        thread = threading.Thread(target=chained, args=(3,))
        thread.start()
        thread.join()
        inside(lambda: group(3))
    """,
}


@pytest.mark.parametrize("what", ENDS)
def test_it_prints_the_same(tmp_path: Path, what: str) -> None:
    found = record(tmp_path, f"{dedent(TOOLS)}\n{dedent(ENDS[what])}")
    assert found.stderr if what == "hooks" else found.exit_code == 0, found.stderr.decode()
    assert b"Traceback" in found.stdout + found.stderr
    assert f"{OURS}{os.sep}".encode() not in found.stdout + found.stderr
    replayed = found.again()
    assert replayed.identical, explained(replayed)
    assert (replayed.stdout, replayed.stderr) == (found.stdout, found.stderr)
