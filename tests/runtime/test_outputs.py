"""What a program prints is recorded, compared, and arrives unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import Recorded, plainly, record, replays


def said(found: Recorded) -> list[tuple[str, str, object]]:
    return [(event.lane, event.name, event.request) for event in found.events("output")]


def test_lines_pieces_and_both_streams(tmp_path: Path) -> None:
    found = replays(
        tmp_path,
        r"""
        import sys, os
        print("one"); print("two\nthree")
        for token in ("to", "ken", "s"):
            print(token, end="", flush=True)
        print()
        print("part", end=""); print(" of a line")
        sys.stderr.write("warn\n"); print("to stderr", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b\n"]); sys.stdout.write("")
        print("ünï", "𝄞", sep="|")
        print(sys.stdout.isatty(), sys.stderr.isatty(), sys.stdin.isatty(), os.isatty(0), os.isatty(1))
        print(sys.stdout.encoding, sys.stdout.fileno(), sys.stdout.name, sys.stdout.mode, sys.stdout.writable())
        print(sys.__stdout__ is sys.stdout)
        sys.stdout.write("no newline at the end")
        """,
        times=2,
    )
    texts = said(found)
    assert [text for _, _, text in texts[:7]] == ["one\n", "two\n", "three\n", "to", "ken", "s", "\n"]
    assert ("m", "stdout", "part of a line\n") in texts
    assert ("m", "stderr", "warn\n") in texts
    assert texts[-1] == ("m", "stdout", "no newline at the end")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_bytes(tmp_path: Path, unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    found = replays(
        tmp_path,
        r"""
        import sys
        sys.stdout.buffer.write(b"\x00\xff raw\n"); sys.stdout.buffer.flush()
        print("text"); sys.stdout.flush()
        sys.stdout.buffer.write(bytearray(b"more\n")); sys.stderr.buffer.write(b"err\n"); sys.stdout.flush()
        import os; os.write(1, b"by descriptor\n"); os.write(2, memoryview(b"err too\n"))
        """,
        times=1,
    )
    assert found.stdout == b"\x00\xff raw\ntext\nmore\nby descriptor\n"
    assert ("m", "stderr", b"err too\n") in said(found)
    assert ("m", "stdout", b"\x00\xff raw\n") in said(found)


def test_other_bytes_at_replay_are_a_divergence(tmp_path: Path) -> None:
    found = record(tmp_path, 'import sys\nsys.stdout.buffer.write(b"one\\n")\n')
    found.program.write_text(found.program.read_text().replace("one", "two"))
    again = found.again()
    assert again.divergence is not None
    assert (again.divergence.event, again.divergence.reason) == (0, "output stdout: the same call with another request")
    assert again.stdout == b""


def test_threads_and_tasks_have_lines_of_their_own(tmp_path: Path) -> None:
    found = replays(
        tmp_path,
        """
        import asyncio, threading, time, random
        def work(n):
            for part in range(3):
                time.sleep(random.random() / 300)
                print(f"thread {n}", end=" ")
                print(part)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        async def task(n):
            print(f"task {n}", end=" ")
            await asyncio.sleep(random.random() / 300)
            print("done")
        async def main():
            await asyncio.gather(*(task(n) for n in range(4)))
        asyncio.run(main())
        """,
        varies=None,
    )
    texts = said(found)
    assert {lane for lane, _, _ in texts} == {"m/T1", "m/T2", "m/T3", "m/t1/t1", "m/t1/t2", "m/t1/t3", "m/t1/t4"}
    assert ("m/T1", "stdout", "thread 0 0\n") in texts
    assert ("m/t1/t4", "stdout", "task 3 done\n") in texts


def test_replaced_streams_logging_and_tracebacks(tmp_path: Path) -> None:
    found = replays(
        tmp_path,
        """
        import contextlib, io, logging, sys, traceback, warnings
        with contextlib.redirect_stdout(io.StringIO()) as kept:
            print("not shown")
        print(kept.getvalue().upper())
        logging.basicConfig(format="%(levelname)s %(message)s")
        logging.warning("logged")
        warnings.warn("warned")
        try:
            1 / 0
        except ZeroDivisionError:
            traceback.print_exc()
        with contextlib.redirect_stderr(sys.stdout):
            print("err to out", file=sys.stderr)
        sys.stdout.reconfigure(line_buffering=True)
        print("reconfigured")
        raise SystemExit("leaving")
        """,
        times=1,
        code=1,
    )
    assert found.stderr.endswith(b"leaving\n")
    assert plainly(found) == found.stdout


def test_a_traceback_shows_the_source_at_replay_too(tmp_path: Path) -> None:
    found = replays(tmp_path, "def broken():\n    raise ValueError('boom')\nbroken()\n", times=1, code=1)
    assert b"    raise ValueError('boom')\n" in found.stderr


def test_what_a_tool_prints_is_printed_again(tmp_path: Path) -> None:
    """In a tool, in what it calls, in a coroutine, in a stream's pieces."""
    found = replays(
        tmp_path,
        """
        import asyncio, replay, sys
        def deeper():
            print("deeper", file=sys.stderr)
        @replay.tool
        def loud(n):
            print("inside", n)
            deeper()
            return n
        @replay.tool
        async def aloud():
            print("async"); await asyncio.sleep(0.001); print("inside")
            return 1
        @replay.tool
        def pieces():
            for n in range(3):
                print("before piece", n)
                yield n
        print("begin", end=" ")
        print(loud(1) + loud(2))
        async def main():
            print(await aloud())
        asyncio.run(main())
        for piece in pieces():
            print(piece)
        """,
        times=2,
    )
    assert found.text.splitlines()[:3] == ["inside 1", "inside 2", "begin 3"] or found.text.startswith("begin ")


def test_exits(tmp_path: Path) -> None:
    """The ways a program ends: by an exception, by a code, at once."""
    for number, (source, code) in enumerate(
        [
            ("print('x'); raise ValueError('boom')", 1),
            ("import sys; print('x'); sys.exit(7)", 7),
            ("import os, sys; print('x', flush=True); os._exit(5)", 5),
            ("import atexit; atexit.register(lambda: print('late')); print('x')", 0),
            ("import threading; threading.Timer(0.01, lambda: print('timer')).start(); print('x')", 0),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = replays(folder, source, times=1, code=code, varies=None)
        assert b"x\n" in found.stdout
