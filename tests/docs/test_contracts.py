"""Lists that would drift apart if nobody looked."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_SEAMS = {"registry"}  # and everything that begins with an underscore


def test_every_seam_is_in_the_independence_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["id"]: contract for contract in project["tool"]["importlinter"]["contracts"]}
    listed = {module.rpartition(".")[2] for module in contracts["seams-apart"]["modules"]}
    there = {file.stem for file in (ROOT / "replay" / "seams").glob("[!_]*.py")} - NOT_SEAMS
    assert listed == there


def test_every_dependency_says_why_it_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "design" / "dependencies.md").read_text(encoding="utf-8")
    named = page.partition("## Not taken")[0].replace("`", "").replace("|", " ").replace(",", " ").split()
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        name = requirement.partition(">=")[0].partition("==")[0].partition("[")[0]
        assert name in named, name
