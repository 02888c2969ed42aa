"""Recording a part of a program from within: `replay.record(...)` around a block, `@replay.entrypoint` around calls.

A block or a call is one session: one cassette, one door, lanes of its own. Sessions overlap freely in threads and
tasks, because a lane knows its door. Inside a session, or in a process that `replay record` started, both are
transparent: what they would record is being recorded already.

At replay the program is started again: for a block until it reaches the same `record(...)` again; for a call the
function is looked up and called with the recorded arguments (`replay.reenter`).
"""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Unpack, overload

from replay import closing, counters, options, otel, uploading
from replay.boundary import interrupts, lanes, originals, sites
from replay.boundary.lanes import become, running
from replay.boundary.traceparent import begin as begin_trace
from replay.boundary.traceparent import parse as parse_trace
from replay.cassette.codec import pack
from replay.cassette.directory import default_directory
from replay.cassette.header import new_id
from replay.cassette.keeping import Keeping, Kept
from replay.cassette.redact.detectors import SIEVE
from replay.cassette.redact.rules import Given
from replay.model.errors import CassetteExists, CassetteMissing, CassetteUnreadable, NotStorable, ReplayError
from replay.part import prepared
from replay.recorder.protection import Protection, protection
from replay.recorder.recorder import Recorder
from replay.recorder.start import start_recorder
from replay.recorder.trouble import warn_on_stderr
from replay.runtime import blindspots, chance, facts, warm
from replay.runtime.install import install
from replay.seams._added import found

P = ParamSpec("P")
R = TypeVar("R")

_blocks = itertools.count()
_OF_THE_PLACE = (CassetteExists, CassetteMissing, CassetteUnreadable)


@dataclass(slots=True)
class Session:
    """A recording that is going on.

    Attributes:
        path: the cassette; at replay: where it was recorded to. None where nothing is recorded here (an outer recording
            has it, or it couldn't begin).
        outcome: what goes into the cassette's end; the result or the exception of the block.
    """

    path: Path | None
    outcome: dict[str, Any] = field(default_factory=dict[str, Any])


@contextmanager
def record(
    path: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    threads: Literal["order", "strict"] | None = None,
    redact: Given = None,
    **keep: Unpack[Kept],
) -> Generator[Session]:
    """Record what happens in a `with` block, in this thread and in the tasks and threads it starts.

    Works around synchronous and asynchronous code alike (it is a plain `with` in both).

    Args:
        path: the cassette; a new one in the cassette directory by default. Where there is something already, it is left
            as it is, and the recording gets the next free name beside it (`incident-2.cassette`), with a warning.
        name: for the header.
        tags: words with values to find it by, for the header.
        threads: `strict`: one thread at a time, so that data races in pure memory replay, too (docs/limits.md).
        redact: what is a secret besides what looks like one: a file of rules, or a table of them (docs/redaction.md).
        keep: what becomes of the recording: `flight_recorder="64MB"`, `sample=0.01`, `keep="on-failure"`,
            `retain_age="7d"`, `retain_size="2GB"` (docs/production.md).

    A path that can't be written, or a full disk, is no error: a warning, and the block runs unrecorded.

    Raises:
        UsageError: the rules can't be read. ValueError: other `threads` or `tags` than those.

    Example:
        with replay.record("incident.cassette", tags={"env": "prod"}):
            agent.run(ticket)
    """
    if threads not in (None, "order", "strict"):
        raise ValueError(f"replay.record(threads={threads!r}): it is 'order' or 'strict'")
    if not isinstance(tags or {}, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"replay.record(tags={tags!r}): it is a mapping of names to texts")
    caller = originals.frame(2)  # contextmanager's __enter__ and this generator lie between
    site = [os.path.abspath(caller.f_code.co_filename), caller.f_lineno]
    ordinal = next(_blocks)
    _install()
    part = prepared()
    if part is not None:
        if part.ordinal == ordinal:
            said = part.entry.get("said")
            with part.play():
                yield Session(Path(said) if said else None)  # what the program may have printed
        else:
            yield Session(None)
        return
    entry = {"type": "block", "site": site, "ordinal": ordinal, "warm": warm.installed()}
    if running.lane is not None:  # an outer recording has it
        yield Session(None)
        return
    known = options.current()
    trace = begin_trace(otel.current() or originals.environ_get("TRACEPARENT"), originals.urandom(24), known.propagate)
    header = {
        "entry": entry,
        "name": name or known.name,
        "tags": {**known.tags, **(tags or {})},
        "argv": sys.orig_argv,
        "threads": threads or known.threads,
        "trace": trace.to_header(),
    }
    with _session(path, header, redact or known.redact, keep, known) as session:
        yield session


@overload
def entrypoint(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def entrypoint(
    *,
    directory: str | os.PathLike[str] | None = ...,
    name: str | None = ...,
    tags: Mapping[str, str] | None = ...,
    linger: float | None = ...,
    redact: Given = ...,
    **keep: Unpack[Kept],
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def entrypoint(
    function: Callable[..., Any] | None = None,
    /,
    *,
    directory: str | os.PathLike[str] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    linger: float | None = None,
    redact: Given = None,
    **keep: Unpack[Kept],
) -> Any:
    """Record each call of a function into a cassette of its own; overlapping calls are kept apart.

    For handlers of servers and workers, synchronous or not. `REPLAY=off` in the environment turns it off.

    Args:
        directory: where the cassettes go; `$REPLAY_DIR`, else `.replay/`.
        name: for the headers; the function's by default.
        tags: for the headers.
        linger: seconds for which tasks, threads and jobs that outlive the call stay with it; 60 by default.
        redact: see `record`.
        keep: as for `record`.

    Example:
        @replay.entrypoint
        async def handle(ticket: Ticket) -> Reply: ...
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        sessions = Sessions(directory=directory, name=name, tags=tags, linger=linger, redact=redact, **keep)
        return _entrypoint(function, sessions)

    return decorate if function is None else decorate(function)


def _entrypoint(function: Callable[..., Any], sessions: Sessions) -> Callable[..., Any]:
    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return sessions.begin(_call_entry(function, args, kwargs), name=function.__name__)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            if not sessions.wanted():
                return await function(*args, **kwargs)
            with begin(args, kwargs) as session:
                session.outcome["result"] = result = await function(*args, **kwargs)
                return result

        return asynchronous

    @functools.wraps(function)
    def synchronous(*args: Any, **kwargs: Any) -> Any:
        if not sessions.wanted():
            return function(*args, **kwargs)
        with begin(args, kwargs) as session:
            session.outcome["result"] = result = function(*args, **kwargs)
            return result

    return synchronous


class Options(Kept, total=False):
    """Of sessions; spelled out, since who adds middleware hands them on by name."""

    directory: str | os.PathLike[str] | None
    name: str | None
    tags: Mapping[str, str] | None
    linger: float | None
    redact: Given


class Sessions:
    """The sessions of one entry point or application: one per call.

    Args:
        directory, name, tags, linger, keep: see `entrypoint`.
    """

    def __init__(
        self,
        *,
        directory: str | os.PathLike[str] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        linger: float | None = None,
        redact: Given = None,
        **keep: Unpack[Kept],
    ) -> None:
        known = options.current()
        self._known = known
        self._keeping = Keeping.of(known, **keep)
        self._directory = Path(directory or known.directory)
        _recover(self._keeping, self._directory)
        self._name = name or known.name
        self._tags = {**known.tags, **(tags or {})}
        self._linger = known.linger if linger is None else linger
        self._propagate = known.propagate
        self._on = known.enabled
        self._redact = redact or known.redact
        _install()  # now, so that the loop that is going to call it makes handles that know their lane
        if self._on and prepared() is None:
            SIEVE.prepare()
        if prepared() is None or warm.installed():  # a replay has found it out before, where the recording had
            warm.install()

    def wanted(self) -> bool:
        """Whether a call that begins here and now is to be recorded."""
        return self._on and running.lane is None and prepared() is None and originals.environ_get("REPLAY") != "off"

    @contextmanager
    def begin(self, entry: dict[str, Any], *, name: str, traceparent: str | None = None) -> Generator[Session]:
        """Record what happens in the block, as the call that `entry` describes.

        Args:
            name: where the options name none.
            traceparent: what it was called with; the environment's or OpenTelemetry's by default.
        """
        milliseconds = originals.wall_ns() // 1_000_000
        path = self._directory / f"{new_id(milliseconds, originals.urandom(10))}.cassette"
        incoming = traceparent or otel.current() or originals.environ_get("TRACEPARENT")
        trace = begin_trace(incoming, originals.urandom(24), self._propagate)
        if not self._keeping.samples(trace.id):
            yield Session(None)
            return
        header = {
            "entry": {**entry, "thread": "main" if interrupts.on_main_thread() else "worker", "warm": True},
            "name": self._name or name,
            "tags": self._tags,
            "argv": sys.orig_argv,
            "executable": sys.executable,
            "trace": trace.to_header(),
        }
        recorder = _begin(path, header, self._redact, self._keeping, self._known, explicit=False)
        if recorder is None:
            yield Session(None)
            return
        otel.note(path, trace.id)
        recorder.offspring = []
        with _within(recorder, Session(path), self._linger) as session:
            yield session


def _call_entry(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "call",
        "module": function.__module__,
        "qualname": function.__qualname__,
        "file": os.path.abspath(function.__code__.co_filename),
        "path": own_path(),
    }
    try:
        pack([args, kwargs])
    except NotStorable as error:
        return {**entry, "gap": f"its arguments couldn't be stored: {error}"}
    return {**entry, "args": args, "kwargs": kwargs}


def own_path() -> list[str]:
    """Where the program finds its own modules."""
    return [entry for entry in sys.path if not sites.is_library(os.path.join(entry, "x"))]


@contextmanager
def _session(
    path: str | os.PathLike[str] | None, header: dict[str, Any], redact: Given, keep: Kept, known: options.Options
) -> Generator[Session]:
    where = Path(path) if path is not None else _new_path()
    keeping = Keeping.of(known, **keep)
    told = parse_trace(otel.current() or originals.environ_get("TRACEPARENT"))
    if not keeping.samples(told.trace if told else where.stem):
        yield Session(None)
        return
    _recover(keeping, where.parent)
    recorder = _begin(where, header, redact, keeping, known, explicit=True)
    if recorder is None:
        yield Session(None)
        return
    with _within(recorder, Session(Path(recorder.path)), None) as session:
        yield session


@contextmanager
def _within(recorder: Recorder, session: Session, linger: float | None) -> Generator[Session]:
    """`linger`: how long it waits for what it began; None: it ends here and now."""
    carried = lanes.carrier.get()
    become(recorder.new_lane("m"))
    try:
        yield session
    except BaseException as error:
        kind = type(error)
        session.outcome["exception"] = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
        raise
    finally:
        running.lane = None
        lanes.carrier.set(carried)
        blindspots.note_clocks(recorder)
        if linger is None:
            recorder.finish(_storable(session.outcome), seal=True)
            counters.ended(recorder)
            closing.retain(recorder)
        else:
            closing.end(recorder, _storable(session.outcome), linger)


def _begin(
    path: Path, header: dict[str, Any], redact: Given, keeping: Keeping, known: options.Options, *, explicit: bool
) -> Recorder | None:
    """A recorder, or None with a warning: recording never stops the program.

    What is wrong in every run (rules, keys) is raised where the author asked for it (`explicit`); what depends on the
    state of the disk never is.
    """
    _install()
    seed = originals.environ_get("PYTHONHASHSEED", "random")
    cwd = os.getcwd()
    more: dict[str, Any] = {"cwd": cwd, "environment": facts.environment(), "git": _git(cwd), "hash_seed": seed}
    more |= {"seams": list(_seams)} if _seams else {}
    try:
        if (not explicit or path.parent == Path(known.directory)) and not os.path.isdir(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        guard = protection(known.sign, known.encrypt)
        recorder = _start(path, {**header, **more}, redact, keeping, guard)
    except Exception as error:  # some ours: no reason for the program to fail
        if explicit and isinstance(error, ReplayError) and not isinstance(error, _OF_THE_PLACE):
            raise
        warn_on_stderr(f"nothing is recorded: {_reason(error, path)}")
        counters.dropped()
        return None
    counters.began(recorder)
    for what, detail in _misfits:
        recorder.blind(what, detail)
    if seed == "random":
        recorder.blind("hash seed", "PYTHONHASHSEED isn't fixed: sets of strings may iterate otherwise at replay")
    return recorder


def _start(path: Path, header: dict[str, Any], redact: Given, keeping: Keeping, guard: Protection) -> Recorder:
    """At `path`; where another file is, at the next free name beside it."""
    for number in itertools.count(1):
        where = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        header["entry"]["said"] = os.fspath(where)
        try:
            recorder = start_recorder(os.fspath(where), header, chance.new_seed(), redact, keeping, guard)
        except CassetteExists:
            if not where.is_file():  # a device, a directory
                raise
            continue
        if number > 1:
            warn_on_stderr(f"{path} exists already and stays as it is: this is recorded to {where}")
        return recorder
    raise AssertionError("counting ends nowhere")


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror}: {path}"
    return str(error) if isinstance(error, ReplayError) else f"{type(error).__name__}: {error}"


def _recover(keeping: Keeping, directory: Path) -> None:
    """What flight recorders have left whose processes were killed."""
    if keeping.flight_recorder:
        from replay.cassette.merging import recover

        with lanes.nobody():
            recover(directory)


_misfits: list[tuple[str, str]] = []
"""Libraries that a seam doesn't fit: blind spots of every session of this process."""

_seams: list[str] = []
"""Other packages' seams that are installed in this process."""


@functools.cache
def _install() -> None:
    part = prepared()
    seams, lost = (part.seams, []) if part is not None else found(options.current().seams)
    _seams.extend(seam.name for seam in seams)
    _misfits.extend(("seam", why) for why in lost)
    install(lambda what, detail: _misfits.append((what, detail)), seams)
    loops = sys.modules.get("replay.runtime.loops")
    if loops is not None:
        loops.adopt_running_loop()
    url = options.current().upload
    if url is not None:
        closing.upload_to(uploading.Beside(url, warn_on_stderr))


@functools.cache
def _git(directory: str) -> dict[str, Any] | None:
    """Asked once: what a server runs is what was checked out when it began, and each question is a process."""
    with lanes.nobody():
        repository = facts.Git(directory)
        commit = repository.commit()
        return None if commit is None else {**commit, "dirty": repository.dirty()}


def _new_path() -> Path:
    name = new_id(originals.wall_ns() // 1_000_000, originals.urandom(10))
    return default_directory() / f"{name}.cassette"


@functools.lru_cache(maxsize=1)
def _sources(_modules: int) -> dict[str, str]:
    """Of what is imported: a server asks at the end of each request."""
    return facts.program_sources(sys.orig_argv)


def _storable(outcome: dict[str, Any]) -> dict[str, Any]:
    whole = {"exception": None, "sources": _sources(len(sys.modules)), **outcome}
    try:
        pack(outcome.get("result"))
    except NotStorable as error:
        del whole["result"]
        whole["result_gap"] = str(error)
    return whole
