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


def cli(beside: Path | None, *words: object, code: int = 0, cwd: Path | None = None) -> Done:
    env = {**os.environ, "PYTHONPATH": os.fspath(beside or "")}
    command = [REPLAY, *(str(word) for word in words)]
    done = subprocess.run(command, capture_output=True, check=False, env=env, timeout=120, cwd=cwd)
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


HORN = """
import ctypes

def blow(tune):
    echo = ctypes.create_string_buffer(8)
    ctypes.CDLL(None).getentropy(echo, 8)
    return f"{tune} {echo.raw.hex()}"
"""
PROGRAM = "import bugle; print(bugle.blow('taps')); print(bugle.blow('reveille'))"
BLOCK = """
import bugle, replay
with replay.record("block.cassette"):
    print(bugle.blow("taps"))
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, 'agent.py'], check=True)"


@pytest.fixture
def band(tmp_path: Path) -> Path:
    """A directory with a library whose answers nothing of ours sees, and programs that use it."""
    for name, text in (("bugle.py", HORN), ("agent.py", PROGRAM), ("block.py", BLOCK), ("parent.py", PARENT)):
        (tmp_path / name).write_text(text)
    return tmp_path


def recorded(beside: Path | None, band: Path, program: str, *words: str) -> Done:
    return cli(beside, "record", *words, "-o", band / "a.cassette", "--", sys.executable, program, cwd=band)


def played(beside: Path | None, cassette: Path, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli(beside, "run", "--json", cassette, code=code).stdout)
    return found


def test_a_seam(beside: Path, band: Path) -> None:
    said = recorded(beside, band, "agent.py", "--seam", "bugle").stdout
    told = json.loads(cli(beside, "show", "--json", band / "a.cassette").stdout)
    assert told["cassette"]["seams"] == ["bugle"]
    calls = [event for event in told["events"] if event["kind"] == "bugle"]
    assert [event["request"] for event in calls] == [{"tune": "taps"}, {"tune": "reveille"}]
    assert [event["response"] for event in calls] == said.decode().split("\n")[:2]
    assert played(beside, band / "a.cassette")["identical"]
    # what it is for: without the seam no replay has the same echo
    (band / "a.cassette").unlink()
    recorded(beside, band, "agent.py")
    assert not played(beside, band / "a.cassette", code=1)["identical"]


def test_a_seam_that_is_missing(beside: Path, band: Path) -> None:
    recorded(beside, band, "agent.py", "--seam", "bugle")
    refused = cli(None, "run", band / "a.cassette", code=125)
    assert b"recorded with a seam that isn't here: no installed package adds a seam named bugle" in refused.stderr
    assert b"[seam-missing]" in refused.stderr
    judged = json.loads(cli(None, "test", "--json", band / "a.cassette", code=125).stdout)
    assert "[seam-missing]" in judged["trials"][0]["reason"]
    (band / "a.cassette").unlink()
    done = recorded(None, band, "agent.py", "--seam", "bugle")  # the program is run and recorded all the same
    assert b"no installed package adds a seam named bugle" in done.stderr
    assert "seams" not in json.loads(cli(None, "show", "--json", band / "a.cassette").stdout)["cassette"]


def test_a_seam_in_a_child_and_in_a_block(beside: Path, band: Path) -> None:
    recorded(beside, band, "parent.py", "--seam", "bugle")
    child = band / "a.d" / "1.cassette"
    assert json.loads(cli(beside, "show", "--json", child).stdout)["cassette"]["seams"] == ["bugle"]
    assert played(beside, child)["identical"]
    env = {**os.environ, "PYTHONPATH": str(beside), "REPLAY_SEAMS": "bugle"}
    subprocess.run([sys.executable, "block.py"], cwd=band, env=env, check=True, capture_output=True, timeout=60)
    assert json.loads(cli(beside, "show", "--json", band / "block.cassette").stdout)["cassette"]["seams"] == ["bugle"]
    assert played(beside, band / "block.cassette")["identical"]


def test_an_engine(beside: Path, band: Path) -> None:
    recorded(beside, band, "agent.py", "--seam", "bugle")
    (band / "broken.cassette").write_bytes(b"not one")
    judged = json.loads(
        cli(
            beside, "test", "--json", "--engine", "fleet", band / "a.cassette", band / "broken.cassette", code=125
        ).stdout
    )
    assert {Path(each["cassette"]).name: each["status"] for each in judged["trials"]} == {
        "a.cassette": "same", "broken.cassette": "unjudged",
    }  # fmt: skip
    missing = cli(None, "test", "--engine", "fleet", band / "a.cassette", code=129)
    assert b"no such engine: fleet (there are dask, local, ray)" in missing.stderr
    lost = cli(beside, "test", "--json", "--engine", "fleet", "--address", "true", band / "a.cassette", code=125)
    assert b"its worker was lost" in lost.stdout


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
