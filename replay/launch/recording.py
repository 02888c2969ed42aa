"""Recording a command: `record_command` prepares a process, waits for it, and finishes what it has recorded.

What reads cassettes is imported while the program runs or when it is needed: nobody waits for it before the start.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from replay import process
from replay.bootstrap import Spec
from replay.boundary import originals, traceparent
from replay.cassette.directory import ring_of
from replay.cassette.keeping import ALWAYS, Keeping, all_well, remove
from replay.model.errors import CassetteExists, NotRecorded, UsageError
from replay.process import Output
from replay.recorder.protection import Protection, protection
from replay.recorder.trouble import warn_on_stderr
from replay.runtime import facts
from replay.runtime.descent import environment

if TYPE_CHECKING:
    from replay.cassette.sealing import Sign
    from replay.model.event import BlindSpot

Threads = Literal["order", "strict"]

_WHY_NOTHING = "is it a Python with agent-replay installed, without -I, -E or -S?"


def _get_ready() -> None:
    """What is needed when the program has ended, imported while it runs."""
    for name in ("replay.cassette.finishing", "replay.cassette.reader"):
        import_module(name)


@dataclass(frozen=True, slots=True)
class Recording:
    """What `record_command` made.

    Attributes:
        path: the cassette. exit_code: the program's own, 128 + n where signal n ended it.
        finished: the program reached its end; otherwise the cassette is open and replays to the cut.
        unsigned: what was to be signed and couldn't be, with the reasons.
        kept: whether there is a cassette: what ended well may not be wanted.
        unwritable: why nothing could be recorded: the program ran without.
        seen: of an encrypted one, which nobody here can read any more: how many events and gaps, and the blind spots.
    """

    path: str
    exit_code: int
    finished: bool
    unsigned: Sequence[str] = ()
    kept: bool = True
    unwritable: str | None = None
    seen: tuple[int, int, Sequence[BlindSpot]] | None = None


def _nobody(_: str) -> None:
    """Nobody is told."""


def record_command(
    command: Sequence[str],
    path: str,
    *,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    output: Output = "inherit",
    audit: bool = False,
    trace: str | None = None,
    threads: Threads = "order",
    sign: str | None = None,
    redact: str | None = None,
    keeping: Keeping = ALWAYS,
    encrypt: Sequence[str] = (),
    seams: Sequence[str] = (),
    propagate: str = "auto",
    warn: Callable[[str], None] = _nobody,
) -> Recording:
    """Run `command`, a Python program as one types it, and record it into a new cassette at `path`.

    Args:
        command: such as `["python", "agent.py", "--fast"]`, `["python", "-m", "pkg"]`, or a console script.
        name, tags: for the header.
        variables: the program's environment; this process's by default.
        output: what becomes of the program's output.
        audit: name what C extensions open and connect, too, by the interpreter's audit events; slower.
        trace: a file for the values of the program's lines (`replay.runtime.trace`); much slower.
        threads: `strict`: one thread at a time, so that data races in pure memory replay, too (docs/limits.md).
        redact: a file of rules for what is a secret, besides what looks like one (docs/redaction.md).
        propagate: whether its requests and child processes are told its trace (docs/configuration.md).
        sign: a file with a private ed25519 key, for the cassettes; the program isn't told of it.
        keeping: whether it is recorded, and what becomes of it (docs/production.md).
        encrypt: age recipients, or files of them: nobody else can read the cassettes when the program has ended.
        seams: names of seams that other packages add, installed behind ours (docs/plugins.md).
        warn: told before the program starts that nothing can be written at `path`; it runs all the same.

    Raises:
        UsageError: no command, or no such rules. CassetteExists: there is something at `path`.
        KeyUnusable: `sign`, `encrypt`.
        NotRecorded: the program ended well, but nothing was recorded.
        NotReplayable: the command can't be found.
    """
    if not command:
        raise UsageError("nothing to record", hint="replay record -o x.cassette -- python agent.py")
    if redact is not None:
        from replay.cassette.redact.rules import Rules

        redact = os.path.abspath(redact)
        Rules.load(redact)  # what is wrong with them is said before the program starts
    path = os.path.abspath(path)
    if os.path.exists(path):
        raise CassetteExists(f"{path} exists already", hint="a recording never overwrites; choose another -o")
    guard = protection(sign, list(encrypt))
    signer = guard.signer()  # a key that can't be used is no surprise for the program's end
    if guard.encrypt and keeping.flight_recorder:
        raise UsageError(
            "a flight recorder can't be encrypted: its parts are read to be put together",
            hint="leave out --encrypt or --flight-recorder",
        )
    variables = os.environ if variables is None else variables
    identity = variables.get("TRACEPARENT", "")[3:35] or os.path.basename(path).removesuffix(".cassette")
    if not keeping.samples(identity):
        _, code, _, _ = process.start(command, variables, output)
        return Recording(path, code, finished=False, kept=False)
    unwritable = _unwritable(path)
    if unwritable is not None:
        warn(f"{path}: {unwritable}: the program runs unrecorded")
        _, code, _, _ = process.start(command, variables, output)
        return Recording(path, code, finished=False, kept=False, unwritable=unwritable)
    if keeping.flight_recorder:
        from replay.cassette.merging import recover

        recover(os.path.dirname(path))
    repository = facts.Git(os.getcwd())
    environ, restore = environment(variables)
    header = {
        "command": list(command),
        "cwd": os.getcwd(),
        "name": name,
        "tags": dict(tags or {}),
        "entry": {"type": "program"},
        "git": repository.commit(),
        "hash_seed": environ["PYTHONHASHSEED"],
        "threads": threads,
        "startup": facts.startup_variables(environ),
        "timezone": facts.timezone(),
        **({} if redact is None else {"redact": redact}),
        **({"seams": list(seams)} if seams else {}),
        "trace": traceparent.begin(environ.get("TRACEPARENT"), originals.urandom(24), propagate).to_header(),
    }
    spec: Spec = {
        "mode": "record",
        "cassette": path,
        "environ": restore,
        "header": header,
        "scratch": "",
        "verdict": "",
        "audit": audit,
        "trace": trace,
        "keeping": asdict(keeping),
    }
    try:
        with _encrypting(guard) as spec["protection"]:
            boot = {**environ, "REPLAY_BOOT": json.dumps(spec)}
            pid, code, _, _ = process.start(command, boot, output, meanwhile=_get_ready)
            recording = _ended(path, command[0], pid, code, keeping, {"dirty": repository.dirty()}, signer)
        if sign is None or not os.path.exists(recording.path):
            return recording
        return replace(recording, unsigned=_sign_children(recording.path, sign))
    finally:
        keeping.retain(os.path.dirname(path), originals.wall_ns() / 1e9)


def _ended(
    path: str,
    program: str,
    pid: int,
    code: int,
    keeping: Keeping,
    more: Mapping[str, Any],
    signer: Callable[[str], Sign] | None,
) -> Recording:
    """What came of it: how the program ended is added, and the cassette is sealed."""
    from replay.cassette.finishing import finish
    from replay.cassette.reader import Reader

    _take_back(path)
    if keeping.flight_recorder and os.path.isdir(ring_of(path)):
        return _landed(path, code, keeping, more, signer)
    if not os.path.exists(path):
        if code == 0:
            raise NotRecorded(f"{program} ran, but nothing was recorded", hint=_WHY_NOTHING)
        return Recording(path, code, finished=False)
    with Reader.open(path) as reader:
        outcome = reader.outcome
        ended = outcome is not None
        own = reader.header.get("pid") == pid  # otherwise the code is that of a shell around it
        gaps = int((outcome or {}).get("gaps", 0)) or len(reader.gaps)
        seen = (len(reader), gaps, reader.blind_spots) if "recipients" in reader.header else None
        sign = None if signer is None else signer(reader.header["id"])
    if ended:
        undigested = finish(path, {"exit_code" if own else "command_exit_code": code, **more}, sign)
        if undigested is not None:
            warn_on_stderr(f"{path} is sealed without digests: {undigested} (a bug of agent-replay; please report)")
        if keeping.forgets({**(outcome or {}), "exit_code": code}) and all_well(path):
            remove(Path(path))
            return Recording(path, code, finished=True, kept=False)
    return Recording(path, code, finished=ended, seen=seen)


def _unwritable(path: str) -> str | None:
    """Why no file can be made there; None where one can: it was made, and removed."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(path)
    except OSError as error:
        return error.strerror or str(error)
    return None


@contextmanager
def _encrypting(guard: Protection) -> Generator[dict[str, Any]]:
    """What the recorded processes are told. What they write is readable to this one, until it has sealed it."""
    if not guard.encrypt:
        yield {}
        return
    from replay.cassette import keyring

    with keyring.lent() as identity:
        yield {"encrypt": guard.encrypt, "also": [identity.recipient]}


def _sign_children(path: str, key: str) -> list[str]:
    """They have sealed themselves, without the key. Returns what couldn't be signed."""
    from replay.cassette.directory import descendants
    from replay.cassette.keys import signing_key
    from replay.cassette.resealing import sign_all
    from replay.cassette.signing import Signer

    return sign_all(descendants(path), Signer(signing_key(key)))


def _landed(
    path: str, code: int, keeping: Keeping, more: Mapping[str, Any], signer: Callable[[str], Sign] | None
) -> Recording:
    """The program with a flight recorder has ended: well, or so that its ring is saved."""
    from replay.cassette import merging
    from replay.cassette.locks import hold

    folder = ring_of(path)
    held = hold(folder)
    outcome = merging.outcome(folder)
    kept = outcome is None or not keeping.forgets({**outcome, "exit_code": code})
    if kept:
        how = "was killed" if code > 128 or outcome is None else "failed" if code else "asked for it"
        path = merging.merge(folder, path, f"the program {how}", {"exit_code": code, **more}, signer)
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)
    return Recording(path, code, finished=outcome is not None, kept=kept or os.path.exists(path))


def _take_back(path: str) -> None:
    """The recorded process left its name to a successor that turned out to be no Python: the recording is its own."""
    if os.path.exists(path):
        return
    from replay.cassette.directory import children
    from replay.cassette.family import header_at

    for moved in children(path):
        if "parent" not in (header_at(moved) or {"parent": None}):
            os.rename(moved, path)
            with suppress(OSError):
                os.rmdir(moved.parent)
            return
