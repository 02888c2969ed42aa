"""For end-to-end tests: the console script as a user runs it, recordings of the agents, and what a directory held."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replay.demo.server import environment, spawn
from tests.support.plugin import AGENTS

REPLAY = str(Path(sys.executable).with_name("replay"))
"""The console script of the environment that runs the tests."""

PROGRAMS = (
    "openai_sync",
    "openai_async",
    "openai_stream",
    "anthropic_stream",
    "aiohttp_agent",
    "requests_agent",
    "functions",
)
"""The seven that issue 2 promises; the others in `fixtures/agents` come on top."""

ERRORS = 0.06
_SLUG = re.compile(r" \[([a-z-]+)\]$")
_PROMPT = re.compile(r'^PROMPT = "(.*)"$', re.MULTILINE)

Done = subprocess.CompletedProcess[bytes]


def cli(
    *words: str | os.PathLike[str],
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Done:
    """`replay …`, to its end."""
    command = [REPLAY, *(os.fspath(word) for word in words)]
    return subprocess.run(command, capture_output=True, check=False, cwd=cwd, env=env, input=stdin, timeout=120)


def cli_json(*words: str | os.PathLike[str], code: int = 0, **more: Any) -> dict[str, Any]:
    """The document of `replay … --json`, which has to end with `code`."""
    done = cli(words[0], "--json", *words[1:], **more)
    assert done.returncode == code, shown(done)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shown(done: Done) -> str:
    """A run in an assertion's message."""
    return f"exit {done.returncode}\n{done.stdout.decode(errors='replace')}\n{done.stderr.decode(errors='replace')}"


def error_line(done: Done, slug: str) -> str:
    """The one line of stderr, which ends with `slug`; nothing else was said, and the exit code is 125."""
    text = done.stderr.decode()
    assert done.returncode == 125, shown(done)
    assert text.count("\n") == 1, text
    assert text.endswith("\n"), text
    found = _SLUG.search(text.rstrip("\n"))
    assert found is not None, text
    assert found[1] == slug, text
    return text


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording of a program through the console script. `url`: of the server, which is gone."""

    path: Path
    program: Path
    stdout: bytes
    stderr: bytes
    exit_code: int
    url: str


def record(program: Path, path: Path, *, url: str = "", arguments: Sequence[str] = (), **more: Any) -> Recorded:
    """`replay record -o path -- python program`."""
    env = more.pop("env", None) or environment(url)
    done = cli("record", "-o", path, "--", sys.executable, program, *arguments, env=env, **more)
    return Recorded(path, program, done.stdout, done.stderr, done.returncode, url)


def record_agent(name: str, directory: Path) -> Recorded:
    """A copy of an agent in `directory`, recorded against a random server of its own, which is stopped afterwards."""
    program = directory / f"{name}.py"
    program.write_text((AGENTS / f"{name}.py").read_text())
    with spawn(errors=ERRORS) as url:
        recorded = record(program, directory / f"{name}.cassette", url=url, cwd=directory)
    assert recorded.exit_code == 0, recorded.stderr.decode()
    return recorded


def prompt_of(source: str) -> str:
    """What the program's PROMPT line says."""
    found = _PROMPT.search(source)
    assert found is not None
    return found[1]


def with_prompt(source: str, prompt: str) -> str:
    """The program with another PROMPT."""
    changed, count = _PROMPT.subn(lambda _: f'PROMPT = "{prompt}"', source)
    assert count == 1
    return changed


def start(program: Path, *arguments: str | Path, **env: str) -> Done:
    """The program as it is, with nothing around it."""
    command = [sys.executable, str(program), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, check=False, cwd=program.parent, env={**os.environ, **env}, timeout=60
    )


def write(path: Path, source: str) -> Path:
    """A program file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


State = dict[str, tuple[int, int, int, str]]


def snapshot(*roots: str | os.PathLike[str], leave_out: Iterable[str | os.PathLike[str]] = ()) -> State:
    """Every file and directory below `roots`: mode, modification time (ns), size, digest."""
    skipped = {os.path.realpath(path) for path in leave_out}
    found: State = {}
    for root in roots:
        for directory, folders, files in os.walk(os.path.realpath(root)):
            folders[:] = [name for name in folders if os.path.join(directory, name) not in skipped]
            for path in (directory, *(os.path.join(directory, name) for name in files)):
                state = os.lstat(path)
                digest = ""
                if stat.S_ISREG(state.st_mode):
                    with open(path, "rb") as file:
                        digest = hashlib.blake2b(file.read(), digest_size=16).hexdigest()
                found[path] = (state.st_mode, state.st_mtime_ns, state.st_size, digest)
    return found
