"""Which recordings begin, which stay, and for how long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replay.cassette.keeping import Keeping, Kept
from replay.cassette.writer import Writer
from replay.model.errors import UsageError
from replay.options import current

NONE = current({})


def test_sampling_of_ids() -> None:
    rules = Keeping(sample=0.1)
    ids = [f"01HF7YAT{number:018d}" for number in range(20_000)]
    chosen = [name for name in ids if rules.samples(name)]
    assert 1800 < len(chosen) < 2200
    assert chosen == [name for name in ids if rules.samples(name)]
    assert not any(Keeping(sample=0).samples(name) for name in ids)
    assert all(Keeping().samples(name) for name in ids)
    assert set(chosen) <= {name for name in ids if Keeping(sample=0.2).samples(name)}


def sealed(path: Path, days: float, outcome: dict[str, object] | None = None) -> Path:
    writer = Writer.create(path, {})
    writer.end({"bytes": os.urandom(1000), **(outcome or {})})
    writer.seal()
    writer.close()
    os.utime(path, (1e9, 1e9 - days * 86400))
    return path


def test_retention(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    made = [sealed(tmp_path / "made" / f"{days}.cassette", days) for days in (9, 8, 3, 2, 1)]
    outside = sealed(tmp_path / "outside.cassette", 99)
    (tmp_path / "made" / "link.cassette").symlink_to(outside)
    (tmp_path / "made" / "8.d").mkdir()
    sealed(tmp_path / "made" / "8.d" / "1.cassette", 8)
    still_open = tmp_path / "made" / "open.cassette"
    still_open.write_bytes(made[0].read_bytes()[:-30])
    os.utime(still_open, (0, 0))
    other = tmp_path / "made" / "notes.txt"
    other.write_text("kept")

    gone = Keeping(retain_age=7 * 86400).retain(tmp_path / "made", 1e9)
    assert [path.name for path in gone] == ["9.cassette", "8.cassette"]
    gone = Keeping(retain_size=made[-1].stat().st_size + still_open.stat().st_size + 100).retain(tmp_path / "made", 1e9)
    assert [path.name for path in gone] == ["3.cassette", "2.cassette"]
    left = sorted(path.name for path in (tmp_path / "made").iterdir())
    assert left == ["1.cassette", "link.cassette", "notes.txt", "open.cassette"]
    assert outside.exists()
    assert other.exists()
    assert Keeping().retain(tmp_path / "made", 1e12) == []


def test_options_are_read() -> None:
    sizes = [Keeping.of(NONE, retain_size=text).retain_size for text in ("64MB", "2 GB", "512KiB", "7", 5_000_000)]
    assert sizes == [64_000_000, 2_000_000_000, 524_288, 7, 5_000_000]
    ages = [Keeping.of(NONE, retain_age=text).retain_age for text in ("7d", "12h", "1.5m", "90", 0.5)]
    assert ages == [604_800, 43_200, 90, 90, 0.5]
    environ = {"REPLAY_KEEP": "on-failure", "REPLAY_SAMPLE": "0.5", "REPLAY_DUMP_SIGNAL": "usr1"}
    rules = Keeping.of(current(environ), sample=0.1, retain_age=None)
    assert rules == Keeping(keep="on-failure", sample=0.1, dump_signal="SIGUSR1")
    wrong: list[Kept] = [{"sample": "2"}, {"keep": "never"}, {"retain_age": "x"}, {"flight_recorder": "-1"}]
    for rule in wrong:
        with pytest.raises(UsageError, match=next(iter(rule)).replace("_", "-")):
            Keeping.of(NONE, **rule)
    with pytest.raises(UsageError, match="REPLAY_DUMP_SIGNAL"):
        current({"REPLAY_DUMP_SIGNAL": "NOPE"})
