"""What programs did with processes, files and connections, as `replay show` words it: recorded for real."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPLAY = Path(sys.executable).with_name("replay")

PROGRAM = """
import os, shutil, socket, subprocess, sys, time
from pathlib import Path

said = subprocess.run([sys.executable, "-S", "-c", "print(1)"], capture_output=True, text=True)
for _ in range(3):
    time.time()
Path("a.txt").write_text("hello")
print(os.path.exists("b.txt"), os.path.exists("b.txt"), os.path.exists("a.txt"), sorted(os.listdir(".")))
os.mkdir("d", 0o700)
here, there = socket.socketpair()
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()
client.sendall(b"what is up?")
print(peer.recv(100))
"""


def shown(tmp_path: Path, *more: str) -> list[str]:
    (tmp_path / "p.py").write_text(PROGRAM)
    record = [str(REPLAY), "record", "-o", "p.cassette", "--", sys.executable, "p.py"]
    subprocess.run(record, cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(
        [REPLAY, "show", *more, "p"], cwd=tmp_path, check=True, capture_output=True, text=True, env={"COLUMNS": "220"}
    )
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_the_path_says_what_went_in_and_out(tmp_path: Path) -> None:
    lines = shown(tmp_path)
    for wanted in (
        r"process \S*python\S* -S -c 'print\(1\)' → pid \d+",
        r"process python\S* communicate → exit 0, '1\\n'",
        r"process python\S* poll → exit 0, python\S* wait → exit 0",
        r"clock time.time ×3",
        r"file write a.txt \(5 B\)",
        r"file stat b.txt → missing ×2, stat a.txt → 5 B",
        r"file listdir . → \d+: .*p\.py.*",
        r"file mkdir d \(mode 700\)",
        r"connection 127.0.0.1:\d+ sendall 11 B: 'what is up\?'",
        r"connection \S+ recv .*→ 11 B: 'what is up\?'",
    ):
        assert any(re.search(f" {wanted}$", line) for line in lines), (wanted, lines)
    assert not any("raised" in line for line in lines)


def test_verbose_leaves_every_event_its_row(tmp_path: Path) -> None:
    lines = shown(tmp_path, "-v")
    assert sum("stat b.txt → missing" in line for line in lines) == 2
    assert not any("×" in line for line in lines)


def test_a_stop_that_was_asked_for_is_no_unfinished_recording(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("print(1)\nprint(2)\nprint(3)\n")
    subprocess.run(
        [REPLAY, "record", "-o", "p.cassette", "--", sys.executable, "p.py"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [REPLAY, "run", "p", "--until", "2"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "✓ identical so far: 2 events; stopped before event 2, as asked"
