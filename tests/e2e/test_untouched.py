"""A replay touches nothing: no connection, no process, no file; what tries to get past the seams is refused and told.

Without `strace`: a listening socket at the recorded address counts who knocks, and every file of the places a program
could change is looked at before and after.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import sys
import venv
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

import replay
from replay.cassette.codec import pack, unpack
from tests.cassette import forging
from tests.support.e2e import PROGRAMS, Recorded, cli, cli_json, record, shown, snapshot, write

Agents = Callable[[str], Recorded]


@contextlib.contextmanager
def listening(port: int) -> Generator[socket.socket]:
    with socket.create_server(("127.0.0.1", port), backlog=8) as server:
        yield server


def knocked(server: socket.socket) -> bool:
    """Whether a connection waits to be accepted, completed or not."""
    return bool(select.select([server], [], [], 0)[0])


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def connections_to(port: int) -> set[str]:
    """Local addresses of the TCP connections to a loopback port, in whatever state, as the kernel lists them."""
    lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return {here for _, here, there, *_ in lines if there == f"0100007F:{port:04X}"}


def test_the_proof_would_notice() -> None:
    with listening(0) as server, socket.create_connection(server.getsockname()):
        assert knocked(server)
        assert len(connections_to(server.getsockname()[1])) == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_connection_and_no_file(name: str, recorded_agent: Agents, tmp_path: Path) -> None:
    recorded = recorded_agent(name)
    home, scratch, cwd = (tmp_path / part for part in ("home", "tmp", "cwd"))
    for path in (home, scratch, cwd):
        path.mkdir()
        (path / "here.txt").write_text("already")
    port = port_of(recorded.url)
    watched = (home, scratch, cwd, recorded.program.parent)
    with listening(port) as server:
        before, were = snapshot(*watched), connections_to(port)
        env = {**os.environ, "HOME": str(home), "TMPDIR": str(scratch)}
        done = cli("run", recorded.path, env=env, cwd=cwd)
        assert not knocked(server)
        assert connections_to(port) <= were  # the recording's own are still fading
    after = snapshot(*watched)
    assert done.returncode == 0, shown(done)
    assert b"identical" in done.stdout
    # The scratch directory has come and gone: only the time of the directory it was in tells.
    tmp = os.path.realpath(scratch)
    assert os.listdir(scratch) == ["here.txt"]
    assert {**after, tmp: before[tmp]} == before


GETS_OUT = """
import _socket, os, posix, pathlib, shutil, socket, sqlite3, subprocess, sys, tempfile, threading
PORT = int(sys.argv[1])
if False:
    try:
        ESCAPE
    except BaseException:
        pass
print("done")
"""
# What goes past the seams; `test_hostile.py` has many more.
ESCAPES = {
    "connect": ("_socket.socket().connect(('127.0.0.1', PORT))", "connection", "socket.connect"),
    "unix": ("_socket.socket(socket.AF_UNIX).bind('made')", "file change", "socket.bind"),
    "look-up": ("_socket.getaddrinfo('localhost', 80)", "name look-up", "socket.getaddrinfo"),
    "remove": ("posix.remove('kept.txt')", "file change", "os.remove"),
    "thread": (
        "t = threading.Thread(target=lambda: posix.mkdir('made')); t.start(); t.join()",
        "file change",
        "os.mkdir",
    ),
    "kill": ("posix.kill(1, 0)", "signal", "os.kill"),
}


@pytest.mark.parametrize("how", ESCAPES)
def test_an_escape_is_refused_and_told(how: str, tmp_path: Path) -> None:
    """The recorded program didn't do it: nothing but the sandbox could notice."""
    code, what, detail = ESCAPES[how]
    source = GETS_OUT.replace("ESCAPE", code)
    (tmp_path / "kept.txt").write_text("kept")
    program = write(tmp_path / "program.py", source)
    with listening(0) as server:
        port = server.getsockname()[1]
        recorded = record(program, tmp_path / "x.cassette", arguments=[str(port)], cwd=tmp_path)
        assert recorded.stdout == b"done\n"
        write(program, source.replace("if False", "if True"))
        before = snapshot(tmp_path)
        found = cli_json("run", recorded.path, code=1)
        assert not knocked(server)
    assert snapshot(tmp_path) == before
    assert not found["identical"]
    [escape] = found["escapes"]
    assert escape["what"] == what
    assert escape["detail"].startswith(detail)
    assert escape["site"] == f"{program}:{source.splitlines().index('        ' + code) + 1}"
    done = cli("run", recorded.path)
    assert done.returncode == 1, shown(done)
    assert f"✗ escape refused: {what} at {program}:" in done.stdout.decode()
    assert "identical" not in done.stdout.decode()


PAST_A_SEAM = {
    "subprocess": "subprocess.run(['touch', 'made'])",
    "system": "os.system('touch made')",
    "spawn": "os.waitpid(os.posix_spawn('/bin/touch', ['touch', 'made'], {}), 0)",
    "popen": "os.popen('touch made').close()",
    "connect": "socket.socket().connect(('127.0.0.1', PORT))",
    "connect_ex": "s = socket.socket(); s.connect_ex(('127.0.0.1', PORT)); s.close()",
    "datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "unix": "socket.socket(socket.AF_UNIX).bind('made')",
    "look-up": "socket.getaddrinfo('localhost', 80)",
    "write": "open('made', 'w').close()",
    "remove by fd": "os.remove('kept.txt', dir_fd=os.open('.', os.O_RDONLY))",
    "fork": "os.waitpid(os.fork() or os._exit(0), 0)",
    "sqlite": "sqlite3.connect('made').execute('create table t (a)')",
    "rename": "os.rename('kept.txt', 'made')",
    "truncate": "os.truncate('kept.txt', 0)",
    "kill": "os.kill(1, 0)",
}


@pytest.mark.parametrize("how", PAST_A_SEAM)
def test_what_a_seam_would_have_recorded_is_a_divergence(how: str, tmp_path: Path) -> None:
    """The recorded program didn't do it: it ends there, and nothing happens."""
    (tmp_path / "kept.txt").write_text("kept")
    source = GETS_OUT.replace("ESCAPE", PAST_A_SEAM[how])
    program = write(tmp_path / "program.py", source)
    recorded = record(program, tmp_path / "x.cassette", arguments=["0"], cwd=tmp_path)
    write(program, source.replace("if False", "if True"))
    before = snapshot(tmp_path)
    found = cli_json("run", recorded.path, code=1)
    assert snapshot(tmp_path) == before
    assert found["divergence"]["got"]["what"].startswith(("process", "connection", "file", "signal"))
    assert found["escapes"] == []


def test_an_escape_in_the_recording_too(tmp_path: Path) -> None:
    """What got past the seams when it was recorded (a blind spot) is refused at replay."""
    source = "import os\npid, _ = os.forkpty()\nif not pid:\n    os._exit(0)\nos.waitpid(pid, 0)\nprint('done')\n"
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert b"process: os.forkpty" in recorded.stderr
    found = cli_json("run", recorded.path, code=1)
    assert [escape["what"] for escape in found["escapes"]] == ["process"]


def test_an_escape_that_ends_the_program(tmp_path: Path) -> None:
    source = "import posix\nif False:\n    posix.mkdir('made')\n"
    program = write(tmp_path / "p.py", source)
    recorded = record(program, tmp_path / "x.cassette", cwd=tmp_path)
    write(program, source.replace("False", "True"))
    run = replay.run(recorded.path)
    assert [escape.what for escape in run.escapes] == ["file change"]
    assert not run.identical
    assert not (tmp_path / "made").exists()


def test_temporary_files_are_allowed_and_go(tmp_path: Path) -> None:
    source = """
import os, pathlib, tempfile
with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder) / "note.txt"
    place.write_text("a")
    print(place.read_text(), len(os.listdir(folder)))
"""
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette", cwd=tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = cli("run", recorded.path, env={**os.environ, "TMPDIR": str(scratch)})
    assert done.returncode == 0, shown(done)
    assert os.listdir(scratch) == []


def test_children_are_refused_too(tmp_path: Path) -> None:
    """multiprocessing forks; the child would have no door."""
    source = """
import multiprocessing
if False:
    try:
        child = multiprocessing.get_context("fork").Process(target=print, args=("child",))
        child.start()
        child.join()
    except BaseException:
        pass
"""
    program = write(tmp_path / "p.py", source)
    recorded = record(program, tmp_path / "x.cassette", cwd=tmp_path)
    write(program, source.replace("False", "True"))
    run = replay.run(recorded.path)
    assert not run.identical
    assert run.escapes or run.divergence
    assert b"child" not in run.stdout


TOUCHES = "import os\nif os.path.exists('replaying'):\n    open('made', 'w').close()\n"


@pytest.mark.parametrize(
    "python",
    [[sys.executable, "-I"], [sys.executable, "-S"], ["BARE"], ["/bin/sh", "-c", "touch made"]],
    ids=["isolated", "no site", "without the package", "no Python"],
)
def test_what_cannot_be_replayed_is_not_run_for_real(python: list[str], tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", TOUCHES)
    recorded = record(program, tmp_path / "x.cassette", cwd=tmp_path)
    if python == ["BARE"]:
        venv.create(tmp_path / "bare", with_pip=False)
        python = [str(tmp_path / "bare" / "bin" / "python")]
    (tmp_path / "replaying").touch()
    done = cli("run", recorded.path, "--", *python, program)
    assert not (tmp_path / "made").exists()
    assert done.returncode == 125, shown(done)
    assert b"[not-replayable]" in done.stderr


@pytest.mark.parametrize("command", [["run"], ["fork", "--at", "0", "--then", "recorded", "-o", "new.cassette"]])
def test_a_replay_that_cannot_begin_does_not_run_the_program(command: list[str], tmp_path: Path) -> None:
    """Python goes on where an exception comes out of `sitecustomize`, and it would be the program itself, unwatched."""
    recorded = record(write(tmp_path / "p.py", TOUCHES), tmp_path / "x.cassette", cwd=tmp_path)
    frames, signatures = forging.taken(Path(recorded.path))
    header = unpack(frames[0][2])
    del header["random_seed"]
    forging.put(tmp_path / "y.cassette", [(*frames[0][:2], pack(header)), *frames[1:]], signatures)
    (tmp_path / "replaying").touch()
    verb, *options = command
    done = cli(verb, tmp_path / "y.cassette", *options, cwd=tmp_path)
    assert not (tmp_path / "made").exists()
    assert done.returncode == 125, shown(done)
    assert b"random_seed" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_diverging_replay_leaves_nothing_behind(recorded_agent: Agents, tmp_path: Path) -> None:
    recorded = recorded_agent("requests_agent")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    other = write(tmp_path / "other.py", recorded.program.read_text().replace("Refund order", "Cancel order"))
    watched = (tmp_path, recorded.program.parent)
    with listening(port_of(recorded.url)) as server:
        before = snapshot(*watched)
        env = {**os.environ, "TMPDIR": str(scratch)}
        done = cli("run", "-q", recorded.path, "--", sys.executable, other, env=env)
        assert not knocked(server)
    assert done.returncode == 1, shown(done)
    assert os.listdir(scratch) == []
    after = snapshot(*watched)
    assert {**after, str(scratch): before[str(scratch)]} == before


def test_killed_replays_are_told_apart(tmp_path: Path) -> None:
    """A replay that is ended from outside has no verdict, and says so."""
    source = "import _signal\nif False:\n    _signal.raise_signal(9)\n"
    program = write(tmp_path / "p.py", source)
    recorded = record(program, tmp_path / "x.cassette", cwd=tmp_path)
    write(program, source.replace("False", "True"))
    done = cli("run", recorded.path)
    assert done.returncode == 125, shown(done)
    assert re.fullmatch(r"replay: .* ended by signal 9 before .*\[not-replayable\]\n", done.stderr.decode())


def test_reading_commands_touch_nothing(recorded_agent: Agents, tmp_path: Path) -> None:
    recorded = recorded_agent("functions")
    before = snapshot(recorded.path.parent, tmp_path)
    for words in (["show"], ["show", "--json"], ["verify"], ["ls"]):
        done = cli(*words, recorded.path, cwd=tmp_path)
        assert done.returncode == 0, shown(done)
    assert snapshot(recorded.path.parent, tmp_path) == before
