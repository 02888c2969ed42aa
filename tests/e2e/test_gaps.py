"""What can't be stored, and where nothing can be written: the agent goes on, and the recording says what it lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import replay
from tests.support.e2e import cli, cli_json, record, shown, start, write

GAPS = """
import socket, sys, threading, replay


class Handle:
    def __init__(self): self.lock = threading.Lock()


@replay.tool
def gives(n):
    return Handle()


@replay.tool
def takes(handle, n):
    return n + 1


@replay.tool
def fine(n):
    return n * 2


print(fine(1))
print(CALL)
print(CALL)
print(fine(2))
"""


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("type(gives(1)).__name__", "gives"),
        ("takes(Handle(), 4)", "takes"),
        ("takes(n=1, handle=[{'a': Handle()}])", "takes"),
    ],
    ids=["result", "argument", "nested"],
)
def test_what_cannot_be_stored_is_a_gap(call: str, name: str, tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", GAPS.replace("CALL", call))
    plain = start(program)
    recorded = record(program, tmp_path / "x.cassette")
    assert (recorded.exit_code, recorded.stdout) == (0, plain.stdout)
    text = recorded.stderr.decode()
    assert text.count("replay: not recorded") == 1, text
    assert "Handle" in text
    assert "replay.codec(" in text
    assert "replay: 2 gaps: " in text
    document = cli_json("show", recorded.path)
    assert [gap["name"] for gap in document["gaps"]] == [name] * 2
    assert "gap" in cli("show", recorded.path).stdout.decode()
    done = cli("run", "--no-run-tools", recorded.path)
    assert done.returncode == 125, shown(done)
    assert done.stdout.startswith(b"2\n")
    assert "Handle" in done.stdout.decode()
    assert b"lost sys.stderr" not in done.stderr  # what the interpreter says of an exception at its end
    run = replay.run(recorded.path, run_tools=False)
    assert run.gap is not None
    assert (run.identical, run.divergence) == (False, None)


def test_a_result_that_cannot_be_stored_is_made_again(tmp_path: Path) -> None:
    """By the body of the tool, run once more; of arguments that were not recorded nothing can be said."""
    recorded = record(
        write(tmp_path / "p.py", GAPS.replace("CALL", "type(gives(1)).__name__")), tmp_path / "x.cassette"
    )
    run = replay.run(recorded.path)
    assert (run.identical, run.tools) == (True, "run")
    assert run.by_answers is not None
    assert "was not stored" in run.by_answers.reason
    recorded = record(write(tmp_path / "q.py", GAPS.replace("CALL", "takes(Handle(), 4)")), tmp_path / "y.cassette")
    assert replay.run(recorded.path).gap is not None


def test_a_codec_closes_the_gap(tmp_path: Path) -> None:
    source = GAPS.replace("CALL", "takes(gives(1), 4)").replace(
        "print(fine(1))", "replay.codec(Handle, encode=lambda handle: 1, decode=lambda value: Handle())\nprint(fine(1))"
    )
    recorded = record(write(tmp_path / "p.py", source), tmp_path / "x.cassette")
    assert b" gap" not in recorded.stderr
    run = replay.run(recorded.path)
    assert run.identical, (run, run.stderr)


BUSY = """
import random, replay, sys
@replay.tool
def work(n): return "x" * 2000 + str(n)
def main():
    for n in range(400):
        work(n)
    print("done", n)
"""
LIMIT = """import resource, sys
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""


@pytest.mark.parametrize("how", ["program", "block"])
def test_a_full_disk_does_not_harm(how: str, tmp_path: Path) -> None:
    """A limit on the size of files gives the same error at the same call."""
    ignore = "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    path = tmp_path / "x.cassette"
    if how == "program":
        recorded = record(write(tmp_path / "p.py", ignore + LIMIT + BUSY + "main()\n"), path)
        code, out, err = recorded.exit_code, recorded.stdout, recorded.stderr
    else:
        source = ignore + LIMIT + BUSY + "with replay.record(sys.argv[1]):\n    main()\n"
        done = start(write(tmp_path / "p.py", source), path)
        code, out, err = done.returncode, done.stdout, done.stderr
    assert (code, out) == (0, b"done 399\n"), err.decode()
    assert err.count(b"The program goes on") == 1, err.decode()
    assert b"Traceback" not in err
    with replay.load(path) as cassette:  # what was written is there
        assert len(cassette.events) > 10


def test_a_device_that_is_full(tmp_path: Path) -> None:
    done = start(write(tmp_path / "p.py", BUSY + "with replay.record('/dev/full'):\n    main()\n"))
    assert b"done 399" in done.stdout, shown(done)
    assert b"nothing is recorded" in done.stderr
    done = cli("record", "-o", "/dev/full", "--", sys.executable, tmp_path / "p.py")
    assert done.returncode == 125
    assert b"[cassette-exists]" in done.stderr


@pytest.mark.parametrize("how", ["program", "entrypoint"])
def test_an_unwritable_place_does_not_harm(how: str, tmp_path: Path) -> None:
    """`/proc` takes no files, from nobody."""
    if how == "program":
        program = write(tmp_path / "p.py", BUSY + "main()\n")
        done = cli("record", "-o", "/proc/x.cassette", "--", sys.executable, program)
    else:
        program = write(tmp_path / "p.py", BUSY + "replay.entrypoint(main)()\n")
        done = start(program, REPLAY_DIR="/proc/nowhere")
    assert b"done 399\n" in done.stdout, shown(done)
    assert b"the program runs unrecorded" in done.stderr or b"nothing is recorded" in done.stderr, shown(done)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("where", ["nowhere/x.cassette", "file/x.cassette", "."])
def test_a_path_that_cannot_be_harms_no_block(where: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with replay.record(tmp_path / where) as session:
        assert session.path is None
    assert "nothing is recorded" in capfd.readouterr().err
