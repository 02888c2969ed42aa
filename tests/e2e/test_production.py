"""What is kept of what is recorded: flight recorders, sampling, keep rules, retention; commands, blocks and calls."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import replay
from tests.support.e2e import REPLAY, cli, cli_json, error_line, record, shown, write

LONG = """
import sys, replay

@replay.tool
def look(number):
    return str(number) + "x" * 1000

for number in range(int(sys.argv[1])):
    look(number)
    if number == 2500:
        BETWEEN
print("done")
END
"""


def long(directory: Path, end: str = "", between: str = "pass") -> Path:
    return write(directory / "long.py", LONG.replace("END", end).replace("BETWEEN", between))


def flight(program: Path, path: Path, count: int, *options: Any) -> subprocess.CompletedProcess[bytes]:
    return cli("record", "-o", path, "--flight-recorder", "1MB", *options, "--", sys.executable, program, str(count))


def numbers(path: Path) -> list[int]:
    with replay.load(path) as cassette:
        return [int(str(e.response).rstrip("x")) for e in cassette.events if e.kind == "tool" and e.status == "done"]


def check_newest(path: Path, last: int) -> None:
    kept = numbers(path)
    assert kept == list(range(kept[0], last + 1))
    assert 500 < len(kept) < 1100
    assert cli("verify", path).returncode == 0
    with replay.load(path) as cassette:
        assert cassette.header["ring"]["dropped"] >= kept[0]
    found = cli("show", path)
    assert found.returncode == 0, shown(found)
    assert f"The {cassette.header['ring']['dropped']} events before these are gone" in " ".join(
        found.stdout.decode().split()
    )
    error_line(cli("run", path), "beginning-lost")


@pytest.mark.parametrize(
    "end", ["1 / 0", "sys.exit(3)", "import os; os._exit(3)", "import os; os.kill(os.getpid(), 9)"]
)
def test_a_program_that_fails_has_its_newest_events(end: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    done = flight(long(tmp_path, end), path, 3000)
    assert done.stdout == b"done\n" or "kill" in end, shown(done)
    assert done.returncode == {"1 / 0": 1}.get(end, 137 if "kill" in end else 3)
    assert sorted(os.listdir(tmp_path)) == ["long.py", "x.cassette"]
    check_newest(path, 2999)
    assert cli_json("show", path)["status"] == ("open" if "kill" in end else "sealed")


def test_a_program_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    done = flight(long(tmp_path), tmp_path / "x.cassette", 3000)
    assert (done.returncode, done.stdout) == (0, b"done\n"), shown(done)
    assert os.listdir(tmp_path) == ["long.py"]


def test_what_fits_is_the_whole_recording(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    assert flight(long(tmp_path, "1 / 0"), path, 500).returncode == 1
    run = replay.run(path)
    assert run.identical, run
    assert (run.cut, run.exit_code, run.stdout) == (False, 1, b"done\n")


def test_a_program_that_asks(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    done = flight(long(tmp_path, between='replay.dump("policy: no second refund")'), path, 3000)
    assert done.returncode == 0, shown(done)
    with replay.load(path) as cassette:
        assert cassette.header["ring"]["reason"] == "policy: no second refund"
    check_newest(path, 2500)


def test_asking_is_no_difference_at_replay(tmp_path: Path) -> None:
    program = long(tmp_path, between='replay.dump("here")')
    recorded = record(program, tmp_path / "x.cassette", arguments=["3000"])
    assert replay.run(recorded.path).identical


def test_a_signal(tmp_path: Path) -> None:
    """To a program that waits, and to one that is busy."""
    path = tmp_path / "x.cassette"
    program = long(tmp_path, between="import os; print(os.getpid(), flush=True); sys.stdin.readline()")
    command: list[str | Path] = [
        REPLAY,
        "record",
        "-o",
        path,
        "--flight-recorder",
        "1MB",
        "--",
        sys.executable,
        program,
        "3000",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        os.kill(int(process.stdout.readline()), signal.SIGUSR2)
        while not path.exists():
            time.sleep(0.01)
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait() == 0
    check_newest(path, 2500)
    with replay.load(path) as cassette:
        assert cassette.header["ring"]["reason"] == "signal SIGUSR2"


KEPT = """
import os, sys, replay

@replay.tool
def look(number):
    return number

@replay.entrypoint(OPTIONS)
def handle(number):
    look(number)
    if number == 3:
        replay.dump("look at this one")
    if number == 7:
        raise ValueError("seven")

for number in range(10):
    try:
        handle(number)
    except ValueError:
        pass
"""


@pytest.mark.parametrize("options", ['keep="on-failure"', 'flight_recorder="1MB"'])
def test_calls_that_end_well_are_not_kept(options: str, tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", KEPT.replace("OPTIONS", f'directory="made", {options}'))
    done = subprocess.run([sys.executable, program], capture_output=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    found = sorted((tmp_path / "made").iterdir())
    assert [path.suffix for path in found] == [".cassette"] * 2
    assert [numbers(path) for path in found] == [[3], [7]]
    with replay.load(found[1]) as cassette:
        assert cassette.outcome is not None
        assert cassette.outcome["exception"]["message"] == "seven"


def test_a_block_that_fails(tmp_path: Path) -> None:
    for number, error in enumerate([None, ValueError("no")]):
        with contextlib.suppress(ValueError), replay.record(tmp_path / f"{number}.cassette", keep="on-failure"):
            if error is not None:
                raise error
    assert os.listdir(tmp_path) == ["1.cassette"]


def test_a_command_that_ends_well_is_not_kept(tmp_path: Path) -> None:
    for number, code in enumerate(["pass", "1 / 0", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 15)"]):
        program = write(tmp_path / "p.py", code)
        cli("record", "-o", tmp_path / f"{number}.cassette", "--keep", "on-failure", "--", sys.executable, program)
    assert sorted(os.listdir(tmp_path)) == ["1.cassette", "2.cassette", "3.cassette", "p.py"]


def test_a_child_that_fails_keeps_its_parent(tmp_path: Path) -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', '1 / 0'], stderr=subprocess.DEVNULL)"
    program = write(tmp_path / "p.py", child)
    cli("record", "-o", tmp_path / "x.cassette", "--keep", "on-failure", "--", sys.executable, program)
    assert sorted(os.listdir(tmp_path)) == ["p.py", "x.cassette", "x.d"]


def test_sampling_goes_by_the_trace(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "print('ran')")
    for trace, there in (("0" * 31 + "1", True), ("0" * 16 + "f" * 16, False)):
        path = tmp_path / f"{trace}.cassette"
        env = {**os.environ, "TRACEPARENT": f"00-{trace}-{'1' * 16}-01", "REPLAY_SAMPLE": "0.5"}
        for _ in range(2 - there):
            done = cli("record", "-o", path, "--", sys.executable, program, env=env)
            assert (done.returncode, done.stdout, path.exists()) == (0, b"ran\n", there), shown(done)


def test_a_command_retains(tmp_path: Path) -> None:
    old = tmp_path / "made.cassette"
    with replay.record(old):
        pass
    os.utime(old, (1e9, 1e9))
    program = write(tmp_path / "p.py", "pass")
    cli("record", "-o", tmp_path / "x.cassette", "--retain-age", "7d", "--", sys.executable, program)
    assert not old.exists()
    assert (tmp_path / "x.cassette").exists()


def test_calls_of_a_process_that_was_killed(tmp_path: Path) -> None:
    """The next one saves what they had."""
    source = """
import os, sys, replay

@replay.tool
def look(number):
    return number

@replay.tool
def die():
    os.kill(os.getpid(), 9)

@replay.entrypoint(directory="made", flight_recorder="1MB")
def handle(last, killed):
    for number in range(last):
        look(number)
    if killed:
        die()

handle(9, "killed" in sys.argv)
"""
    program = write(tmp_path / "p.py", source)
    assert subprocess.run([sys.executable, program, "killed"], cwd=tmp_path, check=False).returncode == -9
    assert [path.suffix for path in (tmp_path / "made").iterdir()] == [".ring"]
    assert subprocess.run([sys.executable, program], cwd=tmp_path, check=False).returncode == 0
    (path,) = (tmp_path / "made").iterdir()
    assert numbers(path) == list(range(9))
    run = replay.run(path)
    assert (run.identical, run.cut) == (True, True)
