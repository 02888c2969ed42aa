"""`replay repair` on real files."""

from __future__ import annotations

from pathlib import Path

from replay_cli import exits
from tests.cli import cassettes
from tests.cli.test_reading import document, replay


def test_a_whole_one_is_copied(tmp_path: Path) -> None:
    path, out = cassettes.write(tmp_path / "x.cassette"), tmp_path / "copy.cassette"
    done = replay("repair", path, "-o", out, COLUMNS="300")
    assert (done.returncode, done.stdout) == (exits.SAME, f"{out}: 9 events\n")
    assert replay("verify", out).returncode == exits.SAME


def test_a_damaged_one_says_what_is_lost(tmp_path: Path) -> None:
    path, out = cassettes.write(tmp_path / "x.cassette", end="closed"), tmp_path / "copy.cassette"
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"notes.get")] ^= 1
    path.write_bytes(raw)
    assert replay("verify", path).returncode == exits.CANNOT_JUDGE
    done = document("repair", path, "-o", out, code=exits.DIFFERENT)
    assert (done["events"], done["lost"], done["ended"], len(done["holes"])) == (9, [5], True, 1)
    assert replay("verify", out).returncode == exits.SAME
    shown = replay("show", out).stdout
    assert "lost in the damaged part of the file" in " ".join(shown.split())
    assert replay("repair", path, "-o", out).returncode == exits.CANNOT_JUDGE
    assert path.read_bytes() == bytes(raw)
