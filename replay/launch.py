"""Starting programs: `record_command` and `run` prepare a process, wait for it, and say what came of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from base64 import b64decode
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from replay.bootstrap import STOPPED, Spec
from replay.boundary import originals
from replay.cassette.codec import unpack
from replay.cassette.directory import resolve
from replay.cassette.finishing import finish
from replay.cassette.reader import Reader
from replay.cassette.revive import revive
from replay.model.errors import CassetteExists, NotRecorded, NotReplayable, UsageError
from replay.model.verdict import Candidate, Crossing, Divergence, Escape
from replay.player.frames import environment_of
from replay.runtime import facts

_INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")
Output = Literal["inherit", "capture", "stderr", "discard"]


@dataclass(frozen=True, slots=True)
class Recording:
    """What `record_command` made.

    Attributes:
        path: the cassette. exit_code: the program's own, 128 + n where signal n ended it.
        finished: the program reached its end; otherwise the cassette is open and replays to the cut.
    """

    path: str
    exit_code: int
    finished: bool


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a replay.

    Attributes:
        identical: the same execution, to the end of the recording (or to its cut).
        events: how many recorded crossings were replayed.
        divergence: the first difference. escapes: attempts to get past the door. gap: what the recording lacks.
        drift: differing requests that `match="lenient"` answered all the same.
        cut: the recording is unfinished and was replayed to where it stops.
        exit_code: the program's own, None where the replay ended it. stdout, stderr: its output, where captured.
        blind_spots: how many the recording has: what `identical` can't vouch for.
        result, exception: of an entry point's call.
    """

    cassette: str
    identical: bool
    events: int
    divergence: Divergence | None = None
    escapes: tuple[Escape, ...] = ()
    gap: str | None = None
    drift: int = 0
    cut: bool = False
    exit_code: int | None = None
    recorded_exit_code: int | None = None
    blind_spots: int = 0
    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)
    result: Any = None
    exception: BaseException | None = None

    def to_json(self) -> dict[str, Any]:
        """The document of `replay run --json`."""
        divergence = None if self.divergence is None else self.divergence.to_json()
        return {
            "cassette": self.cassette,
            "identical": self.identical,
            "events": self.events,
            "divergence": divergence,
            "blind_spots": self.blind_spots,
            "escapes": [{"what": e.what, "detail": e.detail, "site": e.site} for e in self.escapes],
            "exit_code": self.exit_code,
            "recorded_exit_code": self.recorded_exit_code,
            "gap": self.gap,
            "drift": self.drift,
            "cut": self.cut,
        }


def record_command(
    command: Sequence[str],
    path: str,
    *,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    output: Output = "inherit",
) -> Recording:
    """Run `command`, a Python program as one types it, and record it into a new cassette at `path`.

    Args:
        command: such as `["python", "agent.py", "--fast"]`, `["python", "-m", "pkg"]`, or a console script.
        name, tags: for the header.
        variables: the program's environment; this process's by default.
        output: what becomes of the program's output.

    Raises:
        UsageError: no command. CassetteExists: there is something at `path`.
        NotRecorded: the program ended well, but nothing was recorded.
        NotReplayable: the command can't be found.
    """
    if not command:
        raise UsageError("nothing to record", hint="replay record -o x.cassette -- python agent.py")
    path = os.path.abspath(path)
    if os.path.exists(path):
        raise CassetteExists(f"{path} exists already", hint="a recording never overwrites; choose another -o")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    environ, restore = _environment(os.environ if variables is None else variables)
    header = {
        "command": list(command),
        "cwd": os.getcwd(),
        "name": name,
        "tags": dict(tags or {}),
        "entry": {"type": "program"},
        "git": facts.git(os.getcwd()),
        "hash_seed": environ["PYTHONHASHSEED"],
        "startup": facts.startup_variables(environ),
    }
    spec: Spec = {
        "mode": "record",
        "cassette": path,
        "environ": restore,
        "header": header,
        "scratch": "",
        "verdict": "",
    }
    code, _, _ = _start(command, {**environ, "REPLAY_BOOT": json.dumps(spec)}, output)
    if not os.path.exists(path):
        if code == 0:
            raise NotRecorded(
                f"{command[0]} ran, but nothing was recorded",
                hint="is it a Python with agent-replay installed, without -I, -E or -S?",
            )
        return Recording(path, code, finished=False)
    with Reader.open(path) as reader:
        ended = reader.outcome is not None
    if ended:
        finish(path, {"exit_code": code})
    return Recording(path, code, finished=ended)


def run(
    cassette: str | os.PathLike[str],
    *,
    command: Sequence[str] | None = None,
    match: Literal["strict", "lenient"] = "strict",
    until: int | None = None,
    output: Output = "capture",
    cwd: str | None = None,
) -> Run:
    """Re-execute what a cassette recorded: offline, without side effects, in a process of its own.

    Args:
        cassette: a path, an id prefix, or `latest`.
        command: another command instead of the recorded one.
        match: `lenient` answers a differing request at the same place, and counts it as drift.
        until: stop before that event.
        output: what becomes of the program's output.
        cwd: where to run it; where it was recorded, if that directory exists here.

    Raises:
        CassetteMissing and the other errors of reading; NotReplayable: there is nothing to run here.

    Example:
        run = replay.run("incident.cassette")
        assert run.identical, run.divergence
    """
    path = os.path.abspath(resolve(cassette))
    with Reader.open(path) as reader:
        header = reader.header
        recorded = reader.outcome
        blind = len(reader.blind_spots)
        variables = environment_of(reader)
    argv = list(command) if command else _recorded_command(header, path)
    directory = cwd or header.get("cwd") or os.getcwd()
    if not os.path.isdir(directory):
        directory = os.getcwd()
    scratch = tempfile.mkdtemp(prefix="replay-")
    try:
        verdict_path = os.path.join(scratch, "verdict.json")
        environ, restore = _environment(os.environ, header.get("hash_seed"))
        for key, value in {**header.get("startup", {}), **variables}.items():
            environ.pop(key, None)
            if value is not None:
                environ[key] = value
        restore = {**restore, "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE")}
        spec: Spec = {
            "mode": "replay",
            "cassette": path,
            "environ": restore,
            "scratch": scratch,
            "verdict": verdict_path,
            "lenient": match == "lenient",
            "until": until,
        }
        more = {"REPLAY_BOOT": json.dumps(spec), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": scratch}
        code, out, err = _start(argv, {**environ, **more}, output, directory)
        verdict = _read_verdict(verdict_path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if verdict is None:
        raise NotReplayable(
            f"{argv[0]} ended with exit code {code} and without a verdict",
            hint="is it a Python with agent-replay installed, without -I, -E or -S?",
        )
    return _judge(path, verdict, code, recorded, blind, out, err)


def _judge(path: str, verdict: dict[str, Any], code: int, recorded: Any, blind: int, out: bytes, err: bytes) -> Run:
    then = None if recorded is None else recorded.get("exit_code")
    divergence = _divergence(verdict["divergence"])
    identical = verdict["identical"]
    ended = code != STOPPED
    if identical and ended and then is not None and code != then and not verdict["cut"]:
        identical = False
        reason = f"the program ended with exit code {code}; recorded was {then}"
        divergence = Divergence(None, reason, Crossing(f"exit code {then}"), Crossing(f"exit code {code}"))
    return Run(
        cassette=path,
        identical=identical,
        events=verdict["events"],
        divergence=divergence,
        escapes=tuple(Escape(**escape) for escape in verdict["escapes"]),
        gap=verdict["gap"],
        drift=verdict["drift"],
        cut=verdict["cut"],
        exit_code=code if ended else None,
        recorded_exit_code=then,
        blind_spots=blind,
        stdout=out,
        stderr=err,
        result=None if verdict["result"] is None else revive(unpack(b64decode(verdict["result"]))),
    )


def _divergence(found: dict[str, Any] | None) -> Divergence | None:
    if found is None:
        return None
    whole: dict[str, Any] = dict(found)
    for side in ("expected", "got"):
        whole[side] = None if found[side] is None else Crossing(**found[side])
    whole["candidates"] = tuple(Candidate(**candidate) for candidate in found["candidates"])
    whole["changes"] = tuple(found["changes"])
    return Divergence(**whole)


def _read_verdict(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return None


def _recorded_command(header: Mapping[str, Any], path: str) -> list[str]:
    entry = header["entry"]
    if "gap" in entry:
        raise NotReplayable(f"{path}: {entry['gap']}")
    if entry["type"] == "call":
        return [sys.executable, "-c", "import replay.reenter; replay.reenter.main()"]
    argv = list(header["command"] if entry["type"] == "program" else header["argv"])
    if _found(argv[0]) is None and os.path.basename(argv[0]).startswith("python"):
        argv[0] = sys.executable
    return argv


def _found(name: str) -> str | None:
    """Where a command lies: a bare name beside our own interpreter first, so that `replay` in an environment that isn't
    activated runs that environment's `python`."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    if os.path.dirname(name) == "" and os.access(beside, os.X_OK):
        return beside
    return shutil.which(name)


def _environment(
    variables: Mapping[str, str], hash_seed: str | None = None
) -> tuple[dict[str, str], dict[str, str | None]]:
    """The child's environment, and what it has to put back before the program sees it."""
    environ = dict(variables)
    names = ("PYTHONPATH", "PYTHONHASHSEED")
    restore = {name: environ.get(name) for name in names}
    inherited = environ.get("PYTHONPATH")
    environ["PYTHONPATH"] = _INJECT if not inherited else _INJECT + os.pathsep + inherited
    seed = hash_seed or environ.get("PYTHONHASHSEED", "random")
    if seed == "random":
        seed = str(originals.randbelow(1, 2**32))
    environ["PYTHONHASHSEED"] = seed
    return environ, restore


@contextmanager
def _sigint_is_the_programs() -> Generator[None]:
    """Ctrl-C goes to the whole group; the program decides what it means. Signals are the main thread's to set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start(
    command: Sequence[str], environ: dict[str, str], output: Output, directory: str | None = None
) -> tuple[int, bytes, bytes]:
    """Run to the end; the exit code as a shell would give it, and the output where it is captured."""
    streams: dict[str, Any] = {}
    if output == "stderr":
        streams = {"stdout": sys.stderr.fileno()}
    elif output != "inherit":
        sink = subprocess.PIPE if output == "capture" else subprocess.DEVNULL
        streams = {"stdout": sink, "stderr": sink}
    program = _found(command[0])
    if program is None:
        raise NotReplayable(f"command not found: {command[0]}")
    try:
        process: Any = subprocess.Popen([program, *command[1:]], env=environ, cwd=directory, **streams)
    except OSError as error:
        raise NotReplayable(f"can't start {command[0]}: {error.strerror}") from None
    with _sigint_is_the_programs():
        out, err = process.communicate()
    code = process.returncode
    return (128 - code if code < 0 else code), out or b"", err or b""
