"""Starting programs: `record_command` and `run` prepare a process, wait for it, and say what came of it.

What reads cassettes is imported while the program runs or when it is needed: nobody waits for it before the start.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from replay import process
from replay.bootstrap import STOPPED, Spec
from replay.boundary import originals, traceparent
from replay.cassette.directory import ring_of
from replay.cassette.keeping import ALWAYS, Keeping, all_well, remove
from replay.model.errors import (
    BeginningLost,
    CassetteDamaged,
    CassetteExists,
    InsideNotRecorded,
    NotRecorded,
    NotReplayable,
    UsageError,
)
from replay.model.inside import INSIDE
from replay.process import Output
from replay.recorder.protection import Protection, protection
from replay.runtime import facts
from replay.runtime.descent import environment
from replay.runtime.environ import PROXY

if TYPE_CHECKING:
    from replay.cassette.reader import Reader
    from replay.cassette.sealing import Sign
    from replay.model.verdict import Divergence, Escape, HoleUse
    from replay.runtime.walls.told import Told

Threads = Literal["order", "strict"]

_BESIDE = "it begins where its parent forked; keep X.cassette and X.d together"
_BIRTHS = frozenset(("os.fork", "multiprocessing.start"))
"""Events of which each made one child, that does what the parent was about to do."""
_OLDER = "an older agent-replay recorded it; its tools can be answered, but not run"
_TRACE = "values.trace"
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
    """

    path: str
    exit_code: int
    finished: bool
    unsigned: Sequence[str] = ()
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a replay.

    Attributes:
        identical: the same execution, to the end of the recording (or to its cut).
        events: how many recorded events came out alike.
        divergence: the first difference. escapes: attempts to get past the door. gap: what the recording lacks.
        drift: differing requests that `match="lenient"` answered all the same.
        cut: the recording is unfinished and was replayed to where it stops.
        exit_code: the program's own, None where the replay ended it. stdout, stderr: its output, where captured.
        blind_spots: how many the recording has: what `identical` can't vouch for.
        holes: what was done for real because `allow` let it. walls: what stood around the replay: `audit` (the
            interpreter's events), `landlock` and `seccomp` (the kernel's).
        result, exception: of an entry point's call.
        tools: whether the calls of tools were `answered` from the recording, or their bodies `run` again.
        answered: how many there were. inside: how many events of their bodies were left out; `bodies`: of how many.
        by_answers: how a first attempt, without bodies, differed.
        command, directory: what was run, and where.
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
    holes: tuple[HoleUse, ...] = ()
    walls: tuple[str, ...] = ()
    tools: Literal["answered", "run"] = "answered"
    answered: int = 0
    inside: int = 0
    bodies: int = 0
    by_answers: Divergence | None = None
    command: tuple[str, ...] = ()
    directory: str = ""

    @property
    def differs(self) -> bool:
        """It diverged, tried to get out, or came to what wasn't stored."""
        return self.divergence is not None or bool(self.escapes) or self.gap is not None

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
            "holes": [asdict(use) for use in self.holes],
            "walls": list(self.walls),
            "tools": self.tools,
            "inside": {"events": self.inside, "tools": self.bodies},
            "by_answers": None if self.by_answers is None else self.by_answers.to_json(),
        }


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
    propagate: str = "auto",
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
        raise UsageError("a flight recorder can't be encrypted", hint="leave out --encrypt or --flight-recorder")
    variables = os.environ if variables is None else variables
    identity = variables.get("TRACEPARENT", "")[3:35] or os.path.basename(path).removesuffix(".cassette")
    if not keeping.samples(identity):
        _, code, _, _ = process.start(command, variables, output)
        return Recording(path, code, finished=False, kept=False)
    os.makedirs(os.path.dirname(path), exist_ok=True)
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
        sign = None if signer is None else signer(reader.header["id"])
    if ended:
        finish(path, {"exit_code" if own else "command_exit_code": code, **more}, sign)
        if keeping.forgets({**(outcome or {}), "exit_code": code}) and all_well(path):
            remove(Path(path))
            return Recording(path, code, finished=True, kept=False)
    return Recording(path, code, finished=ended)


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
    from replay.cassette.ring import hold

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


def run(
    cassette: str | os.PathLike[str],
    *,
    command: Sequence[str] | None = None,
    match: Literal["strict", "lenient"] = "strict",
    until: int | None = None,
    output: Output = "capture",
    cwd: str | None = None,
    allow: Sequence[str] = (),
    trace: str | None = None,
    run_tools: bool | None = None,
    again: Callable[[Run], None] | None = None,
) -> Run:
    """Re-execute what a cassette recorded: offline, without side effects, in a process of its own.

    Args:
        cassette: a path, an id prefix, or `latest`.
        command: another command instead of the recorded one.
        match: `lenient` answers a differing request at the same place, and counts it as drift.
        until: stop before that event.
        output: what becomes of the program's output.
        cwd: where to run it; by default here if there is a `command`, else where it was recorded, if that exists.
        allow: holes in the sandbox, such as `connect:127.0.0.1:8080` or `write:/var/log/agent`
            (`replay.runtime.holes`); each use of one is in `Run.holes`.
        trace: a file for the values of the program's lines (`replay.runtime.trace`).
        run_tools: False: tools give their recorded answers. True: their bodies are run again, inside the sandbox, and
            what they ask of the world is answered. None: answers, and where these don't lead to the same execution,
            once more with bodies: tools may change what the program holds in memory. `Run.tools` says which it was.
        again: told of the first attempt before the second one begins.

    Raises:
        CassetteMissing and the other errors of reading; NotReplayable: there is nothing to run here.
        InsideNotRecorded: `run_tools` of an older recording.

    Example:
        run = replay.run("incident.cassette")
        assert run.identical, run.divergence
    """
    from replay.cassette.directory import resolve
    from replay.cassette.family import header_at

    found = resolve(cassette)
    if ":/" in os.fspath(found) and not found.exists():
        fetch = import_module("replay.cassette.remote").fetched
        with fetch(os.fspath(found)) as (url, copy):
            return replace(
                run(
                    copy, command=command, match=match, until=until, output=output, cwd=cwd, allow=allow, trace=trace,
                    run_tools=run_tools, again=again,
                ),
                cassette=url,
            )  # fmt: skip
    path = os.path.abspath(found)

    def attempt(bodies: bool) -> Run:
        return _attempt(path, command, match, until, output, cwd, allow, trace, bodies)

    has_bodies = INSIDE in (header_at(path) or {}).get("flags", ())
    if run_tools and not has_bodies:
        raise InsideNotRecorded(f"{path} doesn't say what happened inside its tools", hint=_OLDER)
    first = attempt(bool(run_tools))
    if run_tools is not None or not has_bodies or not first.answered or not first.differs:
        return first
    if again is not None:
        again(first)
    try:
        second = attempt(True)
    except NotReplayable:  # it died before its verdict
        return first
    return first if second.differs else replace(second, by_answers=_how_it_differed(first))


def _how_it_differed(first: Run) -> Divergence:
    from replay.model.verdict import Divergence

    return first.divergence or Divergence(None, first.gap or "it tried to get out", None, None)


def _attempt(
    path: str,
    command: Sequence[str] | None,
    match: str,
    until: int | None,
    output: Output,
    cwd: str | None,
    allow: Sequence[str],
    trace: str | None,
    bodies: bool,
) -> Run:
    from replay.cassette.reader import Reader
    from replay.model.verdict import Verdict
    from replay.player.frames import environment_of
    from replay.runtime.attempts import Log
    from replay.runtime.holes import Holes, addresses
    from replay.runtime.walls.supervisor import Supervisor
    from replay.runtime.walls.told import Told

    with Reader.open(path) as reader:
        _check_whole(reader, path)
        _check_beginning(reader.header, path)
        recorded = reader.outcome
        blind = len(reader.blind_spots)
        total = len(reader)
        origin, way = _way(path, reader.header)
    with Reader.open(origin) as reader:
        _check_whole(reader, origin)
        _check_beginning(reader.header, origin)
        header = reader.header
        variables = environment_of(reader)
    argv = list(command) if command else _recorded_command(header, path)
    # what is typed here means the program that lies here, not one of that name where it was recorded
    directory = cwd or (os.getcwd() if command else header.get("cwd")) or os.getcwd()
    if not os.path.isdir(directory):
        directory = os.getcwd()
    process.check_replayable(argv, directory)
    holes = Holes(allow, addresses)
    scratch = tempfile.mkdtemp(prefix="replay-")
    try:
        verdict_path = os.path.join(scratch, "verdict.json")
        environ, restore = environment(os.environ, header.get("hash_seed"))
        own_proxies = {key: None for key in environ if key.lower().endswith(PROXY)}
        for key, value in {**own_proxies, **header.get("startup", {}), **variables}.items():
            environ.pop(key, None)
            if value is not None:
                environ[key] = value
        hidden = ("TMPDIR", "TZ")
        restore = {**restore, **{name: environ.get(name) for name in hidden}}
        if "TZ" not in environ and header.get("timezone"):
            environ["TZ"] = header["timezone"]
        spec: Spec = {
            "mode": "replay",
            "cassette": origin,
            "descend": way,
            "environ": restore,
            "scratch": scratch,
            "verdict": verdict_path,
            "part": header["entry"]["type"] != "program",
            "lenient": match == "lenient",
            "until": until,
            "bodies": bodies,
            "allow": list(allow),
            "trace": None if trace is None else os.path.join(scratch, _TRACE),
        }
        with Supervisor(scratch, holes) as supervisor:
            spec["channel"] = supervisor.channel
            more = {"REPLAY_BOOT": json.dumps(spec), "TMPDIR": scratch}
            _, code, out, err = process.start(
                argv, {**environ, **more}, output, directory, contained=True, channel=supervisor.channel
            )
        verdict = _read_verdict(verdict_path)
        if trace is not None:
            with suppress(OSError):
                shutil.copyfile(os.path.join(scratch, _TRACE), trace)
        told = Told(Log(scratch), supervisor.noted, () if verdict is None else verdict["escapes"])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for left in glob.glob(f"/dev/shm/sem.{os.path.basename(scratch)}-*"):
            os.unlink(left)
    if verdict is None and told.escapes:
        verdict = {**Verdict().to_json(), "result": None, "before": False}  # it was ended after it had tried to get out
    if verdict is None:
        how = f"was ended by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
        raise NotReplayable(f"the replayed program {how} before it could say what it saw")
    found = _judge(path, verdict, told, code, recorded, blind, total, out, err)
    return replace(found, tools="run" if bodies else "answered", command=tuple(argv), directory=directory)


def _judge(
    path: str,
    verdict: dict[str, Any],
    told: Told,
    code: int,
    recorded: Any,
    blind: int,
    total: int,
    out: bytes,
    err: bytes,
) -> Run:
    from replay.model.verdict import Crossing, Divergence

    then = None if recorded is None else recorded.get("exit_code")
    divergence = _divergence(verdict["divergence"])
    if divergence is not None and verdict["before"]:
        divergence = replace(divergence, reason=f"in its parent, on the way to this child: {divergence.reason}")
    identical = verdict["identical"] and not told.escapes
    ended = code != STOPPED
    if identical and ended and then is not None and code != then and not verdict["cut"]:
        identical = False
        reason = f"the program ended with exit code {code}; recorded was {then}"
        divergence = Divergence(None, reason, Crossing(f"exit code {then}"), Crossing(f"exit code {code}"))
    alike = _alike(verdict, total)
    inside = sum(min(alike, end) - begin for begin, end in verdict["inside"] if begin < alike)
    return Run(
        cassette=path,
        identical=identical,
        events=alike - inside,
        inside=inside,
        bodies=verdict["bodies"],
        answered=verdict["tools"],
        divergence=divergence,
        escapes=told.escapes,
        holes=told.holes,
        walls=told.walls,
        gap=verdict["gap"],
        drift=verdict["drift"],
        cut=verdict["cut"],
        exit_code=code if ended else None,
        recorded_exit_code=then,
        blind_spots=blind,
        stdout=out,
        stderr=err,
        result=_result(verdict["result"]),
    )


def _result(text: str | None) -> Any:
    if text is None:
        return None
    from replay.cassette.codec import unpack
    from replay.cassette.revive import revive

    return revive(unpack(b64decode(text)))


def _alike(verdict: Mapping[str, Any], total: int) -> int:
    """How many recorded events came out alike: all of them, or those before the difference or the stop."""
    divergence = verdict["divergence"]
    if divergence is not None and divergence["event"] is not None:
        return int(divergence["event"])
    if divergence is None and verdict["gap"] is None and (verdict["finished"] or verdict["cut"]):
        return total if verdict["until"] is None else min(total, verdict["until"])
    return min(total, int(verdict["reached"]) + 1)


def _divergence(found: dict[str, Any] | None) -> Divergence | None:
    if found is None:
        return None
    from replay.model.verdict import Candidate, Crossing, Divergence

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


def _like(recorded: Any) -> str:
    """This interpreter, by the name that the recorded process had for it (`python3` in a console script)."""
    same = isinstance(recorded, str) and os.path.dirname(recorded) == os.path.dirname(sys.executable)
    return recorded if same and os.path.exists(recorded) else sys.executable


def _recorded_command(header: Mapping[str, Any], path: str) -> list[str]:
    """The Python process that was recorded; a wrapper that started it (a shell, say) is left out."""
    entry = header["entry"]
    if "gap" in entry:
        raise NotReplayable(f"{path}: {entry['gap']}")
    if entry["type"] in ("call", "asgi", "wsgi"):
        file = entry.get("file")
        if entry.get("module") == "__main__" and file is not None and not os.path.exists(file):
            raise NotReplayable(f"the program of that function is gone, or was no file: {file}")
        return [_like(header.get("executable")), "-c", "import replay.reenter; replay.reenter.main()"]
    argv = list(header["argv"])
    return argv if process.found(argv[0]) is not None else [sys.executable, *argv[1:]]


def _way(path: str, header: Mapping[str, Any]) -> tuple[str, list[tuple[int, str]]]:
    """Where the replay of that recording has to begin, and the children (event, cassette) on the way from there.

    A program begins by itself. What `fork` or `multiprocessing` made begins in the middle of its parent.
    """
    from replay.cassette.family import ancestry, header_at

    way: list[tuple[int, str]] = []
    while header["entry"]["type"] == "fork" or header.get("parent", {}).get("how") == "spawn":
        parent, event = ancestry(path, header), header["parent"].get("event")
        if parent is None:
            raise NotReplayable(f"{path} is a child's, and its parent's recording isn't beside it", hint=_BESIDE)
        began = "a fork server" if event is None else _name_of(parent, event)
        if event is None or began not in _BIRTHS:
            raise NotReplayable(
                f"{path} began in {began}: what it was given to do came through a pipe",
                hint=f"replay show reads it; replay its parent instead: {os.path.relpath(parent)}",
            )
        way.insert(0, (event, path))
        path = os.fspath(parent)
        header = header_at(path) or {}
    return path, way


def _name_of(path: str | os.PathLike[str], event: int) -> str:
    from replay.cassette.reader import Reader

    with Reader.open(path) as reader:
        return reader.event(event).name


def _check_beginning(header: Mapping[str, Any], path: str) -> None:
    """A flight recorder that went round has lost what the program did first, and with it the way to the rest."""
    ring: Mapping[str, Any] = dict(header.get("ring") or {})
    if not ring.get("whole", True):
        raise BeginningLost(
            f"{path} is a flight recorder's, and its first {ring['dropped']} events are gone: it can't run again",
            hint="replay show reads it; a larger --flight-recorder keeps more",
        )


def _check_whole(reader: Reader, path: str) -> None:
    """A recording whose writer died is replayed to the cut; one that was damaged later is not evidence."""
    damage = reader.damage
    if (damage is not None and not damage.cut) or reader.lost_its_seal:
        where = "its footer is gone" if damage is None else f"{damage.reason} at byte {damage.offset}"
        raise CassetteDamaged(
            f"{path} is damaged: {where}",
            offset=0 if damage is None else damage.offset,
            good_events=len(reader),
            hint="replay show tells what can still be read",
        )
