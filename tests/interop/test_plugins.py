"""docs/plugins.md, on the example package: built, installed beside, and used by the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.writer import Writer
from replay.model.extensions import added
from tests.support.e2e import REPLAY, Done, shown

EXAMPLE = Path(__file__).parents[2] / "fixtures" / "plugin-example"


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the example is installed, from its source."""
    target = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*install, "--target", str(target), str(EXAMPLE)], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, shown(done)
    return target


def cli(beside: Path | None, *words: object, code: int = 0) -> Done:
    env = {**os.environ, "PYTHONPATH": os.fspath(beside or "")}
    command = [REPLAY, *(str(word) for word in words)]
    done = subprocess.run(command, capture_output=True, check=False, env=env, timeout=120)
    assert done.returncode == code, shown(done)
    return done


def test_an_importer_and_an_exporter(beside: Path, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("you: blow\nbugler: toot, BGL-123456\n")
    cli(beside, "import", "bugle", tmp_path / "a.log", "-o", tmp_path / "a.cassette")
    cli(beside, "export", "names", tmp_path / "a.cassette", "-o", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "entry user\nllm bugle-1\n"
    (tmp_path / "b.log").write_text("nothing of the kind")
    assert b"isn't a log of Bugle" in cli(beside, "import", "bugle", tmp_path / "b.log", "-o", "x", code=125).stderr
    without = cli(None, "import", "bugle", tmp_path / "a.log", "-o", "x", code=129)
    assert b"no such format: bugle (there are chat, json, otel, vcr)" in without.stderr


def test_a_dialect(beside: Path, tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "a.cassette", {})
    writer.lane(0, "m")
    request: dict[str, object] = {"method": "POST", "url": "https://bugle.test/v1/blow", "headers": []}
    answer: dict[str, object] = {"status": 200, "reason": "OK", "headers": [], "body": b'{"echo": "toot"}'}
    writer.event(0, "http", "POST", "write", 0, None, request, b'{"tune": "taps"}', None, None, 1, 0, answer)
    writer.end({})
    writer.seal()
    writer.close()
    with_it, without = (
        json.loads(cli(each, "show", "--json", tmp_path / "a.cassette").stdout)["events"][0]["kind"]
        for each in (beside, None)
    )
    assert (with_it, without) == ("llm", "http")


def test_a_redactor(beside: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('call = ["bugle-customer"]')
    (tmp_path / "a.txt").write_text("for BGL-123456 only")
    found = cli(beside, "scan", "--json", "--redact", tmp_path / "rules.toml", tmp_path / "a.txt", code=1)
    (leak,) = json.loads(found.stdout)["found"]
    assert (leak["detector"], leak["size"]) == ("bugle-customer", 10)
    missing = cli(None, "scan", "--redact", tmp_path / "rules.toml", tmp_path / "a.txt", code=129)
    assert b"the name that a package gave it" in missing.stderr


def test_what_is_broken_says_so(tmp_path: Path) -> None:
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[replay.importers]\nbad = nothing_there:runs\n[replay.dialects]\nbad = json:x\n"
    )
    done = cli(tmp_path, "import", "bad", tmp_path, "-o", tmp_path / "x", code=129)
    assert b"format bad: ModuleNotFoundError" in done.stderr


def test_nothing_is_added_here() -> None:
    found: dict[str, Any] = added("importers")
    assert found == {}
