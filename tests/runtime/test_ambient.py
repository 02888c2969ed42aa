"""Clock and chance: every way to read them gives at replay what it gave when recorded."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import replay
from tests.support.programs import explained, record, replays


def test_clocks(tmp_path: Path) -> None:
    """Names of modules, names bound early, callers in C, in every lane."""
    found = replays(
        tmp_path,
        """
        import time, datetime, asyncio, os, functools, threading
        from time import time as now, monotonic, perf_counter_ns
        from datetime import datetime as dt, date, timezone

        for name in ("time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns "
                     "thread_time thread_time_ns").split():
            print(name, getattr(time, name)())
        print(now(), monotonic(), perf_counter_ns())
        print(time.clock_gettime(time.CLOCK_REALTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        print(dt.now(), dt.now(timezone.utc), dt.utcnow(), dt.today(), date.today())
        print(datetime.datetime.now().astimezone(), [f() for f in (time.time_ns,) * 3])
        print(next(iter(functools.partial(time.perf_counter_ns), 0)), next(iter(time.time, None)))
        print(sorted([3, 1, 2], key=lambda _: time.perf_counter_ns()))
        class Own(dt):
            pass
        print(Own.now(), type(Own.now()).__name__, Own.today(), Own.utcnow().tzinfo)
        for name in ("localtime", "gmtime", "ctime", "asctime"):
            print(name, getattr(time, name)())
        print(time.localtime(None)[:3], time.gmtime(0)[:3], time.ctime(0), time.asctime(time.gmtime(0)))
        print(time.strftime("%Y %H:%M:%S"), time.strftime("%Y", time.gmtime(0)))
        print(os.times(), os.times().elapsed)
        print(f"{dt.now():%H:%M:%S.%f}")
        started = time.monotonic()
        time.sleep(0.01)
        print(time.monotonic() - started >= 0.01)

        async def main():
            loop = asyncio.get_running_loop()
            print(loop.time())
            await asyncio.sleep(0.001)
            print(loop.time(), time.time_ns())
        asyncio.run(main())
        def run():
            print(time.perf_counter_ns(), time.thread_time_ns())
        thread = threading.Thread(target=run); thread.start(); thread.join()
        """,
        varies=True,
    )
    clocks = found.events("clock")
    assert clocks
    assert {event.effect for event in clocks} == {"draw"}
    assert {event.lane for event in clocks} == {"m", "m/t1", "m/T1"}


def test_date_today_follows_the_recorded_clock(tmp_path: Path) -> None:
    """`date.today()` asks `time.time` and needs no patch of its own; a year can't pass in a test, so look inside."""
    found = replays(tmp_path, "import datetime\nprint(datetime.date.today())\n", times=1)
    sources = [name for event in found.events("clock") for name in event.request]
    assert sources == ["time.time"]


def test_chance(tmp_path: Path) -> None:
    replays(
        tmp_path,
        """
        import os, random, secrets, uuid, tempfile
        from random import random as draw, choice, shuffle
        from os import urandom
        from uuid import uuid4, uuid1
        from secrets import token_hex

        print(uuid.uuid1(), uuid.uuid4(), uuid1(), uuid4(), uuid.uuid3(uuid.NAMESPACE_DNS, "x"), uuid.getnode())
        print(secrets.token_bytes(4), secrets.token_urlsafe(), token_hex(), secrets.randbelow(10**9))
        print(os.urandom(8), urandom(3), os.getrandom(4), os.getrandom(size=2))
        print(random.random(), draw(), choice(range(10**9)), random.randint(1, 10**9), random.uniform(1, 2))
        print(random.gauss(0, 1), random.normalvariate(0, 1), random.getrandbits(64), random.randbytes(5))
        print(random.sample(range(10**6), 3), random.choices("abcdef", k=4), random.betavariate(1, 2))
        items = list(range(9)); shuffle(items); print(items)
        print(random.Random().random(), random.Random(3).random(), random.SystemRandom().random())
        own = random.Random(); own.seed(); print(own.random()); own.seed(5); print(own.random())
        state = random.getstate(); a = random.random(); random.setstate(state); assert a == random.random()
        random.seed(); print(random.random())
        print(os.getpid(), os.path.basename(tempfile.mktemp()))
        print({"a", "b", "c", "dd", "ee"}, hash("text"))
        """,
        varies=True,
    )


def test_a_seeded_program_stays_what_it_is(tmp_path: Path) -> None:
    """`seed`, `setstate` and half-used pairs of `gauss` mean what they mean without a recording."""
    replays(
        tmp_path,
        """
        import random
        from random import gauss, getstate, setstate
        random.seed(4); print(random.random(), random.getrandbits(9), random.Random(4).random())
        random.seed("text"); print(random.random(), gauss(0, 1))
        random.seed(1); print(gauss(0, 1)); random.seed(1); print(gauss(0, 1), gauss(0, 1))
        random.seed(2); gauss(0, 1); state = getstate(); print(gauss(0, 1)); setstate(state); print(gauss(0, 1))
        print(random.Random(b"x").gauss(0, 1), random.choice("abc"), random.sample(range(99), 4))
        """,
    )


def test_chance_inside_a_tool_is_not_the_programs(tmp_path: Path) -> None:
    replays(
        tmp_path,
        """
        import random, replay
        @replay.tool
        def noisy():
            return [random.random(), random.gauss(0, 1), random.randbytes(2)]
        for _ in range(3):
            print(noisy(), random.random(), random.gauss(0, 1))
        """,
        varies=True,
    )


def test_library_draws_are_no_events(tmp_path: Path) -> None:
    """What a library reads goes into the track; the program's own reads are events."""
    found = replays(tmp_path, "import uuid, os\nprint(uuid.uuid4())\nprint(os.urandom(4))\n", times=1, varies=True)
    assert [event.request for event in found.events("entropy")] == [["os.urandom"]]


def test_the_interpreter_itself_reads_the_clock(tmp_path: Path) -> None:
    """Functions that run with no caller in Python: exit handlers and finalisers."""
    found = replays(
        tmp_path,
        """
        import atexit, os, threading, time, weakref
        class Thing:
            pass
        thing = Thing()
        weakref.finalize(thing, time.time); atexit.register(time.time); atexit.register(os.urandom, 4)
        atexit.register(print, "bye"); threading.Thread(target=time.time_ns).start()
        """,
        times=1,
    )
    assert (found.stdout, found.stderr) == (b"bye\n", b"")


def test_clock_read_in_finaliser_and_exit_handler(tmp_path: Path) -> None:
    replays(
        tmp_path,
        """
        import atexit, time, gc
        class Noisy:
            def __del__(self):
                self.at = time.time()
        atexit.register(lambda: print("bye", time.time_ns()))
        Noisy()
        cycle = Noisy(); cycle.me = cycle; del cycle
        gc.collect()
        print(time.time_ns())
        """,
        varies=True,
    )


def test_numpy(tmp_path: Path) -> None:
    """It takes its entropy from `secrets`, at import (the old functions) and for each generator without a seed."""
    replays(
        tmp_path,
        """
        import threading, numpy
        print(numpy.random.rand(2), numpy.random.randint(0, 99, 4), numpy.random.RandomState().rand())
        print(numpy.random.default_rng().random(2), numpy.random.default_rng(5).random(), numpy.random.SeedSequence())
        def draw():
            print(numpy.random.rand(), numpy.random.default_rng().normal())
        threads = [threading.Thread(target=draw) for _ in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        """,
        varies=True,
    )


def test_a_replay_never_sleeps(tmp_path: Path) -> None:
    """The same program with sleeps of an hour takes what was recorded with sleeps of a hundredth of a second."""
    source = """
        import asyncio, threading, time
        PAUSE = 0.01
        time.sleep(PAUSE)
        threading.Event().wait(PAUSE)
        async def main():
            await asyncio.sleep(PAUSE)
            try:
                await asyncio.wait_for(asyncio.Event().wait(), PAUSE)
            except TimeoutError:
                print("late")
            await asyncio.to_thread(time.sleep, PAUSE)
        asyncio.run(main())
        late = threading.Timer(PAUSE, print, ["later"])
        late.start(); late.join()
    """
    found = record(tmp_path, source)
    slow = tmp_path / "slow.py"
    slow.write_text(found.program.read_text().replace("0.01", "3600"))
    again = found.again(command=[sys.executable, str(slow)])
    assert again.identical, explained(again)
    assert again.stdout == found.stdout == b"late\nlater\n"


def test_what_is_only_read_is_written_meanwhile(tmp_path: Path) -> None:
    """A program that does nothing but read the clock: what it has read doesn't gather without end."""
    path = tmp_path / "p.cassette"
    with replay.record(path):
        before = path.stat().st_size
        for _ in range(20_000):
            time.time()
        assert path.stat().st_size > before + 100_000
