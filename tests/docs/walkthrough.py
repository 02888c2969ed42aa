"""Runs the commands of docs/incident.md one after another, and gives the page with what they print now.

    python -m tests.docs.walkthrough        # writes it

In a `console` block `$` begins a command; what follows is its output. Ids of events in commands (`replay why
41.cassette 31`) are those of the `replay show` before: elsewhere the program reads more or fewer variables, and they
are others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "incident.md"
PROGRAM = ROOT / "fixtures" / "incident"
HERE = "/srv/desk"
"""Where the page says that the program is."""

SERVES = ("python world.py", "kill ")
"""Commands that aren't run: the server is there already, at another port."""

_BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"^ *(\d+)(?:-\d+)? ")


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the page, what the page says that it prints, and what it printed; with which exit code."""

    command: str
    shown: list[str]
    got: list[str]
    code: int


def play(text: str, directory: Path, env: dict[str, str]) -> tuple[list[Step], str]:
    """The steps of a page, and the page with their output."""
    ids: dict[str, dict[str, str]] = {}
    steps: list[Step] = []

    def block(match: re.Match[str]) -> str:
        lines: list[str] = []
        for command, shown in _commands(match[0]):
            if command.startswith(SERVES):
                lines += [f"$ {command}", *shown]
                continue
            now = _translated(command, ids)
            done = subprocess.run(
                ["bash", "-c", now],
                cwd=directory,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            got = _tidy(done.stdout.decode(), directory)
            if command.startswith("replay show "):
                ids[command.split()[2]] = dict(_paired(shown, got))
            steps.append(Step(command, shown, got, done.returncode))
            lines += [f"$ {now}", *got]
        return "".join(f"{line}\n" for line in lines)

    return steps, _BLOCK.sub(block, text)


def _translated(command: str, ids: dict[str, dict[str, str]]) -> str:
    """With the ids that the events have now."""
    for cassette, known in ids.items():
        if cassette in command.split():
            return re.sub(r"(?<= )\d+(?= |$)", partial(_now, known), command)
    return command


def _now(known: dict[str, str], found: re.Match[str]) -> str:
    return known.get(found[0], found[0])


def _commands(block: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def _paired(shown: list[str], got: list[str]) -> Iterator[tuple[str, str]]:
    for one, other in zip(shown, got, strict=False):
        a, b = _ID.match(one), _ID.match(other)
        if a and b:
            yield a[1], b[1]


def _tidy(output: str, directory: Path) -> list[str]:
    for name in {str(directory), str(directory.resolve())}:
        output = output.replace(name, HERE)
    output = re.sub(r"\S*/bin/python[\d.]*(?= )", "python", output)
    return [line.rstrip() for line in output.splitlines()]


@contextmanager
def desk() -> Generator[tuple[Path, dict[str, str]]]:
    """A copy of the program, with what it talks to running; and the environment to run it in."""
    with tempfile.TemporaryDirectory() as path:
        directory = Path(path) / "desk"
        shutil.copytree(PROGRAM, directory, ignore=shutil.ignore_patterns("__pycache__"))
        command = [sys.executable, "-u", "world.py", "0"]
        with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            env = {name: value for name, value in os.environ.items() if not name.startswith(("REPLAY", "PYTHONHASH"))}
            env |= {"DESK_URL": f"http://127.0.0.1:{port}", "COLUMNS": "100", "NO_PROXY": "127.0.0.1"}
            env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
            try:
                yield directory, env
            finally:
                server.terminate()


def main() -> None:
    """Writes the page anew."""
    with desk() as (directory, env):
        _, text = play(PAGE.read_text("utf-8"), directory, env)
    PAGE.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8766", text), "utf-8")


if __name__ == "__main__":
    main()
