"""Texts of a tool's inside are looked at for secrets, so many of them that the faster way is built meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.support.e2e import cli, record, shown, write

PROGRAM = """
import threading
import replay

notes = replay.memory({}, name="notes")

@replay.tool
def keep(number):
    notes[str(number)] = f"The parcel {number} is sealed. " * 3000

thread = threading.Thread(target=keep, args=(0,))
thread.start()
thread.join()
for number in range(1, 8):
    keep(number)
print("kept", len(notes))
"""


def test_many_texts_inside_of_tools(tmp_path: Path) -> None:
    """Building it imports a module, which nobody's lane is asked about: the recorder's lock is held there."""
    done = record(write(tmp_path / "keeper.py", PROGRAM), tmp_path / "kept.cassette", cwd=tmp_path)
    assert (done.exit_code, done.stdout) == (0, b"kept 8\n"), done.stderr.decode()
    replayed = cli("run", done.path)
    assert replayed.returncode == 0, shown(replayed)
