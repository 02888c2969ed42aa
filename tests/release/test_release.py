"""What `make release` judges by, and as much of it as is fast: the wheel that is built has what git knows."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import replay
from release.__main__ import ROOT, tracked
from release.licences import ALLOWED, unknown

FOREIGN = ("GPL-3.0-only", "AGPL-3.0-or-later", "SSPL-1.0", "something else")


def component(*licences: str) -> dict[str, object]:
    return {"name": "x", "licenses": [{"expression": each} for each in licences]}


@given(st.sampled_from(ALLOWED), st.sampled_from(FOREIGN))
def test_a_choice_is_allowed_and_a_burden_is_not(good: str, bad: str) -> None:
    assert unknown(component(good)) is None
    assert unknown(component(f"{bad} OR {good}")) is None
    assert unknown(component(bad, good)) is None
    assert unknown(component(f"{good} AND {bad}")) == f"x: {good} AND {bad}"
    assert unknown(component(bad)) == f"x: {bad}"


def test_no_licence_at_all_is_named() -> None:
    assert unknown({"name": "x"}) == "x: no licence"
    assert unknown({"name": "x", "licenses": [{"license": {"name": "Proprietary"}}]}) == "x: Proprietary"
    assert unknown({"name": "x", "licenses": [{"license": {"id": "MIT"}}]}) is None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(where)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (found,) = where.iterdir()
    return found


def test_the_wheel_has_what_git_knows(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        packed = {name for name in file.namelist() if ".dist-info/" not in name}
    known = {*tracked("replay"), *(name.removeprefix("cli/") for name in tracked("cli/replay_cli"))}
    assert {name for name in known if (ROOT / name).exists() or (ROOT / "cli" / name).exists()} <= packed
    assert {"replay/py.typed", "replay_cli/py.typed"} <= packed
    assert not [name for name in packed if name.startswith(("tests", "fixtures", "release"))]


def test_the_version_is_in_one_place(wheel: Path) -> None:
    assert version("agent-replay") == replay.__version__
    assert wheel.name.startswith(f"agent_replay-{replay.__version__}-")
    for file in ("pyproject.toml", "Makefile", "cli/replay_cli/main.py"):
        assert replay.__version__ not in (ROOT / file).read_text("utf-8"), file
