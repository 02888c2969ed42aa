"""Threads that import the same modules: who comes first is chance, and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from replay.launch import run
from tests.support.programs import explained, replays

MODULE = """
import threading
import time
from concurrent.futures import ThreadPoolExecutor

GUARD = threading.Lock()
with GUARD:
    AT = time.time_ns()
with ThreadPoolExecutor(2) as pool:
    STARTED = list(pool.map(lambda number: (number, time.time_ns()), range(2)))
if {number} % 3 == 0:
    try:
        import nowhere_to_be_found
    except ImportError as error:
        MISSING = str(error)
if {number}:
    import slow{before}
"""

PROGRAM = """
import importlib
import random
import threading
import time

guard = threading.Lock()
seen = []

def use(name):
    for number in random.sample(range(8), 8):
        time.sleep(random.choice((0, 0, 0.001, 0.003)))
        module = importlib.import_module(f"slow{number}")
        with guard:
            seen.append((name, number, module.AT, module.STARTED, time.time_ns()))

threads = [threading.Thread(target=use, args=(name,)) for name in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*seen, sep="\\n")
"""


SERVICE = """
import threading
import replay

def pause():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()

@replay.entrypoint
def first():
    pause()

@replay.entrypoint
def second():
    import before
    pause()
    import after
    return before.AT, after.AT

if __name__ == "__main__":
    first()
    second()
"""


def test_who_imports_first_is_chance(tmp_path: Path) -> None:
    for number in range(8):
        source = MODULE.replace("{number}", str(number)).replace("{before}", str(max(0, number - 1)))
        (tmp_path / f"slow{number}.py").write_text(source)
    found = replays(tmp_path, PROGRAM, varies=True)
    lanes = {event.lane for event in found.events("clock")}
    assert {f"m/i:slow{number}" for number in range(8)} <= lanes


def test_the_traceback_of_a_failed_import_shows_nothing_of_ours(tmp_path: Path) -> None:
    replays(
        tmp_path,
        """
        import threading, traceback

        def use():
            try:
                import nowhere_to_be_found
            except ImportError:
                traceback.print_exc()
                print(len(traceback.format_exc().splitlines()), "replay" in traceback.format_exc())

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        """,
        times=1,
    )


def test_a_seed_set_by_an_imported_module_counts(tmp_path: Path) -> None:
    """Random numbers come from the stream of the thread that imports, as without us."""
    (tmp_path / "settings.py").write_text("import random\nrandom.seed(7)\n")
    found = replays(
        tmp_path,
        """
        import random, threading
        threading.Thread(target=int).start()
        import settings
        print(random.random())
        """,
        times=1,
    )
    assert "0.32383276483316237" in found.text


def test_each_session_has_its_own_beginning(tmp_path: Path) -> None:
    """What an earlier session of the process did with threads changes nothing for a later one."""
    for name in ("before", "after"):
        (tmp_path / f"{name}.py").write_text("import time\nAT = time.time_ns()\n")
    program = tmp_path / "service.py"
    program.write_text(SERVICE)
    calls = tmp_path / "calls"
    subprocess.run([sys.executable, program], check=True, env={**os.environ, "REPLAY_DIR": str(calls)})
    paths = sorted(calls.glob("*.cassette"))
    assert len(paths) == 2
    for path in paths:
        found = run(path)
        assert found.identical, explained(found)
