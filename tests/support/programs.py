"""Small programs in the text of a test: recorded once, replayed several times, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

from replay.cassette.cassette import Cassette, load
from replay.launch import Run, record_command, run
from replay.model.event import Event


@dataclass(frozen=True, slots=True)
class Recorded:
    """A program's recording, and what came of its last replay."""

    path: str
    program: Path
    stdout: bytes
    stderr: bytes
    exit_code: int
    finished: bool
    replayed: Run | None = None

    @property
    def text(self) -> str:
        """What it printed when it was recorded."""
        return self.stdout.decode()

    def cassette(self) -> Cassette:
        """What the file holds."""
        return load(self.path)

    def events(self, kind: str) -> list[Event]:
        """The events of that kind."""
        return [event for event in self.cassette().events if event.kind == kind]

    def again(self, **more: Any) -> Run:
        """Replay it once."""
        return run(self.path, **more)


def record(
    directory: Path,
    source: str,
    *,
    stdin: bytes = b"",
    variables: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
    name: str = "program",
    threads: Literal["order", "strict"] = "order",
) -> Recorded:
    """Record a program that is written into `directory`, with real descriptors for its standard streams."""
    program = directory / f"{name}.py"
    program.write_text(textwrap.dedent(source).lstrip())
    path = str(directory / f"{name}.cassette")
    environ = {**os.environ, **(variables or {})}
    with TemporaryFile() as out, TemporaryFile() as err:
        with _standard_streams(stdin, out.fileno(), err.fileno()):
            made = record_command([sys.executable, *options, str(program)], path, variables=environ, threads=threads)
        said: list[bytes] = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read())
    return Recorded(path, program, said[0], said[1], made.exit_code, made.finished)


def replays(
    directory: Path,
    source: str,
    *,
    times: int = 3,
    varies: bool | None = False,
    code: int = 0,
    **more: Any,
) -> Recorded:
    """Record a program, then replay it `times` times: each has to be identical, down to its output.

    Args:
        varies: the program prints something else in each execution; False: always the same, also when nobody records
            it. Both are proved by running it plainly. None: it may.
        code: what it exits with.
        more: for `record`.
    """
    found = record(directory, source, **more)
    assert found.finished, found.stderr.decode()
    assert found.exit_code == code, found.stderr.decode()
    if varies is not None:
        plain = plainly(found, more.get("stdin", b""), more.get("variables"))
        assert (plain != found.stdout) is varies, plain.decode()
    again: Run | None = None
    for _ in range(times):
        again = run(found.path)
        assert again.identical, explained(again)
        assert again.stdout == found.stdout, explained(again)
        assert again.stderr == found.stderr, explained(again)
        assert again.exit_code == code
    return Recorded(found.path, found.program, found.stdout, found.stderr, code, True, again)


def plainly(found: Recorded, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> bytes:
    """What the program prints when nobody records it."""
    environ = {**os.environ, **(variables or {})}
    done = subprocess.run([sys.executable, found.program], capture_output=True, check=False, input=stdin, env=environ)
    assert done.returncode == found.exit_code, done.stderr.decode()
    return done.stdout


def explained(found: Run) -> str:
    """A replay in an assertion's message."""
    said = f"\n-- stdout\n{found.stdout.decode(errors='replace')}\n-- stderr\n{found.stderr.decode(errors='replace')}"
    return f"{found.divergence}\n{found.escapes} gap={found.gap} exit={found.exit_code}{said}"


@contextmanager
def _standard_streams(stdin: bytes, out: int, err: int) -> Generator[None]:
    """The descriptors 0, 1 and 2 of this process, which a recorded program inherits."""
    with TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        kept = [os.dup(number) for number in range(3)]
        try:
            for number, fd in enumerate((given.fileno(), out, err)):
                os.dup2(fd, number)
            yield
        finally:
            for number, fd in enumerate(kept):
                os.dup2(fd, number)
                os.close(fd)
