"""Threads, jobs and what is built on locks: whoever was first when recorded is first at replay."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.programs import record, replays

PROGRAMS = {
    "queue": """
        import queue, random, threading, time
        box, log, lock = queue.Queue(3), [], threading.Lock()
        def produce(n):
            for i in range(4):
                time.sleep(random.random() / 500)
                box.put((n, i))
        def consume(n):
            while (item := box.get()) is not None:
                with lock:
                    log.append((n, item))
                box.task_done()
        makers = [threading.Thread(target=produce, args=(n,)) for n in range(3)]
        takers = [threading.Thread(target=consume, args=(n,)) for n in range(2)]
        for t in makers + takers: t.start()
        for t in makers: t.join()
        box.join()
        for _ in takers: box.put(None)
        for t in takers: t.join()
        print(log)
        simple = queue.SimpleQueue(); simple.put(1); print(simple.get(), queue.LifoQueue().empty())
    """,
    "simple queues": """
        import queue, random, threading, time
        box = queue.SimpleQueue()
        def put(n):
            for i in range(6):
                time.sleep(random.random() / 2000); box.put((n, i))
        threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
        for t in threads: t.start()
        print([box.get() for _ in range(24)], box.empty(), box.qsize())
        for _ in range(5):
            late = threading.Timer(random.random() / 500, box.put, ["item"]); late.start()
            try:
                print(box.get(timeout=random.random() / 500))
            except queue.Empty:
                print("empty", box.get())
        try:
            box.get_nowait()
        except queue.Empty:
            print(type(box))
    """,
    "conditions": """
        import random, threading, time
        cond, log = threading.Condition(), []
        def wait(n):
            with cond:
                while not log or log[-1] == n:
                    if not cond.wait(timeout=random.random() / 100):
                        log.append(("gave up", n))
                        cond.notify()
                        return
                log.append(n); cond.notify_all()
        threads = [threading.Thread(target=wait, args=(n,)) for n in range(5)]
        for t in threads: t.start()
        time.sleep(0.003)
        with cond:
            log.append("go"); cond.notify_all()
        for t in threads: t.join()
        print(log)
        with cond:
            print(cond.wait_for(lambda: False, timeout=0.001), cond.wait_for(lambda: True))
    """,
    "events and semaphores": """
        import random, threading, time
        ready, done, gate = threading.Event(), threading.Event(), threading.Semaphore(2)
        log, lock, edge = [], threading.RLock(), threading.BoundedSemaphore(1)
        def work(n):
            got = ready.wait(random.random() / 200)
            if not gate.acquire(timeout=random.random() / 300):
                with lock, lock:
                    log.append((n, got, "no gate"))
                return
            time.sleep(random.random() / 300)
            gate.release()
            with lock:
                log.append((n, got))
            if edge.acquire(blocking=False):
                with lock:
                    log.append((n, "edge"))
                edge.release()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for t in threads: t.start()
        time.sleep(0.002); ready.set()
        for t in threads: t.join(timeout=5)
        print(log, ready.is_set(), done.wait(0.001))
    """,
    "barriers": """
        import random, threading, time
        barrier, lock, log = threading.Barrier(3, action=lambda: log.append("all")), threading.Lock(), []
        def work(n):
            time.sleep(random.random() / 300)
            try:
                place = barrier.wait(timeout=2)
            except threading.BrokenBarrierError:
                place = "broken"
            with lock:
                log.append((n, place))
        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for t in threads: t.start()
        for t in threads: t.join()
        print(log)
        try:
            threading.Barrier(2).wait(timeout=0.001)
        except threading.BrokenBarrierError:
            print("broken")
    """,
    "timeouts": """
        import queue, random, threading, time
        lock, box = threading.Lock(), queue.Queue()
        def hold():
            with lock:
                time.sleep(random.random() / 100)
        for _ in range(6):
            holder = threading.Thread(target=hold); holder.start()
            time.sleep(random.random() / 300)
            got = lock.acquire(timeout=random.random() / 200)
            print("won" if got else "lost", end=" ")
            if got:
                lock.release()
            sender = threading.Timer(random.random() / 200, box.put, ["item"]); sender.start()
            try:
                print(box.get(timeout=random.random() / 200))
            except queue.Empty:
                print("empty"); box.get()
            holder.join(random.random() / 500); print(holder.is_alive())
            holder.join(); sender.join()
        polled, holder = 0, threading.Thread(target=time.sleep, args=(0.01,)); holder.start()
        while holder.is_alive():
            holder.join(0.0003); polled += 1
        print(polled)
        lock.acquire(); print(lock.acquire(False), lock.acquire(timeout=0), lock.locked()); lock.release()
    """,
    "pools": """
        import random, threading, time
        from concurrent.futures import (FIRST_COMPLETED, FIRST_EXCEPTION, ThreadPoolExecutor, TimeoutError,
                                        as_completed, wait)
        def work(n):
            time.sleep(random.random() / 200)
            if n == 7:
                raise ValueError(n)
            return n * n
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(work, n) for n in range(9)]
            for future in as_completed(futures):
                print(futures.index(future), future.exception() or future.result())
            print(list(pool.map(work, range(6))))
            some = [pool.submit(work, n) for n in range(5)]
            done, rest = wait(some, return_when=FIRST_COMPLETED)
            print(sorted(some.index(f) for f in done), [some.index(f) for f in rest])
            done, rest = wait(some, timeout=random.random() / 300)
            print([some.index(f) for f in done], len(rest))
            more = [pool.submit(work, 7), pool.submit(time.sleep, 0.01)]
            print(len(wait(more, return_when=FIRST_EXCEPTION).done))
            slow = pool.submit(time.sleep, 0.005)
            try:
                slow.result(timeout=0.0001)
            except TimeoutError as error:
                print("timeout", type(error))
            late = [pool.submit(work, n) for n in range(8)]
            print([f.cancel() for f in late].count(True) + sum(not f.cancelled() for f in late))
            log = []
            f = pool.submit(work, 3); f.add_done_callback(lambda f: log.append(f.result())); f.result()
        print(log)
        pool = ThreadPoolExecutor(2, thread_name_prefix="x", initializer=lambda: None)
        print(pool.submit(lambda: threading.current_thread().name.rpartition("_")[0]).result())
        inner = pool.submit(lambda: pool.submit(work, 2).result()); print(inner.result()); pool.shutdown()
    """,
    "multiprocessing's thread pool": """
        import random, time
        from multiprocessing.pool import ThreadPool
        def work(n):
            time.sleep(random.choice([0, 0.001, 0.002]))
            if n == 7:
                raise ValueError(n)
            return n * n
        def numbers():
            for n in range(6):
                print("next", n); yield n
        called = []
        with ThreadPool(4) as pool:
            print(pool.map(work, range(6)), list(pool.imap_unordered(work, numbers())), pool.apply(work, (3,)))
            print(list(pool.imap(work, range(5))), pool.starmap(pow, [(2, 3), (3, 2)], chunksize=1))
            results = [pool.apply_async(work, (n,), callback=called.append, error_callback=called.append)
                       for n in range(5, 10)]
            for result in results:
                try:
                    print(result.get(timeout=9), result.ready(), result.successful(), end=" ")
                except ValueError as error:
                    print(repr(error), end=" ")
            pool.close(); pool.join()
        print(called)
    """,
    "names and locals": """
        import threading, time, random, contextvars
        local, var, lock = threading.local(), contextvars.ContextVar("v", default=0), threading.Lock()
        def work(n):
            local.n = n; var.set(n)
            time.sleep(random.random() / 300)
            with lock:
                print(threading.current_thread().name, local.n, var.get(), random.random(), time.time_ns())
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        class Own(threading.Thread):
            def run(self):
                print("own", self.name)
        Own().start()
        timer = threading.Timer(9, print); timer.start(); timer.cancel(); timer.join(); print(var.get())
    """,
    "nested": """
        import threading, random, time
        from concurrent.futures import ThreadPoolExecutor
        log, lock = [], threading.Lock()
        def leaf(name):
            time.sleep(random.random() / 400)
            with lock:
                log.append(name)
        def branch(name):
            with ThreadPoolExecutor(2) as pool:
                for n in range(3): pool.submit(leaf, f"{name}.{n}")
            t = threading.Thread(target=leaf, args=(f"{name}.t",)); t.start(); t.join()
        threads = [threading.Thread(target=branch, args=(str(n),)) for n in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        print(log)
    """,
    "tools": """
        import random, replay, threading, time
        from concurrent.futures import ThreadPoolExecutor
        @replay.tool(effect="read")
        def look(n):
            time.sleep(random.random() / 300)
            return random.random()
        @replay.tool
        def pieces(n):
            for i in range(3):
                time.sleep(random.random() / 500); yield random.random()
        with ThreadPoolExecutor(5) as pool:
            print(list(pool.map(look, range(12))))
            print([f.result() for f in [pool.submit(lambda: list(pieces(1))) for _ in range(4)]])
        seen, lock = [], threading.Lock()
        def one(n):
            value = look(n)
            with lock: seen.append((n, value))
        ts = [threading.Thread(target=one, args=(n,)) for n in range(8)]
        for t in ts: t.start()
        for t in ts: t.join()
        print(seen)
    """,
}
SAME = {"names and locals": True, "tools": True, "barriers": None}


@pytest.mark.parametrize("what", PROGRAMS)
def test_threads_take_the_recorded_turns(tmp_path: Path, what: str) -> None:
    found = replays(tmp_path, PROGRAMS[what], times=2, varies=SAME.get(what))
    assert found.stdout


def test_threads_that_fail_and_threads_that_stay(tmp_path: Path) -> None:
    """Exceptions of threads reach `excepthook`; daemons that are alive at the end don't hold up a replay."""
    found = replays(
        tmp_path,
        """
        import sys, threading, time, random
        def fail(n):
            time.sleep(random.random() / 300)
            raise ValueError(f"thread {n}")
        threading.excepthook = lambda args: print("hook", args.exc_value, args.thread.name)
        threads = [threading.Thread(target=fail, args=(n,)) for n in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        t = threading.Thread(target=sys.exit, args=(3,)); t.start(); t.join()
        threading.excepthook = threading.__excepthook__
        t = threading.Thread(target=fail, args=(9,)); t.start(); t.join()
        never = threading.Event()
        ticks = []
        def tick():
            while True:
                time.sleep(0.001); ticks.append(time.time())
        threading.Thread(target=never.wait, daemon=True).start()
        threading.Thread(target=tick, daemon=True).start()
        time.sleep(0.01)
        print("end")
        """,
        varies=None,
    )
    assert found.text.count("hook") == 3
    assert b"ValueError: thread 9" in found.stderr


def test_a_deadlock_is_a_divergence_that_names_who_waits(tmp_path: Path) -> None:
    """The changed program's threads wait for each other; the replay says so instead of hanging."""
    source = """
        import threading
        ready, lock = [threading.Event(), threading.Event()], threading.Lock()
        def work(n):
            ready[n].set(); ready[1 - n].wait()
            with lock: print("met")
        threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
        for t in threads: t.start()
        for t in threads: t.join()
    """
    found = record(tmp_path, source)
    other = tmp_path / "other.py"
    text = found.program.read_text().replace(
        "ready[n].set(); ready[1 - n].wait()", "ready[1 - n].wait(); ready[n].set()"
    )
    other.write_text(text)
    again = found.again(command=[sys.executable, str(other)])
    assert not again.identical
    assert again.divergence is not None
    assert again.divergence.cause == "code changed", again.divergence  # another program, as it is
    assert "m/T" in again.divergence.reason, again.divergence
