"""`replay record -- CMD` is the program as ever: exit code, input, output, arguments, place; however it is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import replay
from tests.support.e2e import REPLAY, cli, error_line, record, shown, write

ENDS = {
    "nothing": ("", 0),
    "exit 3": ("sys.exit(3)", 3),
    "exit text": ("sys.exit('because')", 1),
    "exit 255": ("sys.exit(-1)", 255),
    "exception": ("raise ValueError('no')", 1),
    "interrupt": ("raise KeyboardInterrupt", 128 + signal.SIGINT),
    "hard": ("os._exit(7)", 7),
    "terminated": ("os.kill(os.getpid(), 15)", 128 + 15),
    "killed": ("os.kill(os.getpid(), 9)", 128 + 9),
    "syntax": ("def", 1),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_exit_code_is_the_programs(end: str, tmp_path: Path) -> None:
    code, expected = ENDS[end]
    program = write(tmp_path / "p.py", f"import os, sys\nprint('here', flush=True)\n{code}\n")
    plain = subprocess.run([sys.executable, str(program)], capture_output=True, check=False)
    recorded = record(program, tmp_path / "x.cassette")
    assert recorded.exit_code == expected
    assert recorded.exit_code == (128 - plain.returncode if plain.returncode < 0 else plain.returncode)
    assert recorded.stdout == plain.stdout
    assert recorded.stderr.startswith(plain.stderr)  # then ours
    if end not in ("terminated", "killed", "interrupt"):
        run = replay.run(recorded.path)
        assert run.identical, run
        assert run.exit_code == expected


def test_input_goes_through_and_is_recorded(tmp_path: Path) -> None:
    source = "import sys\nprint('name?', input())\nprint([line for line in sys.stdin], sys.stdin.read())\n"
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette", stdin="Zoë\none\ntwo".encode())
    assert recorded.stdout.decode() == "name? Zoë\n['one\\n', 'two'] \n"
    for stdin in (b"", b"someone else\n"):
        done = cli("run", recorded.path, stdin=stdin)
        assert done.returncode == 0, shown(done)
        assert done.stdout.startswith(recorded.stdout)


def test_binary_input(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40
    source = "import sys, hashlib\nprint(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())\n"
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette", stdin=data)
    assert recorded.exit_code == 0
    run = replay.run(recorded.path)
    assert (run.identical, run.stdout) == (True, recorded.stdout)


def test_arguments(tmp_path: Path) -> None:
    words = ["two words", "", "--help", "-o", "*", "$HOME", "'\"", "ünï", "a\nb", "--"]
    program = write(tmp_path / "with space" / "näme.py", "import sys\nprint(sys.argv, __file__)\n")
    recorded = record(program, tmp_path / "x y.cassette", arguments=words)
    plain = subprocess.run([sys.executable, str(program), *words], capture_output=True, check=False)
    assert recorded.stdout == plain.stdout
    run = replay.run(recorded.path)
    assert (run.identical, run.stdout) == (True, plain.stdout)


def forms(directory: Path) -> dict[str, list[str]]:
    """Ways to start the same program, with its directory as the working directory."""
    write(directory / "pack" / "__init__.py", "")
    write(
        directory / "pack" / "__main__.py", "import time, pack.inner, sys\nprint(time.time(), __name__, sys.argv[1:])\n"
    )
    write(directory / "pack" / "inner.py", "")
    write(directory / "mod.py", "import time\nprint(time.time(), __name__, __file__)\n")
    script = write(directory / "tool", f"#!{sys.executable}\nimport time, sys\nprint(time.time(), sys.argv)\n")
    script.chmod(0o755)
    env = write(directory / "env-tool", "#!/usr/bin/env python\nimport time, sys\nprint(time.time(), sys.argv)\n")
    env.chmod(0o755)
    shell = write(directory / "tool.sh", f'#!/bin/sh\nexec "{sys.executable}" mod.py\n')
    shell.chmod(0o755)
    return {
        "python": ["python", "mod.py"],
        "python3": ["python3", "mod.py"],
        "whole path": [sys.executable, str(directory / "mod.py")],
        "module": [sys.executable, "-m", "mod"],
        "package": [sys.executable, "-m", "pack", "-m", "x"],
        "directory": [sys.executable, "pack"],
        "code": [sys.executable, "-c", "import time, sys; print(time.time(), sys.argv)", "a"],
        "options": [sys.executable, "-X", "utf8", "-W", "ignore", "-u", "-O", "mod.py"],
        "script": ["./tool", "a b"],
        "env script": ["./env-tool"],
        "shell": ["./tool.sh"],
        "console script": ["httpx", "--help"],
    }


FORMS = "python,python3,whole path,module,package,directory,code,options,script,env script,shell,console script".split(
    ","
)


@pytest.mark.parametrize("form", FORMS)
def test_however_it_is_started(form: str, tmp_path: Path) -> None:
    command = forms(tmp_path)[form]
    if form == "directory":
        write(tmp_path / "pack" / "__main__.py", "import time\nprint(time.time(), __name__)\n")
    if form == "console script":  # there is one in every environment
        command = ["pip", "--version"]
    bin_ = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    path = tmp_path / "x.cassette"
    done = cli("record", "-o", path, "--", *command, cwd=tmp_path, env=env)
    assert done.returncode == 0, shown(done)
    with replay.load(path) as cassette:
        assert cassette.status == "sealed"
        assert cassette.header["command"] == command
    again = cli("run", path, cwd="/")
    assert again.returncode == 0, shown(again)
    assert again.stdout.startswith(done.stdout)


def test_the_working_directory(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "import os, sys\nprint(os.getcwd(), sys.path[0])\n")
    (tmp_path / "sub").mkdir()
    recorded = record(program, tmp_path / "x.cassette", cwd=tmp_path / "sub")
    assert recorded.stdout.decode() == f"{tmp_path / 'sub'} {tmp_path}\n"
    done = cli("run", recorded.path, cwd="/")
    assert (done.returncode, done.stdout.startswith(recorded.stdout)) == (0, True), shown(done)


def test_the_default_place(tmp_path: Path) -> None:
    write(tmp_path / "p.py", "print(1)\n")
    env = {key: value for key, value in os.environ.items() if key != "REPLAY_DIR"}
    assert cli("record", "--name", "n", "--tag", "a=b=c", "--", "python", "p.py", cwd=tmp_path, env=env).returncode == 0
    [path] = (tmp_path / ".replay").glob("*.cassette")
    assert path.stat().st_mode & 0o777 == 0o600
    with replay.load(path) as cassette:
        assert (cassette.header["name"], cassette.header["tags"]) == ("n", {"a": "b=c"})
    assert cli("run", "latest", cwd=tmp_path, env=env).returncode == 0
    assert cli("run", path.name[:20], cwd=tmp_path, env=env).returncode == 0


@pytest.mark.parametrize("flag", ["-I", "-S", "-E"])
def test_an_isolated_python_is_not_recorded(flag: str, tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "print('ran')\n")
    done = cli("record", "-o", tmp_path / "x.cassette", "--", sys.executable, flag, program)
    assert done.stdout == b"ran\n"
    assert "nothing was recorded" in error_line(done, "not-recorded")
    assert not (tmp_path / "x.cassette").exists()


def test_an_isolated_python_that_fails(tmp_path: Path) -> None:
    """Its own exit code stands; that nothing was recorded has to be said all the same."""
    program = write(tmp_path / "p.py", "import sys\nsys.exit(3)\n")
    done = cli("record", "-o", tmp_path / "x.cassette", "--", sys.executable, "-I", program)
    assert done.returncode == 3
    assert b"nothing was recorded" in done.stderr, shown(done)
    assert b"[not-recorded]" in done.stderr


def test_a_python_without_the_package(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    program = write(tmp_path / "p.py", "print('ran')\n")
    python = tmp_path / "bare" / "bin" / "python"
    done = cli("record", "-o", tmp_path / "x.cassette", "--", python, program)
    assert (done.returncode, done.stdout) == (125, b"ran\n"), shown(done)
    assert b"can't import agent-replay" in done.stderr
    assert done.stderr.endswith(b"[not-recorded]\n")
    assert b"Traceback" not in done.stderr


def test_no_python_at_all(tmp_path: Path) -> None:
    done = cli("record", "-o", tmp_path / "x.cassette", "--", "/bin/echo", "hello")
    assert done.stdout == b"hello\n"
    error_line(done, "not-recorded")


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    done = cli("record", "-o", tmp_path / "x.cassette", "--", "no-such-command-here")
    assert "no-such-command-here" in error_line(done, "not-replayable")
    assert not (tmp_path / "x.cassette").exists()


USAGE = [
    ["record"],
    ["record", "--"],
    ["record", "-o"],
    ["record", "--nonsense", "--", "python"],
    ["record", "--tag", "x", "--", "python"],
    ["run"],
    ["run", "--times", "0", "x"],
    ["run", "--match", "loose", "x"],
    ["run", "--until", "-1", "x"],
    ["show"],
    ["show", "x", "first"],
    ["show", "x", "-1"],
    ["verify"],
    ["verify", "a", "b"],
    ["nonsense"],
    ["-v", "-q", "ls"],
]


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_wrong_usage(words: list[str], tmp_path: Path) -> None:
    done = cli(*words, cwd=tmp_path)
    assert done.returncode == 129, shown(done)
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_show_of_no_such_event(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", "print(1)\n"), tmp_path / "x.cassette")
    done = cli("show", recorded.path, "999")
    assert (done.returncode, done.stderr.count(b"\n")) == (129, 1)


def test_interrupted_by_the_terminal(tmp_path: Path) -> None:
    """Ctrl-C goes to the whole group; the program decides, and its recording is whole."""
    source = """
import signal
try:
    print("ready", flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("tidied up", flush=True)
    raise SystemExit(5)
"""
    program, path = write(tmp_path / "p.py", source), tmp_path / "x.cassette"
    command = [REPLAY, "record", "-o", str(path), "--", sys.executable, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (5, b"tidied up\n"), err
    with replay.load(path) as cassette:
        assert cassette.status == "sealed"


STOPPED = """
import signal, sys
numbers = {signal.SIGTERM, signal.SIGUSR1, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
got = []
while signal.SIGUSR1 in got[-1:] or not got:
    got.append(signal.sigwait(numbers))
    print("got", *map(int, got), flush=True)
sys.exit(5)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_to_the_recorder_alone_are_passed_on(number: signal.Signals, tmp_path: Path) -> None:
    """As a supervisor sends them; the program is waited for, and its recording is whole."""
    program, path = write(tmp_path / "p.py", STOPPED), tmp_path / "x.cassette"
    command = [REPLAY, "record", "-o", str(path), "--", sys.executable, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == b"got %d\n" % signal.SIGUSR1
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (5, b"got %d %d\n" % (signal.SIGUSR1, number)), err
    with replay.load(path) as cassette:
        assert cassette.status == "sealed"


def test_a_signal_to_the_whole_group_comes_once(tmp_path: Path) -> None:
    program, path = write(tmp_path / "p.py", STOPPED), tmp_path / "x.cassette"
    command = [REPLAY, "record", "-o", str(path), "--", sys.executable, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for times in (1, 2):
            os.killpg(process.pid, signal.SIGUSR1)
            assert process.stdout.readline() == b"got" + b" %d" % signal.SIGUSR1 * times + b"\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (5, b"got %d %d %d\n" % (signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM))


def test_output_is_not_held_back(tmp_path: Path) -> None:
    """What the program flushes is seen at once, although it is recorded."""
    source = "print('one', flush=True)\ninput()\nprint('two')\n"
    program, path = write(tmp_path / "p.py", source), tmp_path / "x.cassette"
    command = [REPLAY, "record", "-o", str(path), "--", sys.executable, str(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"one\n"
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.stdout.read() == b"two\n"
    assert process.returncode == 0
    assert replay.run(path).identical


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    recorded = record(write(tmp_path / "p.py", "for n in range(3000):\n    print(n)\n"), tmp_path / "x.cassette")
    with subprocess.Popen(
        [REPLAY, "show", str(recorded.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
