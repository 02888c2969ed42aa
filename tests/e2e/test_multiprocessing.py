"""Parents replay without their children, children without their parents: every start method, pools, asyncio on top."""

from __future__ import annotations

from pathlib import Path

import pytest

import replay
from replay.cassette.family import family
from tests.support.e2e import Recorded, cli, record, shown, write

PROCESSES = """
import multiprocessing as mp, random, sys, time
def work(number, connection, queue):
    print("child", number, time.time(), flush=True)
    connection.send({"n": number, "at": time.time()})
    queue.put((number, connection.recv(), random.random()))
    sys.exit(number)
if __name__ == "__main__":
    context = mp.get_context(sys.argv[1])
    queue, lock, value, event = context.Queue(), context.Lock(), context.Value("i", 3), context.Event()
    jobs = []
    for number in range(2):
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(number, theirs, queue), name=f"w{number}")
        process.start()
        jobs.append((process, ours))
    for process, connection in jobs:
        print(process.pid, process.is_alive(), connection.recv())
        connection.send("go")
    print(sorted(queue.get() for _ in jobs))
    for process, _ in jobs:
        process.join()
        print(process.exitcode, process)
    with lock:
        value.value += 1
    print(value.value, event.is_set(), mp.active_children(), time.time())
    sleeper = context.Process(target=time.sleep, args=(100,), daemon=True)
    sleeper.start()
    sleeper.terminate()
    sleeper.join(30)
    print(sleeper.exitcode)
    context.Process(target=time.sleep, args=(100,), daemon=True).start()
"""
POOLS = """
import asyncio, multiprocessing as mp, os, random, sys, time
from concurrent.futures import ProcessPoolExecutor, as_completed
def square(number):
    time.sleep(random.random() / 50)
    if number == 7:
        raise ValueError(f"seven at {time.time()}")
    return number * number, os.getpid(), time.time()
async def gathered(executor):
    loop = asyncio.get_running_loop()
    print(await asyncio.gather(*[loop.run_in_executor(executor, square, number) for number in range(4)]))
if __name__ == "__main__":
    context = mp.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        for future in as_completed([executor.submit(square, number) for number in range(5)]):
            print(future.result())
        try:
            executor.submit(square, 7).result()
        except ValueError as error:
            print("error", error)
        print(list(executor.map(square, range(3))))
        asyncio.run(gathered(executor))
    with context.Pool(2) as pool:
        print(pool.map(square, range(3)), pool.apply(square, (9,)), pool.map(square, []))
        result = pool.apply_async(square, (3,), callback=lambda value: print("callback", value))
        print(result.get(60), result.ready())
        for value in pool.imap_unordered(square, range(3)):
            print(value)
        try:
            pool.map(square, [1, 7])
        except ValueError as error:
            print("error", error)
        pool.close()
        pool.join()
    after = context.Process(target=int)  # of which the pools' workers have had numbers
    after.start()
    after.join()
    print(after.name)
"""


def recorded(source: str, method: str, directory: Path) -> Recorded:
    found = record(write(directory / "p.py", source), directory / "x.cassette", arguments=[method])
    assert found.exit_code == 0, found.stderr.decode()
    assert b"gap" not in found.stderr, found.stderr.decode()
    return found


def kids(found: Recorded) -> list[Path]:
    with replay.load(found.path) as cassette:
        return [child.path for child in family(found.path, cassette.id)]


def identical(found: Recorded) -> str:
    run = replay.run(found.path)
    assert run.identical, run
    return run.stdout.decode()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes(method: str, tmp_path: Path) -> None:
    found = recorded(PROCESSES, method, tmp_path)
    own = [line for line in found.stdout.decode().splitlines() if not line.startswith("child")]
    for _ in range(2):
        assert identical(found).splitlines() == own
    workers = [path for path in kids(found) if _says(path, "child")]
    assert len(workers) == 2
    for path in workers:
        if method == "forkserver":
            done = cli("run", path)
            assert done.returncode == 125, shown(done)
            assert b"a fork server" in done.stderr
            continue
        again = replay.run(path)
        assert again.identical, again
        assert again.stdout in found.stdout
        assert again.stdout.count(b"\n") == 1


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools(method: str, tmp_path: Path) -> None:
    found = recorded(POOLS, method, tmp_path)
    assert identical(found) == found.stdout.decode()
    worker = kids(found)[0]
    done = cli("run", worker)
    assert done.returncode == 125, shown(done)
    assert b"came through a pipe" in done.stderr
    with replay.load(worker) as cassette:
        assert "time.time" in [event.name for event in cassette.events]


def test_what_cannot_be_stored_is_a_gap(tmp_path: Path) -> None:
    source = """
import multiprocessing as mp
class Odd:
    __slots__ = ("a",)
    def __reduce__(self):
        return Odd, ()
def work(connection):
    connection.send(lambda_free())
def lambda_free():
    return Odd.__reduce__
if __name__ == "__main__":
    ours, theirs = mp.get_context("fork").Pipe()
    mp.get_context("fork").Process(target=work, args=(theirs,)).start()
    print(ours.recv().__name__)
"""
    found = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert found.stdout == b"__reduce__\n", found.stderr.decode()
    assert b"1 gap" in found.stderr
    assert replay.run(found.path).gap is not None


def _says(path: Path, text: str) -> bool:
    with replay.load(path) as cassette:
        return any(event.kind == "output" and text in str(event.request) for event in cassette.events)
