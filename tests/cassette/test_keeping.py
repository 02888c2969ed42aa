"""Which recordings begin, which stay, and for how long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replay.cassette.keeping import Keeping, Kept, all_well, is_sealed
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


def test_traces_are_sampled_as_opentelemetry_does() -> None:
    rules = Keeping(sample=0.5)
    assert rules.samples("f" * 16 + "0" * 16)
    assert not rules.samples("0" * 16 + "f" * 16)
    assert isinstance(rules.samples("not hexadecimal, as long as one."), bool)


def test_what_is_forgotten() -> None:
    ends: list[dict[str, object]] = [{}, {"exit_code": 0}, {"exit_code": 3}, {"exception": {}}, {"gaps": 1}]
    ends.append({"wanted": True})
    assert not any(Keeping().forgets(end) for end in ends)
    assert [Keeping(keep="on-failure").forgets(end) for end in ends] == [True, True, False, False, False, False]
    assert [Keeping(flight_recorder=1).forgets(end) for end in ends] == [True, True, False, False, False, True]


def test_children_count(tmp_path: Path) -> None:
    path = sealed(tmp_path / "x.cassette", 1)
    assert all_well(path)
    (tmp_path / "x.d" / "1.d").mkdir(parents=True)
    child = tmp_path / "x.d" / "1.d" / "1.cassette"
    ends: list[tuple[dict[str, object], bool]] = [({"exit_code": 0}, True), ({"exit_code": 1}, False)]
    ends.append(({"exception": {}}, False))
    for outcome, well in ends:
        sealed(child, 1, outcome)
        assert all_well(path) is well
        child.unlink()
    child.write_bytes(b"")
    assert not all_well(path)


def test_what_cant_be_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sealed(tmp_path / "x.cassette", 9)
    assert not is_sealed(tmp_path / "missing.cassette")
    (tmp_path / "x.d").mkdir()
    (tmp_path / "x.d" / "link").symlink_to(tmp_path / "nowhere")

    def gone(*_: object, **__: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", gone)
        assert Keeping(retain_size=1).retain(tmp_path, 1e9) == []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", gone)
        assert Keeping(retain_size=1).retain(tmp_path, 1e9) == []
    real = Path.lstat

    def but_for_links(path: Path) -> os.stat_result:
        if path.name == "link":
            raise PermissionError
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", but_for_links)
        assert Keeping(retain_size=10**6).retain(tmp_path, 1e9) == []
    monkeypatch.setenv("REPLAY_DIR", str(tmp_path))
    assert Keeping(retain_size=1).retain(None, 1e9) == [path]
