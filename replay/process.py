"""Starting processes: which program a command names, whether it can be replayed, and with what environment."""

from __future__ import annotations

import functools
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from replay.bootstrap import PROBED
from replay.forwarding import Forwarding
from replay.limits import Limits
from replay.model.errors import NotReplayable
from replay.runtime.descent import environment

_WITH_ARGUMENT = ("-X", "-W", "--check-hash-based-pycs")
Output = Literal["inherit", "capture", "stderr", "discard"]
"""What becomes of a program's output: ours, into the result, standard output to our standard error, nothing."""


def found(name: str) -> str | None:
    """Where a command lies: a bare name beside our own interpreter first, so that `replay` in an environment that isn't
    activated runs that environment's `python`."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    if os.path.dirname(name) == "" and os.access(beside, os.X_OK):
        return beside
    return shutil.which(name)


def check_replayable(command: Sequence[str], directory: str) -> None:
    """A replay runs nothing that it can't contain: the command has to be a Python that starts with our hooks.

    Raises:
        NotReplayable: it isn't Python, has no agent-replay, ignores `PYTHONPATH` (`-I`, `-E`, `-S`), or its script is
            gone, or came through standard input.
    """
    program = found(command[0])
    if program is None:
        hint = f"python {command[0]}?" if os.path.exists(os.path.join(directory, command[0])) else ""
        raise NotReplayable(f"command not found: {command[0]}", hint=hint)
    interpreter, arguments = _interpreter(program, command)
    if not os.path.basename(interpreter).startswith(("python", "pypy")):
        raise NotReplayable(
            f"{command[0]} isn't Python, and a replay runs nothing else", hint="name the program itself"
        )
    options, rest = _options(arguments)
    if not rest or rest[0] == "-":
        raise NotReplayable(
            "the program came through standard input, and isn't kept", hint="record one that is in a file, or -c CODE"
        )
    if rest[0].endswith(".py") and not os.path.exists(os.path.join(directory, rest[0])):
        raise NotReplayable(f"the program is gone: {rest[0]}", hint="say what to run instead: -- CMD")
    if not _reaches(interpreter, tuple(options)):
        raise NotReplayable(
            f"{' '.join([interpreter, *options])} can't be replayed: it doesn't start with agent-replay",
            hint="install agent-replay there; without -I, -E or -S",
        )


def _interpreter(program: str, command: Sequence[str]) -> tuple[str, list[str]]:
    """The interpreter that a command starts, and the words after it."""
    if not os.path.basename(os.path.realpath(program)).startswith(("python", "pypy")):
        with open(program, "rb") as file:
            first = file.readline(512)
        if first.startswith(b"#!"):
            words = os.fsdecode(first[2:]).split()
            if os.path.basename(words[0]) == "env" and len(words) > 1:
                words = [found(words[1]) or words[1], *words[2:]]
            return words[0], [*words[1:], program, *command[1:]]
    return program, list(command[1:])


def _options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The interpreter's own options, and what follows them (`-m module`, `-c code`, a script)."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at][1:2] not in ("m", "c", ""):
        at += 2 if arguments[at] in _WITH_ARGUMENT else 1
    return list(arguments[:at]), list(arguments[at:])


def divided(command: Sequence[str]) -> tuple[list[str], list[str]]:
    """What decides how the interpreter starts (itself, its options, the program), and the program's own arguments; two
    empty lists where no program is named.

    Example:
        >>> divided(["/usr/bin/python3", "-X", "dev", "agent.py", "--fast"])
        (['/usr/bin/python3', '-X', 'dev', 'agent.py'], ['--fast'])
    """
    program = found(command[0])
    if program is None:
        return [], []
    interpreter, arguments = _interpreter(program, command)
    options, rest = _options(arguments)
    if not rest or rest[0] == "-":
        return [], []
    words = 2 if rest[0] in ("-m", "-c") else 1
    return [interpreter, *options, *rest[:words]], rest[words:]


@functools.cache
def _reaches(interpreter: str, options: tuple[str, ...]) -> bool:
    """Whether that interpreter starts with our hooks: ask it, without running anything else."""
    if interpreter == sys.executable and not options:
        return True
    environ, _ = environment(os.environ)
    environ["REPLAY_BOOT"] = json.dumps({"mode": "probe", "environ": {}})
    try:
        done = subprocess.run([interpreter, *options, "-c", ""], env=environ, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == PROBED


_running: set[subprocess.Popen[bytes]] = set()


def end_all() -> None:
    """Ends whatever `start` runs in other threads, at once: nobody wants to know what comes of it."""
    for process in list(_running):
        process.kill()


def start(
    command: Sequence[str],
    environ: Mapping[str, str],
    output: Output,
    directory: str | None = None,
    *,
    meanwhile: Callable[[], None] | None = None,
    contained: bool = False,
    inherits: Sequence[int] = (),
    limits: Limits | None = None,
) -> tuple[int, int, bytes, bytes]:
    """Run to the end; its id, its exit code as a shell would give it, and the output where it is captured.

    Args:
        meanwhile: called once the program has been started.
        contained: it is a replay: standard input isn't read there, and not inherited where it leads to somebody else.
        inherits: descriptors that the process gets besides its standard streams.
        limits: of time and memory.

    Raises:
        NotReplayable: there is no such command, or it can't be started. LimitReached: it was ended.
    """
    streams: dict[str, Any] = {}
    if output == "stderr":
        streams = {"stdout": sys.stderr.fileno()}
    elif output != "inherit":
        sink = subprocess.PIPE if output == "capture" else subprocess.DEVNULL
        streams = {"stdout": sink, "stderr": sink}
    if contained and _is_socket(sys.__stdin__):
        streams["stdin"] = subprocess.DEVNULL
    program = found(command[0])
    if program is None:
        raise NotReplayable(f"command not found: {command[0]}")
    with Forwarding() as signals:
        try:
            process: Any = subprocess.Popen(
                [program, *command[1:]],
                env=environ,
                cwd=directory,
                pass_fds=tuple(inherits),
                **streams,
            )
        except OSError as error:
            raise NotReplayable(f"can't start {command[0]}: {error.strerror}") from None
        _running.add(process)
        signals.to(process.send_signal)
        if meanwhile is not None:
            meanwhile()
        try:
            with (limits or Limits()).watch(process.pid):
                out, err = process.communicate()
        finally:
            _running.discard(process)
    code = process.returncode
    return process.pid, (128 - code if code < 0 else code), out or b"", err or b""


def _is_socket(stream: Any) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(stream.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False
