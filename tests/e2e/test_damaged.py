"""Files that are no whole cassette: one clear line, exit code 125, and not a byte of them changes."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import replay
from replay.model.errors import ReplayError
from tests.support.e2e import Recorded, cli, cli_json, error_line, record, shown, snapshot, write

Agents = Callable[[str], Recorded]
READING = (("show",), ("show", "--json"), ("verify",))
RUNNING = (("run",), ("run", "--json"))


def check(path: Path, slug: str, *, commands: Sequence[Sequence[str]] = (*READING, *RUNNING)) -> None:
    before = snapshot(path.parent)
    for words in commands:
        done = cli(*words, path)
        line = error_line(done, slug)
        assert str(path) in line
        assert b"Traceback" not in done.stdout
    listed = cli("ls", path.parent)  # one bad file doesn't hide the others
    assert (listed.returncode, b"Traceback" in listed.stderr) == (0, False), shown(listed)
    assert snapshot(path.parent) == before


def damaged(recorded: Recorded, directory: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(recorded.path.read_bytes())
    change(data)
    path = directory / "x.cassette"
    path.write_bytes(data)
    os.utime(path, ns=(10**18, 10**18))
    return path


def cut(share: float) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        del data[max(13, int(len(data) * share)) :]

    return change


def flip(share: float) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[int((len(data) - 1) * share)] ^= 1 << random.randrange(8)

    return change


SHARES = [0, 0.45, 0.6, 0.9, 0.999]  # 0.3 is about where the header ends: as if it had died there


@pytest.mark.parametrize("share", SHARES)
def test_truncated(share: float, recorded_agent: Agents, tmp_path: Path) -> None:
    check(damaged(recorded_agent("functions"), tmp_path, cut(share)), "cassette-damaged", commands=READING)


@pytest.mark.parametrize("share", SHARES[1:])
def test_truncated_is_not_run(share: float, recorded_agent: Agents, tmp_path: Path) -> None:
    check(damaged(recorded_agent("functions"), tmp_path, cut(share)), "cassette-damaged", commands=RUNNING)


@pytest.mark.parametrize("share", [0.01, 0.35, 0.65, 0.95])
def test_a_flipped_bit(share: float, recorded_agent: Agents, tmp_path: Path) -> None:
    check(damaged(recorded_agent("functions"), tmp_path, flip(share)), "cassette-damaged", commands=READING)


@pytest.mark.parametrize("share", [0.01, 0.35, 0.65])
def test_a_flipped_bit_is_not_run(share: float, recorded_agent: Agents, tmp_path: Path) -> None:
    check(damaged(recorded_agent("functions"), tmp_path, flip(share)), "cassette-damaged", commands=RUNNING)


def test_a_flipped_bit_in_the_footer_is_not_run(recorded_agent: Agents, tmp_path: Path) -> None:
    check(damaged(recorded_agent("functions"), tmp_path, flip(0.999)), "cassette-damaged", commands=RUNNING)


@pytest.mark.torture
def test_cut_anywhere(recorded_agent: Agents, tmp_path: Path) -> None:
    for _ in range(100):
        path = damaged(recorded_agent("openai_sync"), tmp_path, cut(random.uniform(0.002, 1)))
        check(path, "cassette-damaged", commands=(("show",), ("verify",), ("run", "-q")))


@pytest.mark.torture
def test_flipped_anywhere(recorded_agent: Agents, tmp_path: Path) -> None:
    """`verify` reads every byte. What others don't read, the links of the hash chain, changes nothing they say."""
    recorded = recorded_agent("openai_sync")
    whole = cli_json("show", recorded.path)["events"]
    for _ in range(100):
        path = damaged(recorded, tmp_path, flip(random.uniform(0.002, 1)))
        check(path, "cassette-damaged", commands=(("verify",),))
        seen = cli("show", "--json", path)
        assert seen.returncode == 125 or json.loads(seen.stdout)["events"] == whole, shown(seen)


def foreign(directory: Path, content: bytes) -> Path:
    path = directory / "x.cassette"
    path.write_bytes(content)
    return path


MAGIC = b"\x89RPLAY\r\n\x1a\n"


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"", "cassette-empty"),
        (b"\n", "cassette-foreign"),
        (b"interactions:\n- request: {}\n" * 50, "cassette-foreign"),
        (b"\x1f\x8b\x08\x00" + bytes(500), "cassette-foreign"),
        (bytes(4096), "cassette-foreign"),
        (random.Random(7).randbytes(4096), "cassette-foreign"),
        (MAGIC + b"\x00\x02" + bytes(500), "cassette-newer"),
        (MAGIC + b"\xff\xff", "cassette-newer"),
        (MAGIC + b"\x00\x01", "cassette-damaged"),
        (MAGIC + b"\x00\x01" + bytes(500), "cassette-damaged"),
        (MAGIC[:6], "cassette-damaged"),
    ],
    ids=[
        "empty",
        "line",
        "yaml",
        "gzip",
        "zeros",
        "noise",
        "newer",
        "newest",
        "head only",
        "zeros after",
        "half magic",
    ],
)
def test_something_else(content: bytes, slug: str, tmp_path: Path) -> None:
    check(foreign(tmp_path, content), slug)


def test_missing(tmp_path: Path) -> None:
    for words in (*READING, *RUNNING):
        assert "nowhere.cassette" in error_line(cli(*words, tmp_path / "nowhere.cassette"), "cassette-missing")
        error_line(cli(*words, "latest", env={**os.environ, "REPLAY_DIR": str(tmp_path)}), "cassette-missing")


def test_a_directory(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    path.mkdir()
    check(path, "cassette-unreadable")


def test_no_regular_file(tmp_path: Path) -> None:
    """A pipe would wait for ever."""
    path = tmp_path / "x.cassette"
    os.mkfifo(path)
    for words in (*READING, *RUNNING):
        error_line(cli(*words, path), "cassette-unreadable")


def test_not_permitted(recorded_agent: Agents, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    path.write_bytes(recorded_agent("functions").path.read_bytes())
    path.chmod(0)
    for words in (*READING, *RUNNING):
        if os.geteuid():
            error_line(cli(*words, path), "cassette-unreadable")
        else:  # the superuser may read everything
            assert cli(*words, path).returncode == 0


@pytest.mark.parametrize(
    "what",
    [
        "cut",
        "empty",
        "foreign",
    ],
)
def test_from_python(what: str, recorded_agent: Agents, tmp_path: Path) -> None:
    content = {"cut": recorded_agent("functions").path.read_bytes()[:-40], "empty": b"", "foreign": b"hello"}[what]
    path = foreign(tmp_path, content)
    with pytest.raises(ReplayError, match=r"\[cassette-") as found:
        replay.run(path)
    assert found.value.exit_code == 125
    assert path.read_bytes() == content


def test_record_never_overwrites(recorded_agent: Agents, tmp_path: Path) -> None:
    for content in (b"", b"evidence", recorded_agent("functions").path.read_bytes()):
        path = foreign(tmp_path, content)
        before = snapshot(tmp_path)
        program = write(tmp_path / "program" / "p.py", f"open({str(tmp_path / 'ran')!r}, 'w')\n")
        done = cli("record", "-o", path, "--", "python", program)
        assert "exists already" in error_line(done, "cassette-exists")
        assert not (tmp_path / "ran").exists()
        assert snapshot(tmp_path, leave_out=[program.parent])[str(path)] == before[str(path)]


def test_a_program_that_is_gone(tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", "print(1)\n")
    recorded = record(program, tmp_path / "x.cassette")
    program.unlink()
    done = cli("run", recorded.path)
    assert done.returncode == 125, shown(done)
    assert b"[not-replayable]" in done.stderr
