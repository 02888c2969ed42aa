"""Strict threads: what races in pure memory replays exactly, and no program hangs because of it."""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import replay
from tests.support.e2e import cli, shown
from tests.support.programs import Recorded, explained, record
from tests.support.torture import Often, often

IMPATIENT = "import sys; sys.setswitchinterval(1e-5)\n"
"""The interpreter lets others run 500 times as often as usual: what nothing orders comes in another order."""

APPENDS = """
    import random, threading, time, replay

    out = []

    @replay.tool
    def tool(n):
        time.sleep(random.random() * 0.003)
        return n

    def work(n):
        for i in range(8):
            out.append((n, i))
            out.append((n, tool(i)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(out)
"""

COUNTER = """
    import random, threading, time, replay

    counter, seen = 0, []

    @replay.tool
    def tool():
        time.sleep(random.random() * 0.002)

    def work():
        global counter
        for _ in range(8):
            before = counter
            tool()
            time.sleep(random.random() * 0.001)
            counter = before + 1
            seen.append(counter)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.append("alive")
        threads[0].join(60)
    print(counter, seen)
"""

POOL = """
    import hashlib, random, time
    from concurrent.futures import ThreadPoolExecutor, as_completed
    from multiprocessing.pool import ThreadPool

    total, seen = 0, []

    def work(n):
        global total
        for _ in range(3):
            for _ in range(1000):
                before = total
                seen.append(n)
                total = before + 1
            time.sleep(random.random() * 0.003)
        return n

    with ThreadPoolExecutor(3) as pool:
        for future in as_completed([pool.submit(work, n) for n in range(8)]):
            seen.append(future.result())
        pool.map(work, range(3))  # the pool's end waits for them
    pool = ThreadPool(3)
    seen.extend(pool.imap_unordered(work, range(5)))
    pool.map_async(work, range(3))
    pool.close()
    pool.join()
    print(total, hashlib.sha256(bytes(seen)).hexdigest())
"""

LOOP = """
    import asyncio, hashlib, random, time

    total, seen = 0, []

    def work(n):
        global total
        for _ in range(3):
            for _ in range(1000):
                before = total
                seen.append(n)
                total = before + 1
            time.sleep(random.random() * 0.003)

    async def agent(n):
        for _ in range(2):
            seen.append(n)
            await asyncio.sleep(random.random() * 0.004)
            seen.append(n)
            await asyncio.to_thread(work, n)

    async def main():
        await asyncio.gather(*(agent(n) for n in range(5)))

    asyncio.run(main())
    print(total, hashlib.sha256(bytes(seen)).hexdigest())
"""

QUEUES = """
    import queue, random, signal, threading, time

    jobs, room, done = queue.Queue(3), threading.Condition(), threading.Event()
    gate, active, peak, out = threading.Semaphore(2), 0, 0, []

    def produce(n):
        for i in range(6):
            time.sleep(random.random() * 0.002)
            jobs.put((n, i))
            out.append(("put", n, i))

    def consume(n):
        global active, peak
        while (job := jobs.get()) is not None:
            with gate:
                active += 1
                peak = max(peak, active)
                time.sleep(random.random() * 0.002)
                active -= 1
            out.append(("got", n, job))
            with room:
                room.notify_all()

    def watch():
        while not done.is_set():
            with room:
                out.append(("woken", room.wait(0.003)))

    def rang(*_):
        out.append(("rang", len(out)))
        time.sleep(0.0005)

    signal.signal(signal.SIGALRM, rang)
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.01)
    watcher = threading.Thread(target=watch)
    producers = [threading.Thread(target=produce, args=(n,)) for n in range(3)]
    consumers = [threading.Thread(target=consume, args=(n,)) for n in range(3)]
    for thread in (watcher, *producers, *consumers):
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        jobs.put(None)
    for thread in consumers:
        thread.join()
    done.set()
    watcher.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(peak, out)
"""

SPINS = """
    import atexit, hashlib, threading, time

    out, lock, done = [], threading.Lock(), threading.Event()

    def hold():
        with lock:
            out.append("held")
            time.sleep(0.03)
        time.sleep(0.01)
        done.set()

    def spin():
        while "held" not in out:  # it never gives the lock back
            pass
        while not lock.acquire(False):
            pass
        out.append("got it")
        while not done.is_set():
            pass
        out.append("done")

    def tick():
        while True:
            time.sleep(0.001)
            out.append("tick")

    threading.Thread(target=tick, daemon=True).start()
    for work in (hold, spin):
        threading.Thread(target=work).start()
    time.sleep(0.01)
    out.append("main ends")

    @atexit.register
    def last():
        for _ in range(50_000):
            out.append("last")
        print(hashlib.sha256(repr(out).encode()).hexdigest())
"""

PROCESSES = """
    import asyncio, hashlib, random, time
    from concurrent.futures import ProcessPoolExecutor

    seen, total = [], 0

    def work(n):
        global total
        for _ in range(1000):
            before = total
            seen.append(n)
            total = before + 1

    async def serve(reader, writer):
        while line := await reader.readline():
            await asyncio.to_thread(work, 1)
            writer.write(line)
            work(2)
        writer.close()
        await writer.wait_closed()
        ended.set()

    async def main():
        global ended
        ended = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        with ProcessPoolExecutor(2) as pool:
            for n in range(4):
                pool.submit(time.sleep, random.random() * 0.005).add_done_callback(lambda _: work(3))
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for _ in range(4):
                writer.write(b"x\\n")
                await asyncio.gather(reader.readline(), asyncio.to_thread(work, 4))
            writer.close()
            await ended.wait()
        server.close()

    if __name__ == "__main__":
        asyncio.run(main())
        print(total, hashlib.sha256(bytes(seen)).hexdigest())
"""

UNSEEN = """
    import functools, pathlib, random, sys, threading, time

    folder = pathlib.Path(__file__).parent / "modules"
    folder.mkdir(exist_ok=True)
    (folder / "slow.py").write_text("import time; time.sleep(0.02); VALUE = 1")
    sys.path.insert(0, str(folder))
    out = []

    class Client:
        @functools.cached_property
        def chat(self):
            time.sleep(random.random() * 0.005)
            out.append("made")
            return len(out)

    def work(n):
        time.sleep(random.random() * 0.01)
        out.append((n, Client().chat))
        import slow
        out.append((n, slow.VALUE))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(out)
"""

MEMORY = """
    import hashlib, random, threading, time, replay

    out, total = [], 0

    @replay.tool
    def pieces(n):
        for i in range(4):
            time.sleep(random.random() * 0.002)
            yield i

    def work(n):
        global total
        for i in pieces(n):
            for _ in range(3000):
                before = total
                out.append(n)
                total = before + 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(total, hashlib.sha256(bytes(out)).hexdigest())
"""

CONDITIONS = """
    import random, threading, time

    room, ready, out = threading.Condition(threading.RLock()), [], []

    def wait(n):
        with room, room:
            while not ready:
                room.wait(random.random() * 0.003)
                out.append(("woken", n))
            ready.pop()
            time.sleep(random.random() * 0.002)  # others run, and want the lock back that this one holds
            out.append(("took", n))

    def give():
        for _ in range(4):
            time.sleep(random.random() * 0.003)
            with room:
                ready.append(True)
                room.notify_all()

    threads = [threading.Thread(target=wait, args=(n,)) for n in range(4)] + [threading.Thread(target=give)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(out)
"""

RACES = {
    "memory": MEMORY,
    "conditions": CONDITIONS,
    "appends": APPENDS,
    "counter": COUNTER,
    "pool": POOL,
    "loop": LOOP,
    "queues": QUEUES,
    "spins": SPINS,
    "unseen": UNSEEN,
    "processes": PROCESSES,
}


def wrong(recorded: Recorded) -> str | None:
    run = recorded.again()
    return None if run.identical and run.stdout == recorded.stdout else explained(run)


@pytest.mark.parametrize("name", RACES)
def test_races_in_memory_replay_exactly(name: str, tmp_path: Path) -> None:
    race(name, tmp_path, Often(4, 2))


@pytest.mark.torture
@pytest.mark.parametrize("name", RACES)
def test_races_in_memory_replay_exactly_often(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    faulthandler.cancel_dump_traceback_later()
    race(name, tmp_path, often(pytestconfig, 10, 5))


def race(name: str, directory: Path, times: Often) -> None:
    source = IMPATIENT + textwrap.dedent(RACES[name])
    recordings = [record(directory, source, name=f"{name}{n}", threads="strict") for n in range(times.recordings)]
    for one in recordings:
        assert (one.exit_code, one.stderr) == (0, b"")
        assert not one.cassette().blind_spots
        assert one.cassette().header["threads"] == "strict"
    # Really a race: else the replays would prove nothing.
    assert len({one.stdout for one in recordings}) > 1
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        problems = [problem for problem in pool.map(wrong, recordings * times.replays) if problem is not None]
    assert not problems, f"{len(problems)} of {times.recordings * times.replays}: {problems[0]}"


BLOCKED = """
    import queue, threading
    from replay.boundary import originals

    gate, waits = originals.allocate_lock(), queue.Queue()
    gate.acquire()

    def blocked():
        waits.put(True)
        gate.acquire()  # of C: nobody sees it
        print("goes on")

    thread = threading.Thread(target=blocked)
    thread.start()
    waits.get()
    print("opens")
    gate.release()
    thread.join()
"""

NEVER_YIELDS = """
    import functools, threading
    from replay.recorder import strict

    strict.Baton = functools.partial(strict.Baton, longest=0.3)  # 30 s, otherwise
    import sys, replay

    stop = False

    def spins():
        while not stop:
            pass

    with replay.record(sys.argv[1], threads="strict"):
        thread = threading.Thread(target=spins)
        thread.start()
        threading.Event().wait(0.001)
        stop = True
        thread.join()
        print("ends")
"""


def test_a_thread_that_is_blocked_where_nobody_sees_it_ends_strict_mode_and_is_named(tmp_path: Path) -> None:
    recorded = record(tmp_path, BLOCKED, threads="strict")
    assert recorded.exit_code == 0
    assert recorded.text == "opens\ngoes on\n"
    what = "strict mode was given up: the thread that had its turn waited where nobody sees it"
    assert recorded.stderr.decode().count("\n") == 1
    assert f"{what} at {recorded.program}:9" in recorded.stderr.decode()
    cassette = recorded.cassette()
    [spot] = cassette.blind_spots
    assert (spot.what, spot.detail, spot.site and spot.site.line) == ("threads", what, 9)
    assert cassette.outcome is not None
    assert cassette.outcome["threads"] == "order"
    for _ in range(3):
        run = recorded.again()
        assert run.identical, explained(run)
        assert (run.stdout, run.blind_spots) == (recorded.stdout, 1)


def test_a_thread_that_never_comes_to_a_switch_point_ends_strict_mode_and_is_named(tmp_path: Path) -> None:
    program, path = tmp_path / "program.py", tmp_path / "spins.cassette"
    program.write_text(textwrap.dedent(NEVER_YIELDS).lstrip())
    done = subprocess.run([sys.executable, program, path], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "ends\n"
    assert "the thread that had its turn ran for 0 s without a switch point" in done.stderr
    [spot] = [spot for spot in replay.load(path).blind_spots if spot.what == "threads"]
    assert spot.site is not None
    assert spot.site.file == str(program)


def test_one_thread_writes_nothing_about_turns(tmp_path: Path) -> None:
    source = """
        import asyncio, time

        async def main():
            for n in range(3):
                await asyncio.sleep(0.001)
                time.sleep(0.001)
                print(n)

        asyncio.run(main())
    """
    strict, plain = (record(tmp_path, source, name=mode, threads=mode) for mode in ("strict", "order"))
    assert [cassette.header["threads"] for cassette in (strict.cassette(), plain.cassette())] == ["strict", "order"]
    assert abs(os.path.getsize(strict.path) - os.path.getsize(plain.path)) < 200
    assert strict.again().identical


def test_the_command_line_and_a_block_record_strictly(tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(
        "import random, sys, threading, time\n"
        "import replay\n"
        "out = []\n"
        "def work(n):\n"
        "    for i in range(8):\n"
        "        time.sleep(random.random() * 0.002)\n"
        "        out.append((n, i))\n"
        "with replay.record(sys.argv[1], threads='strict'):\n"
        "    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
        "    [thread.start() for thread in threads]\n"
        "    [thread.join() for thread in threads]\n"
        "    print(out)\n"
    )
    here = ("record", "--threads=strict", "-o", tmp_path / "whole.cassette", "--", "python", program)
    done = cli(*here, tmp_path / "unused.cassette", cwd=tmp_path)
    assert done.returncode == 0, shown(done)
    subprocess.run([sys.executable, program, tmp_path / "block.cassette"], check=True, capture_output=True, timeout=60)
    for name in ("whole", "block"):
        for _ in range(3):
            run = replay.run(tmp_path / f"{name}.cassette")
            assert run.identical, (name, explained(run))


def test_a_forked_child_and_the_script_it_starts_take_turns_of_their_own(tmp_path: Path) -> None:
    source = """
        import os, random, subprocess, sys, threading, time

        out = []

        def work(n):
            for i in range(5):
                out.append((n, i))
                time.sleep(random.random() * 0.001)

        def race():
            threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            print(out, flush=True)

        race()
        if len(sys.argv) == 1:
            pid = os.fork()
            if pid == 0:
                race()
                os._exit(0)
            os.waitpid(pid, 0)
            print(subprocess.run([sys.executable, __file__, "again"], capture_output=True).stdout)
    """
    recorded = record(tmp_path, source, threads="strict")
    children = sorted((tmp_path / "program.d").glob("*.cassette"))
    assert len(children) == 2
    for path in map(str, (recorded.path, *children)):
        assert replay.load(path).header["threads"] == "strict"
        for _ in range(2):
            run = replay.run(path)
            assert run.identical, (path, explained(run))
