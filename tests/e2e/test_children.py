"""Every Python below `replay record` has a cassette of its own, linked with its parent's; each replays by itself."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import replay
from replay.cassette.cassette import Cassette
from replay.cassette.directory import children
from tests.support.e2e import REPLAY, cli, cli_json, record, shown, write

PYTHON = shlex.quote(sys.executable)


def kids(path: Path) -> list[Cassette]:
    """The recordings of a recorded process's children, by number."""
    found = [replay.load(child) for child in children(path)]
    for each in found:
        assert each.header["parent"]["cassette"] == replay.load(path).id
    return found


def how(cassette: Cassette) -> Any:
    return cassette.header["parent"]["how"]


def replayed(path: os.PathLike[str] | str) -> str:
    """What a replay prints, which has to be identical."""
    run = replay.run(path)
    assert run.identical, run
    return run.stdout.decode()


FORKS = """
import os, random, sys, time
print("before", time.time())
def work(number):
    print("child", number, time.time(), random.random(), os.getpid())
    if number:
        pid = os.fork()
        if pid == 0:
            print("grandchild", time.time())
            sys.exit(4)
        print("it ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pids = []
for number in range(2):
    pid = os.fork()
    if pid == 0:
        work(number)
        sys.stdout.flush()
        os._exit(number)
    pids.append(pid)
for pid in pids:
    print(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
try:
    os.wait()
except ChildProcessError as error:
    print(error)
"""


def test_forked_children(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", FORKS), tmp_path / "x.cassette")
    assert recorded.exit_code == 0, recorded.stderr.decode()
    assert b"blind spot" not in recorded.stderr
    one, two = sorted(kids(recorded.path), key=lambda each: each.outcome["exit_code"] if each.outcome else 0)
    [grand] = kids(two.path)
    said = recorded.stdout.decode().splitlines()
    for cassette, begins, code in ((one, "child 0", 0), (two, "child 1", 1), (grand, "grandchild", 4)):
        assert (how(cassette), cassette.status) == ("fork", "sealed")
        again = replay.run(cassette.path)
        assert (again.identical, again.exit_code) == (True, code), again
        lines = again.stdout.decode().splitlines()
        assert lines[0].startswith(begins)
        assert set(lines) <= set(said)  # and nothing of what its parent had printed before
    own = [line for line in said if not line.startswith(("child", "grandchild", "it ended"))]
    assert replayed(recorded.path).splitlines() == own


def test_a_forked_child_is_linked_with_its_event(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", FORKS), tmp_path / "x.cassette")
    document = cli_json("show", recorded.path)
    links = [event["links"]["child"] for event in document["events"] if event["name"] == "os.fork"]
    assert sorted(links) == [["x.d/1.cassette"], ["x.d/2.cassette"]]  # who of two that overlap is first, is chance
    assert [child["how"] for child in document["children"]] == ["fork", "fork"]
    listed = cli_json("ls", tmp_path)["cassettes"]
    assert [row["path"] for row in listed] == [str(recorded.path)]
    assert sorted(len(row.get("children", ())) for row in listed[0]["children"]) == [0, 1]
    table = cli("ls", tmp_path).stdout.decode()
    assert "x.d/1.d/1" in table or "x.d/2.d/1" in table


def test_a_child_whose_parent_is_not_there(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", FORKS), tmp_path / "x.cassette")
    recorded.path.rename(tmp_path / "y.cassette")
    done = cli("run", tmp_path / "x.d" / "1.cassette")
    assert done.returncode == 125, shown(done)
    assert b"its parent's recording isn't beside it" in done.stderr
    assert done.stderr.endswith(b"[not-replayable]\n")


def test_a_changed_parent_diverges_on_the_way(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", FORKS), tmp_path / "x.cassette")
    recorded.program.write_text(FORKS.replace('"before"', '"earlier"'))
    run = replay.run(tmp_path / "x.d" / "1.cassette")
    assert run.divergence is not None
    assert run.divergence.reason.startswith("in its parent, on the way to this child")


def test_a_killed_child_leaves_what_it_wrote(tmp_path: Path) -> None:
    source = """
import os, signal
pid = os.fork()
if pid == 0:
    print("still here", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
print(os.waitpid(pid, 0)[1])
"""
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert recorded.stdout == b"still here\n9\n"
    [child] = kids(recorded.path)
    assert child.status == "open"
    assert [event.request for event in child.events if event.kind == "output"] == ["still here\n"]
    assert replayed(recorded.path) == "9\n"


CHILD = "import os, sys, time; print(sys.argv[1:], time.time(), sorted(k for k in os.environ if 'REPLAY' in k))"
SHELL = f"""
{PYTHON} -c "{CHILD}" one
{PYTHON} -c "{CHILD}" two | {PYTHON} -c "import sys, time; print(time.time(), sys.stdin.read())"
{PYTHON} -c "{CHILD}" three & {PYTHON} -c "{CHILD}" four & wait
exit 5
"""


def test_a_shell_script(tmp_path: Path) -> None:
    """The first Python has the cassette that was asked for, the others lie beside it; each replays by itself."""
    script = write(tmp_path / "all.sh", SHELL)
    env = {key: value for key, value in os.environ.items() if "REPLAY" not in key}
    done = cli("record", "-o", tmp_path / "x.cassette", "--", "sh", script, cwd=tmp_path, env=env)
    assert done.returncode == 5, shown(done)
    others = kids(tmp_path / "x.cassette")
    assert [how(each) for each in others] == ["beside"] * 4
    said = done.stdout.decode()
    whole = [replayed(path) for path in (tmp_path / "x.cassette", *(each.path for each in others))]
    assert whole[0].startswith("['one']")
    for text in whole:
        assert text in said or text.startswith("['two']"), text  # the second one's output went to the third
    assert all("REPLAY" not in text for text in whole)


def test_children_of_subprocess_calls(tmp_path: Path) -> None:
    source = f"""
import os, subprocess, sys
code = {CHILD!r}
os.environ.update(PYTHONPATH="/nowhere", CODE=code)
subprocess.run([sys.executable, "-c", code, "one"], check=True)
subprocess.run([sys.executable, "-c", code, "two"], check=True, env={{}})
os.system(f'"{{sys.executable}}" -c "$CODE" three')
os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", code, "four"], os.environ), 0)
os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code, "five"])
print(sorted(k for k in os.environ if "REPLAY" in k), os.environ["PYTHONPATH"])
"""
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette", env=_plain())
    assert recorded.exit_code == 0, recorded.stderr.decode()
    assert recorded.stdout.decode().splitlines()[-1] == "[] /nowhere"
    assert "REPLAY" not in recorded.stdout.decode()
    found = kids(recorded.path)
    words = [each.header["argv"][-1] for each in found]
    assert words == ["one", "two", "three", "four", "five"]
    for each in found:
        assert replayed(each.path) in recorded.stdout.decode()


def test_an_isolated_child_is_named(tmp_path: Path) -> None:
    source = 'import subprocess, sys\nsubprocess.run([sys.executable, "-I", "-c", "print(1)"], check=True)\n'
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert b"-I: a Python that ignores its environment isn't recorded" in recorded.stderr
    assert kids(recorded.path) == []


def test_a_program_that_replaces_itself(tmp_path: Path) -> None:
    """The successor has the cassette that was asked for; what came before lies beside."""
    source = """
import os, sys, time
print("at", time.time(), flush=True)
if len(sys.argv) == 1:
    os.execv(sys.executable, [sys.executable, __file__, "again"])
sys.exit(6)
"""
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert recorded.exit_code == 6, recorded.stderr.decode()
    first, second = recorded.stdout.decode().splitlines(keepends=True)
    assert replayed(recorded.path) == second
    assert replay.run(recorded.path).exit_code == 6
    assert replayed(tmp_path / "x.d" / "1.cassette") == first


def test_a_program_that_becomes_something_else(tmp_path: Path) -> None:
    source = 'import os, time\nprint("at", time.time(), flush=True)\nos.execlp("echo", "echo", "done")\n'
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout.splitlines()[1]) == (0, b"done")
    assert replayed(recorded.path) == recorded.stdout.decode().splitlines(keepends=True)[0]


def test_a_recorded_program_that_records(tmp_path: Path) -> None:
    """The inner recording is its own; the command line itself isn't recorded."""
    inner = write(tmp_path / "inner.py", "import time\nprint(time.time())\n")
    source = f"""
import subprocess
subprocess.run([{REPLAY!r}, "record", "-o", {str(tmp_path / "inner.cassette")!r}, "--", "python", {str(inner)!r}])
"""
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette", env=_plain())
    assert recorded.exit_code == 0, recorded.stderr.decode()
    assert kids(recorded.path) == []
    assert replayed(tmp_path / "inner.cassette") in recorded.stdout.decode()


def _plain() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if "REPLAY" not in key and key != "PYTHONPATH"}
