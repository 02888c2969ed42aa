"""The site: built without a warning and without a network, with every page in it and nothing that is fetched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import replay
from replay_cli.render.manual import commands
from tests.docs.walkthrough import ROOT

# `mkdocs build`, where whoever connects to anything fails.
BUILD = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise OSError(f"the site asks the network: {arguments}")
sys.addaudithook(refuse)
from mkdocs.__main__ import cli
cli(["build", "--strict", "--site-dir", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(where)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return where


def test_every_page_is_there_and_leads_to_the_others(site: Path) -> None:
    index = (site / "index.html").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix().replace("README", "index")
        assert (site / name).is_file(), name
        assert f'href="{name}"' in index, f"{name} isn't in the navigation"


def test_nothing_is_fetched(site: Path) -> None:
    for file in site.rglob("*"):
        if file.suffix in (".html", ".css", ".svg"):
            text = file.read_text("utf-8")
            found = re.findall(
                r"<(?:script|img|iframe)[^>]* src=\"?(?:https?:)?//|<link rel=\"?(?:stylesheet|preconnect|icon)\"?[^>]*"
                r" href=\"?(?:https?:)?//|url\([\"']?(?:https?:)?//|@import [\"'](?:https?:)?//",
                text,
            )
            assert not found, f"{file.relative_to(site)}: {found}"


def test_the_references_are_the_program(site: Path) -> None:
    text = (site / "reference" / "commands.html").read_text("utf-8")
    for name, _, _ in commands():
        assert f">{name}</code>" in text, name
    text = (site / "reference" / "python.html").read_text("utf-8")
    for name in replay.__all__:
        assert f'id="replay.{name}"' in text, name
