"""Which thread a program finds itself on, and what it sees by looking without waiting, are what they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import replays

PROGRAMS = {
    "workers": """
        import logging, random, sys, threading, time
        from concurrent.futures import ThreadPoolExecutor
        logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(threadName)s %(thread)d %(message)s")
        def work(n):
            time.sleep(random.choice([0, 0.001, 0.002]))
            logging.info("job %s", n)
            me = threading.current_thread()
            return me.name, me.ident == threading.get_ident(), me.native_id, threading.get_native_id()
        with ThreadPoolExecutor(4) as pool:
            print(list(pool.map(work, range(12))))
        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        print([t.ident for t in threads], threads[0].name, threading.main_thread().ident, threading.active_count())
    """,
    "flags": """
        import random, threading, time
        stop, lock, seen = threading.Event(), threading.Lock(), []
        def spin():
            count = 0
            while not stop.is_set():
                time.sleep(0.0003); count += 1
            print("turned", count)
        def hold():
            for _ in range(5):
                with lock: time.sleep(random.random() / 1000)
                time.sleep(random.random() / 1000)
        threads = [threading.Thread(target=each) for each in (spin, hold)]
        for t in threads: t.start()
        for _ in range(12):
            seen.append(lock.locked()); time.sleep(0.0004)
        stop.set()
        for t in threads: t.join()
        print(seen)
    """,
    "disks": """
        import os, shutil, time
        print(shutil.disk_usage("."), os.statvfs(os.sep), os.statvfs(os.__file__).f_fsid, os.fstatvfs(1).f_bfree)
        print(time.time(), os.statvfs in os.supports_fd)
        for wrong in ("not/there", 3.5, b"nor/this"):
            try:
                os.statvfs(wrong)
            except (OSError, TypeError) as error:
                print(type(error), error)
    """,
    "in a loop": """
        import asyncio, threading
        async def main():
            loop = asyncio.get_running_loop()
            loop.call_soon(print, "soon", threading.get_ident())
            print(await asyncio.to_thread(threading.get_native_id), await asyncio.sleep(0.001, "slept"))
        asyncio.run(main(), debug=True)
    """,
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_is_what_it_was(tmp_path: Path, what: str) -> None:
    assert replays(tmp_path, PROGRAMS[what], times=3, varies=True).stdout
