"""Signal handlers are inputs: they never damage a recording, and run again where they ran."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import replay
from tests.support.e2e import REPLAY
from tests.support.programs import explained, replays

BEGIN = """
import asyncio, os, queue, signal, sys, threading, time
def ready():
    print(os.getpid(), flush=True)
"""
PROGRAMS = {
    "a flag": (
        signal.SIGTERM,
        """
        stop = False
        def on(signum, frame):
            global stop
            stop = True
            print("got", signum, time.time())
        signal.signal(signal.SIGTERM, on)
        ready()
        rounds = 0
        while not stop:
            time.sleep(0.002)
            rounds += 1
        print("stopped after", rounds)
        """,
    ),
    "KeyboardInterrupt in a sleep": (
        signal.SIGINT,
        """
        rounds = 0
        try:
            ready()
            while True:
                time.sleep(0.002)
                rounds += 1
        except KeyboardInterrupt:
            print("interrupted in", rounds)
        """,
    ),
    "KeyboardInterrupt in a lock": (
        signal.SIGINT,
        """
        try:
            ready()
            queue.Queue().get()
        except KeyboardInterrupt:
            print("interrupted")
        """,
    ),
    "KeyboardInterrupt in a join": (
        signal.SIGINT,
        """
        gone = threading.Event()
        thread = threading.Thread(target=gone.wait)
        thread.start()
        try:
            ready()
            thread.join()
        except KeyboardInterrupt:
            print("interrupted")
        gone.set()
        """,
    ),
    "an event with a timeout": (
        signal.SIGTERM,
        """
        stop, rounds = threading.Event(), 0
        signal.signal(signal.SIGTERM, lambda *_: (print("set", time.time()), stop.set()))
        ready()
        while not stop.wait(0.002):
            rounds += 1
        print(rounds)
        """,
    ),
    "KeyboardInterrupt in a tool": (
        signal.SIGINT,
        """
        import replay
        @replay.tool(effect="read")
        def slow(number):
            time.sleep(60)
        try:
            ready()
            slow(3)
        except KeyboardInterrupt:
            print("interrupted")
        """,
    ),
    "pause and sigwait": (
        signal.SIGTERM,
        """
        stop = False
        def on(*_):
            global stop
            stop = True
        signal.signal(signal.SIGTERM, on)
        signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        ready()
        while not stop:
            signal.pause()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        os.kill(os.getpid(), signal.SIGUSR1)
        print(repr(signal.sigwait([signal.SIGUSR1])))
        """,
    ),
    "a handler of the loop": (
        signal.SIGTERM,
        """
        async def work(number, done=0):
            try:
                while True:
                    await asyncio.sleep(0.001 * number)
                    done += 1
            finally:
                print(number, done)
        async def main():
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: (print(time.time()), stop.set()))
            tasks = [asyncio.create_task(work(number)) for number in (1, 2, 3)]
            ready()
            await stop.wait()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        asyncio.run(main())
        """,
    ),
    "KeyboardInterrupt in a loop": (
        signal.SIGINT,
        """
        async def main(done=0):
            try:
                ready()
                while True:
                    await asyncio.sleep(0.002)
                    done += 1
            finally:
                print("cleaned up", done, time.time())
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """,
    ),
    "nobody catches it": (
        signal.SIGINT,
        """
        ready()
        while True:
            time.sleep(0.002)
        """,
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_from_outside(name: str, tmp_path: Path) -> None:
    """An outsider sends the signal; it comes at another point of every execution, and at the recorded one at replay."""
    signum, source = PROGRAMS[name]
    cassette, out, err, code = interrupted(tmp_path, source, signum)
    assert code == (130 if name == "nobody catches it" else 0), err
    with replay.load(cassette) as recorded:
        assert not recorded.blind_spots
        assert not recorded.gaps
    for _ in range(2):
        run = replay.run(cassette)
        assert run.identical, explained(run)
        assert (run.stdout, run.exit_code) == (out, code), explained(run)
        assert run.stderr == err.partition(b"replay: ")[0]
        assert b"/replay/" not in run.stderr, "our frames are nobody's business"


def test_a_loop_that_asks_for_nothing(tmp_path: Path) -> None:
    """It can be interrupted all the same; where exactly, nobody knows: a blind spot."""
    source = """
    rounds = 0
    try:
        ready()
        while True:
            rounds += 1
            if rounds < 0:
                break
    except KeyboardInterrupt:
        print("interrupted")
    """
    cassette, out, err, code = interrupted(tmp_path, source, signal.SIGINT)
    assert code == 0, err
    with replay.load(cassette) as recorded:
        assert [spot.what for spot in recorded.blind_spots] == ["signal"]
    run = replay.run(cassette)
    assert run.identical, explained(run)
    assert run.stdout == out


def test_a_handler_that_prints_and_reads_clocks(tmp_path: Path) -> None:
    """It used to come in between the bytecodes of the recorder: gaps and damaged cassettes."""
    source = """
    import signal, time
    ticks = 0
    def tick(signum, frame):
        global ticks
        ticks += 1
        print("tick", ticks, time.time())
    signal.signal(signal.SIGALRM, tick)
    print(signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002))
    total = 0
    while ticks < 25:
        total += ticks
        print("work", ticks, total, time.time())
    print(signal.getitimer(signal.ITIMER_REAL), signal.setitimer(signal.ITIMER_REAL, 0))
    """
    found = replays(tmp_path, source, varies=True)
    with found.cassette() as cassette:
        assert not cassette.gaps
        assert not cassette.blind_spots


def test_timeouts_by_alarm(tmp_path: Path) -> None:
    """The handler's exception comes out of what it interrupted; at replay no timer runs."""
    source = """
    import signal, time
    class Late(Exception):
        def __init__(self, *, after):
            super().__init__(after)
            self.after = after
    def late(signum, frame):
        raise Late(after=time.time())
    signal.signal(signal.SIGALRM, late)
    for wait in (lambda: time.sleep(60), lambda: [time.monotonic() for _ in iter(int, 1)]):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        try:
            wait()
        except Late as error:
            print("late", error.after)
    signal.alarm(60)
    print(signal.alarm(0), signal.getsignal(signal.SIGALRM) is late)
    print(signal.signal(signal.SIGALRM, signal.SIG_IGN) is late, signal.getsignal(signal.SIGALRM))
    """
    replays(tmp_path, source, varies=True)


def test_signals_to_oneself(tmp_path: Path) -> None:
    source = """
    import _thread, os, signal, threading, time
    hits = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: (print("usr1", time.time()), hits.append(frame is not None)))
    os.kill(os.getpid(), signal.SIGUSR1)
    print(hits)
    signal.raise_signal(signal.SIGUSR1)
    print(hits)
    thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
    thread.start()
    thread.join()
    while len(hits) < 3:
        time.sleep(0.001)
    for send in (lambda: signal.raise_signal(signal.SIGINT), _thread.interrupt_main):
        try:
            send()
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted", hits)
    for wrong in (lambda: signal.signal(signal.SIGKILL, print), lambda: os.kill("x", 1)):
        try:
            wrong()
        except (OSError, TypeError) as error:
            print(type(error), error)
    """
    replays(tmp_path, source, varies=True)


def interrupted(directory: Path, source: str, signum: int) -> tuple[Path, bytes, bytes, int]:
    """A recording of a program that got `signum` as soon as it had begun: cassette, stdout, stderr, exit code."""
    program, cassette = directory / "program.py", directory / "x.cassette"
    program.write_text(BEGIN + textwrap.dedent(source))
    command = [REPLAY, "record", "-o", str(cassette), "--", sys.executable, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        os.kill(int(first), signum)
        out, err = process.communicate(timeout=60)
    return cassette, first + out, err, process.returncode
