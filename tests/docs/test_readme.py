"""The README's programs and commands, run as they stand there; lines of their output that aren't random have to be so.

In a `console` block, `$` begins a command and what follows is its output. `…` stands for anything. Random are words,
ids and counts: of the output only lines that `FIXED` begins are looked for, and numbers in them may be others.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from replay.demo.server import environment, spawn

README = Path(__file__).parents[2] / "README.md"
FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIXED = ("✓", "✗", "replay: ", "order.cassette: ", "event ", "recorded ", "0 memory", "1 tool", "1 passed")
EXIT_CODES = {"replay run order.cassette -- python edited.py": 1}
SERVES = ("python -m replay.demo.server", "kill ", "export ")


def blocks(language: str) -> list[tuple[str, str]]:
    """(file, text) of the README's blocks in that language."""
    return [(file, text) for found, file, text in FENCE.findall(README.read_text("utf-8")) if found == language]


def dialogue() -> list[tuple[str, list[str]]]:
    """Each command of the README with the output shown for it."""
    found: list[tuple[str, list[str]]] = []
    for _, text in blocks("console"):
        for line in text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def fixed(lines: list[str]) -> list[str]:
    """Those that every run prints, with the indented lines under them."""
    found: list[str] = []
    for line in lines:
        if line.startswith(FIXED) or (found and found[-1].startswith(("✗", "  ")) and line.startswith("  ")):
            found.append(line)
    return found


def pattern(line: str) -> re.Pattern[str]:
    """A line of the README with its random parts open: numbers, ids, `…`, and how far a table's columns are apart."""
    words = re.sub(r"\s+", " ", line.rstrip())
    words = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "\0", words)
    escaped = re.sub(r"\d+", r"\\d+", re.escape(words)).replace("events", "events?")
    return re.compile(escaped.replace("\0", "[0-9a-f-]+").replace("…", ".*").replace(r"\ ", r"\s+") + r"\s*")


def test_every_command_says_what_the_readme_says(tmp_path: Path) -> None:
    for file, text in blocks("python"):
        (tmp_path / file).write_text(text)
    commands = dialogue()
    assert [line for line, _ in commands if line.startswith(SERVES)]
    with spawn() as url:
        env = {**environment(url), "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "none", "COLUMNS": "200"}
        env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
        for name in ("REPLAY_DIR", "PYTHONHASHSEED"):
            env.pop(name, None)
        for command, shown in commands:
            if not command.startswith(SERVES):  # a port of the test's own, and it stays: a replay doesn't ask it
                say_the_same(command, shown, tmp_path, env)


def say_the_same(command: str, shown: list[str], directory: Path, env: dict[str, str]) -> None:
    done = subprocess.run(["bash", "-c", command], cwd=directory, env=env, capture_output=True, text=True, check=False)
    everything = done.stdout + done.stderr
    assert done.returncode == EXIT_CODES.get(command, 0), f"{command}\n{everything}"
    said = everything.splitlines()
    for line in fixed(shown):
        assert any(pattern(line).fullmatch(other) for other in said), f"{command}\n{line}\n---\n{everything}"


def test_the_python_blocks_have_names_and_the_links_lead_somewhere() -> None:
    assert [file for file, _ in blocks("python")] == ["agent.py", "refunds.py", "test_refunds.py"]
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text("utf-8")):
        assert (README.parent / target).exists(), target


def test_the_readme_is_one_page() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 225


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_on_the_first_screen(target: str) -> None:
    assert f"make {target}" in "".join(README.read_text("utf-8").splitlines()[:12])
