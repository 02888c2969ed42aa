"""Runs the commands that a page shows, one after another in one shell, and gives the page with what they print now.

    python -m tests.docs.walkthrough [PAGE...]      # writes these pages anew, or all of them: `make pages`

What a page has for this:

- a `console` block: `$` begins a command, what follows is its output (of both streams). A line `…` stands for any
  lines, `…` inside a line for any characters. `# exit code 1` behind a command is checked; without it the code is 0.
- `console` in an HTML comment: commands that readers of the page don't need, such as those that make its cassettes.
- `picture NAME` in an HTML comment: what these commands print, with its colours, is the picture `docs/NAME`.
- a block with `file=NAME` is that file, written when its place is reached.
- A command that ends with `&` is a server. A number in it is its port, which is another one while it is tried.

The shell begins in an empty directory, which is `/srv/desk` in what is shown, with `FIXTURES` for this repository's
fixtures. Ids of events in commands (`replay why 41.cassette 31`) are those of the `replay show` before: elsewhere the
program reads more or fewer variables, and they are others. A page is written anew but for output with a
line `…` that still fits.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.docs.picture import described, drawn, plain

ROOT = Path(__file__).parents[2]
HERE = "/srv/desk"
"""Where pages say that their programs are."""

BLOCK = re.compile(
    r"^(?:```console\n(?P<shown>.*?)```|<!-- console\n(?P<hidden>.*?)-->"
    r"|<!-- picture (?P<picture>\S+)\n(?P<drawn>.*?)-->|```\w+ file=(?P<file>\S+)\n(?P<text>.*?)```)$",
    re.MULTILINE | re.DOTALL,
)
_ID = re.compile(r"^ *(\d+)(?:-\d+)? ")
_EXIT = re.compile(r"# exit code (\d+)$")
_PORT = re.compile(r"(?<![\d.])\d{4,5}(?!\d)")
_END = "\x01exit "


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the page, what the page says that it prints, and what it printed; with the exit codes of both."""

    command: str
    shown: list[str]
    got: list[str]
    code: int

    @property
    def promised(self) -> int:
        """The exit code that the page says."""
        found = _EXIT.search(self.command)
        return int(found[1]) if found else 0

    @property
    def fits(self) -> bool:
        """Whether it printed what the page shows."""
        lines = (_any(normal(line)) if line.strip() != "…" else "(?:.*\n)*?" for line in self.shown)
        return re.fullmatch("".join(lines), "".join(f"{normal(line)}\n" for line in self.got)) is not None

    @property
    def now(self) -> list[str]:
        """What the page should show."""
        elided = any(line.strip() == "…" for line in self.shown)
        return self.shown if elided and self.fits else self.got


@dataclass
class Shell:
    """A shell in a directory of its own; a context manager. Servers that were started in it end with it."""

    ports: dict[str, str] = field(default_factory=dict[str, str])

    def __enter__(self) -> Self:
        self._room = tempfile.TemporaryDirectory()
        self.directory = Path(self._room.name).resolve() / "desk"
        self.directory.mkdir()
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self.directory,
            env=surroundings(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()
        self._room.cleanup()

    def run(self, command: str) -> tuple[list[str], int]:
        """What it prints, as a page shows that, and its exit code."""
        served = _PORT.findall(command) if command.endswith("&") else []
        for port in served:
            self.ports.setdefault(port, _free_port())
        now = command.removesuffix("&") + " >served.log 2>&1 &" if command.endswith("&") else command
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        quoted = self.here(now).replace("'", "'\\''")
        self._bash.stdin.write(f"eval '{quoted}' </dev/null; printf '{_END}%d\\n' $?\n".encode())
        self._bash.stdin.flush()
        output = ""
        while _END not in output:
            line = self._bash.stdout.readline().decode()
            assert line, f"{command}: the shell ended\n{output}"
            output += line
        output, _, code = output.rpartition(_END)
        for port in served:
            _await(int(self.ports[port]))
        return self._tidy(output), int(code)

    def here(self, text: str) -> str:
        """A page's text with the ports of today."""
        for port, today in self.ports.items():
            text = re.sub(rf"(?<![\d.]){port}(?!\d)", today, text)
        return text

    def _tidy(self, output: str) -> list[str]:
        output = output.replace(str(self.directory), HERE)
        for port, today in self.ports.items():
            output = output.replace(f":{today}", f":{port}")
        output = re.sub(r"[\w./+-]*/bin/python[\d.]*(?=[ '])", "python", output)
        return [line.rstrip() for line in output.splitlines()]


def play(text: str) -> tuple[list[Step], str, dict[Path, str]]:
    """The steps of a page, the page with their output, and the pictures."""
    ids: dict[str, dict[str, str]] = {}
    steps: list[Step] = []
    pictures: dict[Path, str] = {}
    with Shell() as shell:

        def block(match: re.Match[str]) -> str:
            if match["file"]:
                path = shell.directory / match["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(shell.here(match["text"]), "utf-8")
                return match[0]
            if match["picture"]:
                path = ROOT / "docs" / match["picture"]
                asked = [_translated(command, ids) for command, _ in commands(match["drawn"])]
                screens = [(now, shell.run(f"FORCE_COLOR=1 TERM=xterm-256color {now}")[0]) for now in asked]
                pictures[path] = drawn(screens)
                steps.append(
                    Step(
                        match["picture"], described(path.read_text("utf-8")) if path.exists() else [], plain(screens), 0
                    )
                )
                return "".join([f"<!-- picture {path.name}\n", *(f"$ {now}\n" for now in asked), "-->"])
            lines: list[str] = []
            for command, shown in commands(match["shown"] or match["hidden"]):
                now = _translated(command, ids)
                got, code = shell.run(now)
                if command.startswith("replay show "):
                    ids[command.split()[2]] = dict(_paired(shown, got))
                step = Step(now, ["…"] if match["hidden"] else shown, got, code)
                steps.append(step)
                lines += [f"$ {now}", *([] if match["hidden"] else step.now)]
            written = "".join(f"{line}\n" for line in lines)
            return f"<!-- console\n{written}-->" if match["hidden"] else f"```console\n{written}```"

        return steps, BLOCK.sub(block, text), pictures


def pages() -> list[Path]:
    """All pages, the README among them."""
    return [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "fixtures").glob("*/README.md")),
    ]


def shows_commands(text: str) -> bool:
    """Whether a page has a command with a prompt, wherever it stands."""
    return re.search(r"^ *\$ ", text, re.MULTILINE) is not None


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block with the lines that are shown for it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def normal(line: str) -> str:
    """A line without what is another one each time: ids, times, digests, stand-ins, how far columns are apart."""
    line = re.sub(r"[0-9a-f]+@r\.invalid|[0-9a-f]{4,}…|[0-9a-f]{12,}|[0-9a-f]{8}-[0-9a-f-]{27}", "~", line)
    line = re.sub(r"\[\[\d+(, \d+)*\]\]", "[[#]]", line)  # of a file: node, device, times
    line = re.sub(r"\d+", "#", line).replace("# chunks", "# chunk")  # as the network cut it
    return re.sub(r"\s+", " ", line).strip()


def surroundings() -> dict[str, str]:
    """Environment of the shell: this environment's commands, nothing that says how we are tested."""
    # pytest writes longer lines where CI is set
    ours = ("REPLAY", "PYTHONHASH", "PYTEST", "OPENAI_", "ANTHROPIC_", "GIT_", "CI", "BUILD_NUMBER")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env |= {"COLUMNS": "100", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "FIXTURES": str(ROOT / "fixtures")}
    # git asks for a name; a reader's pytest has no plugins but ours
    env |= {f"GIT_{who}_{what}": "desk" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "replay.pytest_plugin.hooks"}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    return env


def _any(line: str) -> str:
    return re.escape(line).replace("…", ".*") + "\n"


def _translated(command: str, ids: dict[str, dict[str, str]]) -> str:
    """With the ids that the events have now."""
    for cassette, known in ids.items():
        if cassette in command.split():
            return re.sub(r"(?<= )\d+(?= |$)", lambda found: known.get(found[0], found[0]), command)  # noqa: B023
    return command


def _paired(shown: list[str], got: list[str]) -> Iterator[tuple[str, str]]:
    for one, other in zip(shown, got, strict=False):
        a, b = _ID.match(one), _ID.match(other)
        if a and b:
            yield a[1], b[1]


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def _await(port: int) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nothing listens at {port}"
            time.sleep(0.02)
        else:
            return


def main(names: list[str]) -> None:
    """Writes pages anew."""
    from tests.docs.test_pages import NOT_RUN

    chosen = [Path(name).resolve() for name in names] or [
        page for page in pages() if shows_commands(page.read_text("utf-8")) and page.name not in NOT_RUN
    ]
    for page in chosen:
        steps, text, pictures = play(page.read_text("utf-8"))
        page.write_text(text, "utf-8")
        for path, picture in pictures.items():
            path.write_text(picture, "utf-8")
        for step in steps:
            if step.code != step.promised:
                print(f"{page.name}: {step.command}: exit code {step.code}\n" + "\n".join(step.got))
        print(f"{page.name}: {len(steps)} commands", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
