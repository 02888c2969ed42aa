"""What goes wrong with a recording is no trouble of its program: same results, one warning, and the file says why."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

import replay
from tests.support.e2e import Recorded, cli, cli_json, record, shown, write

AGENT = """
import os, resource, signal, sys, replay

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

@replay.tool
def look(number):
    return str(number) + "x" * <size>

@replay.tool
def trouble():
    <trouble>

@replay.tool
def over():
    <over>

total = 0
for number in range(<count>):
    if number == 50:
        trouble()
    if number == <count> - 50:
        over()
    total += len(look(number))
print(total)
"""
LIMIT = "sys.dont_write_bytecode = True; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))"
NO_LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))"


def agent(directory: Path, trouble: str, over: str = "pass", *, count: int = 1500, size: int = 100) -> Path:
    source = AGENT.replace("<trouble>", trouble).replace("<over>", over)
    return write(directory / "agent.py", source.replace("<count>", str(count)).replace("<size>", str(size)))


def expected(count: int = 1500, size: int = 100) -> bytes:
    return b"%d\n" % sum(len(str(number)) + size for number in range(count))


def check_stopped(recorded: Recorded, reason: str, *, least: int) -> None:
    """The recording ends with a gap that says why; `show`, `ls` and `run` say it, and it was said once."""
    assert (recorded.exit_code, recorded.stdout) == (0, expected()), recorded.stderr
    warnings = [line for line in recorded.stderr.decode().splitlines() if line.startswith("replay: the recording ")]
    assert len(warnings) == 1, recorded.stderr
    assert reason in warnings[0]
    assert "; the recording stopped here: " in recorded.stderr.decode()
    assert cli("verify", recorded.path).returncode == 0
    with replay.load(recorded.path) as cassette:
        assert cassette.status == "open"
        assert reason in (cassette.stopped or "")
        *events, last = cassette.events
        assert (last.kind, last.name) == ("gap", "recording")
        assert reason in last.request["reason"]
        done = [event for event in events if event.name.endswith("look") and event.status == "done"]
        assert len(done) >= least
        assert [event.response for event in done] == [f"{number}" + "x" * 100 for number in range(len(done))]
    out = cli("show", recorded.path).stdout.decode()
    assert "STOPPED: the recording stopped here" in out
    assert cli_json("ls", recorded.path)["cassettes"][0]["gaps"] == 1
    found = cli("run", "-q", recorded.path)
    assert found.returncode == 125, shown(found)
    found = cli("run", recorded.path)
    assert f"can't go on after {len(events)} events: the recording stopped here: " in found.stdout.decode(), shown(
        found
    )
    assert reason in found.stdout.decode()


def test_a_full_disk(tmp_path: Path) -> None:
    recorded = record(agent(tmp_path, LIMIT), tmp_path / "x.cassette")
    check_stopped(recorded, "File too large", least=50)
    assert recorded.path.stat().st_size <= 20_000


def test_a_full_disk_with_room_again_loses_nothing(tmp_path: Path) -> None:
    recorded = record(agent(tmp_path, LIMIT, NO_LIMIT), tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout) == (0, expected()), recorded.stderr
    assert recorded.stderr.decode().count("the recording waits: File too large") == 1
    run = replay.run(recorded.path)
    assert (run.identical, run.cut, run.stdout) == (True, False, expected())


def test_memory_is_bounded_while_a_disk_is_full(tmp_path: Path) -> None:
    """100 MB that no disk takes."""
    measure = "print('kB', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    limit = LIMIT.replace("20_000", "6_000_000")  # the file has 5 MB by then
    program = agent(tmp_path, f"{measure}; {limit}", measure, count=1000, size=100_000)
    recorded = record(program, tmp_path / "x.cassette")
    assert recorded.stdout == expected(1000, 100_000)
    before, after = (int(line.split()[1]) for line in recorded.stderr.decode().splitlines() if line.startswith("kB"))
    assert after - before < 30_000
    with replay.load(recorded.path) as cassette:
        assert "File too large" in (cassette.stopped or "")


@pytest.mark.parametrize("size", [0, 5, 1_000, 9_000])
def test_a_cassette_that_somebody_cuts(size: int, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recorded = record(agent(tmp_path, f"import posix; posix.truncate({os.fspath(path)!r}, {size})"), path)
    check_stopped(recorded, "somebody cut the cassette", least=0)


def test_a_cassette_that_somebody_removes(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recorded_program = agent(tmp_path, f"import posix; posix.unlink({os.fspath(path)!r})")
    done = cli("record", "-o", path, "--", sys.executable, recorded_program)
    assert done.stdout == expected(), shown(done)
    assert done.stderr.decode().count("the cassette was removed while it was recorded") == 1
    assert not path.exists()


def test_a_directory_that_somebody_removes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    trouble = f"import shutil; shutil.rmtree({os.fspath(folder)!r})"
    done = cli("record", "-o", folder / "x.cassette", "--", sys.executable, agent(tmp_path, trouble))
    assert done.stdout == expected(), shown(done)
    assert b"removed while it was recorded" in done.stderr
    assert not folder.exists()


@contextlib.contextmanager
def small_disk(where: Path, size: str) -> Generator[Path]:
    """A file system of its own."""
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", os.fspath(where)]
    try:
        made = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if made.returncode:
        pytest.skip("mounting isn't permitted here")
    try:
        yield where
    finally:
        subprocess.run(["umount", os.fspath(where)], check=True)


def test_a_small_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        check_stopped(record(agent(tmp_path, "pass"), disk / "x.cassette"), "No space left on device", least=300)


def test_a_small_disk_that_gets_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        ballast = disk / "ballast"
        fill = f"""
    import posix  # past the seams: what it writes is no part of the recording
    file = posix.open({os.fspath(ballast)!r}, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            posix.write(file, bytes(4096))
    except OSError:
        pass
    posix.close(file)
"""
        program = agent(tmp_path, fill.strip(), f"import posix; posix.unlink({os.fspath(ballast)!r})")
        recorded = record(program, disk / "x.cassette")
        assert recorded.stdout == expected(), recorded.stderr
        assert b"the recording waits: No space left on device" in recorded.stderr
        assert replay.run(recorded.path).identical


@pytest.mark.parametrize("place", ["/dev/full", "/proc/x.cassette", "/dev/null/x.cassette"])
def test_places_that_take_nothing(place: str, tmp_path: Path) -> None:
    """From within, a wrong path is its author's mistake; where the program isn't asked, it just runs."""
    program = write(tmp_path / "p.py", "print('ran')\n")
    done = cli("record", "-o", place, "--", sys.executable, program)
    assert done.returncode == 125 or done.stdout == b"ran\n", shown(done)
    assert b"Traceback" not in done.stderr


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "import sys\nprint('begun', file=sys.stderr)\nsys.exit(7)\n")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "x.cassette", Path("/proc/x.cassette")):
        done = cli("record", "-o", place, "--", sys.executable, program)
        assert done.returncode == 7, shown(done)
        said, ran = done.stderr.decode().splitlines()
        assert ran == "begun"
        assert said.startswith(f"replay: {place}: ")
        assert said.endswith(": the program runs unrecorded [not-recorded]")
