"""`replay init`: what a repository with cassettes needs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import click

from replay.model.errors import UsageError
from replay_cli import console, exits, options
from replay_cli.render.text import one_line

ATTRIBUTES: Final = "*.cassette -text diff=replay"
_DRIVER: Final = ("diff.replay.textconv", "replay textconv")
_SECTIONS: Final = (
    ("pytest.ini", "[pytest]", "replay_paths = {}"),
    (".pytest.ini", "[pytest]", "replay_paths = {}"),
    ("pyproject.toml", "[tool.pytest.ini_options]", 'replay_paths = ["{}"]'),
    ("tox.ini", "[pytest]", "replay_paths = {}"),
    ("setup.cfg", "[tool:pytest]", "replay_paths = {}"),
)
"""Where pytest looks, in its order: file, section, the line."""


@click.command("init")
@click.option("--tests", default="tests/incidents", metavar="DIR", help="Where cassettes are tests. [tests/incidents]")
@options.common
def command(tests: str) -> int:
    """Set this repository up for cassettes: git shows them as text, pytest collects them.

    Adds a line to .gitattributes and to pytest's configuration, and tells this clone's git of `replay textconv`; every
    clone has to be told so (`replay init` again). What is there stays as it is.
    """
    root = _root()
    done = [_attributes(root), _driver(root), _pytest(root, tests)]
    found = [each for each in done if each]
    if options.current().json:
        console.document({"root": str(root), "changed": found})
    else:
        for each in found or ["nothing to do: all of it is set up"]:
            console.tell(one_line(each))
    return exits.SAME


def _root() -> Path:
    try:
        asked = ["git", "rev-parse", "--show-toplevel"]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
    except OSError:
        raise UsageError("git isn't installed here", hint="nothing was changed") from None
    if found.returncode:
        raise UsageError("this is no git repository", hint="`git init` makes one; nothing was changed")
    return Path(found.stdout.rstrip("\n"))


def _attributes(root: Path) -> str:
    path = root / ".gitattributes"
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    if ATTRIBUTES in known.splitlines():
        return ""
    path.write_text(known + ("" if not known or known.endswith("\n") else "\n") + ATTRIBUTES + "\n", encoding="utf-8")
    return f".gitattributes: {ATTRIBUTES}"


def _driver(root: Path) -> str:
    name, value = _DRIVER
    known = subprocess.run(["git", "config", name], cwd=root, capture_output=True, text=True, check=False)
    if known.stdout.strip():
        return ""
    subprocess.run(["git", "config", name, value], cwd=root, check=True)
    return f"git config {name} '{value}' (of this clone; others run `replay init`, too)"


def _pytest(root: Path, tests: str) -> str:
    """The first file that has pytest's section gets the line; pyproject.toml gets a section where none has."""
    for file, section, line in _SECTIONS:
        path = root / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        at = re.search(rf"^{re.escape(section)}[ \t]*(#.*)?$", text, re.MULTILINE)
        if at is None:
            continue
        body = re.split(r"^\[", text[at.end() :], maxsplit=1, flags=re.MULTILINE)[0]
        if re.search(r"^replay_paths\s*=", body, re.MULTILINE):
            return ""
        added = line.format(tests)
        path.write_text(f"{text[: at.end()]}\n{added}{text[at.end() :]}", encoding="utf-8")
        return f"{file}: {added}"
    path = root / "pyproject.toml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    added = f'[tool.pytest.ini_options]\nreplay_paths = ["{tests}"]\n'
    path.write_text(text + ("\n" if text and not text.endswith("\n\n") else "") + added, encoding="utf-8")
    return f'pyproject.toml: replay_paths = ["{tests}"]'
