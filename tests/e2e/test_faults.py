"""Trouble of every kind in the middle of a recording: the program prints what it prints unrecorded, and what was lost
has a name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import replay
from tests.support.e2e import cli, cli_json, record, shown, write

AGENT = """
import os, sys, threading, replay
<before>

@replay.tool
def look(number):
    return number * 2

@replay.tool
def hand(value):
    return value

total = 0
for number in range(40):
    if number == 20:
        <trouble>
    total += look(number)
print(total)
"""


def agent(directory: Path, trouble: str, before: str = "") -> Path:
    """`trouble` as one reads it, of several lines."""
    source = AGENT.replace("<trouble>", trouble.strip("\n").replace("\n", "\n        "))
    return write(directory / "agent.py", source.replace("<before>", before))


STRANGE = '''
class Strange:
    """Everything that one can do to it fails."""
    def __init__(self, way):
        self.way = way
    def _fail(self, *_):
        raise RuntimeError("strange")
    __repr__ = __str__ = __eq__ = __len__ = __iter__ = __bool__ = __reduce__ = __reduce_ex__ = __hash__ = _fail
    __getstate__ = __format__ = __bytes__ = __index__ = _fail
'''

GAPS = {
    "an object": "hand(object()); hand(threading.Lock()); hand(sys.stdin)",
    "a generator": "assert list(hand(iter([1, 2]))) == [1, 2]",
    "a lambda": "assert hand([{'f': lambda: 7}])[0]['f']() == 7",
    "what refers to itself": "loop = []; loop.append(loop); assert hand(loop) is loop",
    "what is too deep": "deep = []\nfor _ in range(100_000): deep = [deep]\nhand(deep)\nwhile deep: deep = deep[0]",
    "what fails whatever one does": "hand(Strange(1)); hand([Strange(2)]); hand({'a': Strange(3)})",
}


def unrecorded(program: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, program], capture_output=True, check=False, cwd=program.parent)


@pytest.mark.parametrize("name", GAPS)
def test_values_that_cant_be_stored(name: str, tmp_path: Path) -> None:
    program = agent(tmp_path, GAPS[name], STRANGE)
    expected = unrecorded(program)
    assert (expected.returncode, expected.stdout) == (0, b"1560\n"), expected.stderr
    recorded = record(program, tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout) == (0, expected.stdout), recorded.stderr
    lines = recorded.stderr.decode().splitlines()
    assert sum("wasn't recorded" in line or "not stored" in line for line in lines) <= 2, lines
    assert b"Traceback" not in recorded.stderr
    with replay.load(recorded.path) as cassette:
        assert len([event for event in cassette.events if event.name.endswith("look")]) == 40
    gaps = cli_json("show", recorded.path)["gaps"]
    assert gaps
    assert all(gap["reason"] for gap in gaps)
    assert cli("verify", recorded.path).returncode == 0
    done = cli("run", recorded.path)
    assert done.returncode != 0, shown(done)
    assert b"was not stored" in done.stdout, shown(done)


CHILD = """
pid = os.fork()
if not pid:
    print("child", look(1000), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""
SIGNALLED = """
import signal
def handler(*_):
    global total
    total += look(500)
signal.signal(signal.SIGUSR1, handler)
signal.signal(signal.SIGALRM, handler)
os.kill(os.getpid(), signal.SIGUSR1)
signal.raise_signal(signal.SIGALRM)
"""
SHUTDOWN = """
import atexit
class Late:
    def __del__(self):
        print("deleted")
late = Late()
def endless():
    while True:
        look(1)
threading.Thread(target=endless, daemon=True).start()
atexit.register(lambda: print("exit", look(7)))
"""
THREADS = """
def work():
    for number in range(200):
        look(number)
threads = [threading.Thread(target=work) for _ in range(4)]
for each in threads: each.start()
pid = os.fork()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
for each in threads: each.join()
"""
MIDDLES = {"a fork": CHILD, "signals": SIGNALLED, "the interpreter's end": SHUTDOWN, "a fork beside threads": THREADS}


@pytest.mark.parametrize("name", MIDDLES)
@pytest.mark.parametrize("options", [[], ["--flight-recorder", "1MB", "--keep", "on-failure"]], ids=["all", "ring"])
def test_trouble_in_the_middle(name: str, options: list[str], tmp_path: Path) -> None:
    program = agent(tmp_path, MIDDLES[name] + "\nos.environ.get('X')")
    expected = unrecorded(program)
    assert expected.returncode == 0, expected.stderr
    path = tmp_path / "x.cassette"
    done = cli("record", "-o", path, *options, "--", sys.executable, program)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, sorted(expected.stdout.splitlines())), shown(done)
    assert b"Traceback" not in done.stderr
    if not options:
        assert cli("verify", path).returncode == 0
        assert cli_json("show", path)["gaps"] == []
    else:
        assert not path.exists()


CLOSED = "os.closerange(3, 4096)"


def test_descriptors_that_the_program_closes(tmp_path: Path) -> None:
    """What was recorded until then is there, and it is said."""
    program = agent(tmp_path, CLOSED)
    recorded = record(program, tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout) == (0, b"1560\n"), recorded.stderr
    assert recorded.stderr.decode().count("the program closed the recording's file") >= 1
    assert cli("verify", recorded.path).returncode == 0
    with replay.load(recorded.path) as cassette:
        assert len([event for event in cassette.events if event.name.endswith("look")]) == 20


def test_a_descriptor_that_is_another_file_now(tmp_path: Path) -> None:
    """Closed, and its number given to a file of the program: nothing of the recording may land in that."""
    trouble = """
os.closerange(3, 4096)
files = [open(f"mine{number}.txt", "w") for number in range(8)]
"""
    program = agent(tmp_path, trouble)
    done = cli("record", "-o", tmp_path / "x.cassette", "--", sys.executable, program, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"1560\n"), shown(done)
    assert [path.stat().st_size for path in sorted(tmp_path.glob("mine*.txt"))] == [0] * 8


BUG = """
import replay.seams.function
import sys
from replay.cassette.writer import Writer
real, count = Writer.WHERE, 0
def broken(self, *args, **more):
    global count
    count += 1
    if count > 30:
        raise AttributeError("a bug of ours")
    return real(self, *args, **more)
Writer.WHERE = broken
"""


@pytest.mark.parametrize("where", ["event", "flush", "call", "track"])
def test_a_bug_of_ours(where: str, tmp_path: Path) -> None:
    """Whatever fails inside of a recording is no exception of the program's."""
    program = agent(tmp_path, "pass", BUG.replace("WHERE", where))
    recorded = record(program, tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout) == (0, b"1560\n"), recorded.stderr
    lines = [line for line in recorded.stderr.decode().splitlines() if "a bug of ours" in line]
    assert len(lines) <= 1, recorded.stderr
    assert b"Traceback" not in recorded.stderr


def test_a_directory_that_is_read_only(tmp_path: Path) -> None:
    """By mounting it so: permissions don't stop root."""
    folder = tmp_path / "ro"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", os.fspath(folder)]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting isn't permitted here")
    except FileNotFoundError:
        pytest.skip("no mount here")
    try:
        program = write(
            tmp_path / "p.py",
            f"""
import replay
@replay.entrypoint(directory={os.fspath(folder)!r}, OPTIONS)
def handle(number):
    return number
print([handle(number) for number in range(3)])
""",
        )
        source = program.read_text()
        for options in ("name='a'", "flight_recorder='1MB'"):
            write(program, source.replace("OPTIONS", options))
            done = unrecorded(program)
            assert (done.returncode, done.stdout) == (0, b"[0, 1, 2]\n"), shown(done)
            assert b"nothing is recorded: Read-only file system" in done.stderr
    finally:
        subprocess.run(["umount", os.fspath(folder)], check=True)
