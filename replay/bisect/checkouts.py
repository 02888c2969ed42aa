"""What came of a commit: its code executes the recording again, in a worktree of its own; or a command judges it.

- Files of the repository that the recorded program read as they were committed (prompts, settings) are the commit's,
  not the recording's: they are as much code as the rest. Everything else is answered by the recording.
- Modules come from the worktree, also those that an editable installation would find in the user's checkout.
- A program that can't even be imported there tells nothing: skip.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import queue
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from replay import expect
from replay.bisect.commits import Trial
from replay.bisect.repository import Repository, inside
from replay.cassette.cassette import load
from replay.expect.syntax import And, Compare, Expression, Not, Or, Raises
from replay.expect.values import walk
from replay.launch import Run, run
from replay.launch.origin import Beginning, recorded_command
from replay.launch.starting import alone
from replay.limits import Limits
from replay.model.errors import CassetteDamaged, GitFailed, LimitReached, NotReplayable, TrialAborted
from replay.model.inside import INSIDE
from replay.process import end_all

LOCKS: Final = (
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "conda-lock.yml", "environment.yml", "pylock*.toml"),
    *("requirements*.txt", "constraints*.txt", "pyproject.toml", "setup.py", "setup.cfg"),
)
"""Files that say what has to be installed: where one differs from the last set-up, `--setup` runs again."""

_UNBUILT: Final = frozenset({"SyntaxError", "IndentationError", "TabError", "ImportError", "ModuleNotFoundError"})
_SKIP, _ABORT = 125, 128


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each commit.

    Attributes:
        cassette: an absolute path. expected: what has to hold of the re-execution; None: that it is identical.
        command: the user's, which judges by its exit code as `git bisect run` has it, instead of a re-execution.
        setup: a shell command that installs what the commit needs.
        run_tools: bodies of tools are the commit's code, too; only an old recording can't run them.
        seconds: how long a re-execution, the command and the set-up may take, each; None: as long as they like.
    """

    cassette: str
    expected: Expression | None = None
    command: Sequence[str] = ()
    setup: str | None = None
    match: Literal["strict", "lenient"] = "lenient"
    run_tools: bool = True
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A file of the repository that the recorded program read as it was committed."""

    event: int
    path: str
    blob: str


class Checkouts:
    """Worktrees below a directory, in which commits are tried. `judge` may be called by as many threads as there are.

    Raises:
        The errors of reading a cassette; NotReplayable: it can't be executed again.
    """

    def __init__(self, repository: Repository, directory: str, question: Question, *, count: int = 1) -> None:
        self._repository = repository
        self._question = question
        self._free: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._prepared: dict[str, Mapping[str, str]] = {}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ending = False
        self.directories = [os.path.join(directory, f"tree-{number}") for number in range(count)]
        for each in self.directories:
            repository.add_worktree(each, "HEAD")
            self._free.put(each)
        self._beginning = Beginning.of(question.cassette)
        self._argv = recorded_command(self._beginning.header, question.cassette)
        self._root, self.prefix = self._place(self._beginning.header)
        self._modules, self._reads = self._of_repository()

    def judge(self, commit: str) -> Trial:
        """What came of that commit."""
        directory = self._free.get()
        try:
            if self._ending:
                raise TrialAborted("the search was interrupted")
            self._repository.put(directory, commit)
            trouble = self._prepare(directory, commit)
            if trouble is not None:
                return Trial(commit, "skip", trouble)
            if self._question.command:
                return self._ask(directory, commit)
            return self._execute(directory, commit)
        except LimitReached as error:
            return Trial(commit, "skip", error.what)
        finally:
            self._free.put(directory)

    def execute(self, commit: str) -> Run | None:
        """Its re-execution alone, to see what it does; None where there is none."""
        directory = self._free.get()
        try:
            self._repository.put(directory, commit)
            evidence = None if self._prepare(directory, commit) else self._execute(directory, commit).evidence
            return evidence if isinstance(evidence, Run) else None
        except LimitReached:
            return None
        finally:
            self._free.put(directory)

    # -- the recorded program ----------------------------------------------------------------------------------

    def _place(self, header: Mapping[str, Any]) -> tuple[str, str]:
        """Where the repository lay when it was recorded, and the program's directory in it."""
        cwd = str(header.get("cwd") or self._repository.root)
        known: Mapping[str, Any] = header.get("git") or {}
        for root in (known.get("root"), self._repository.root):
            if root is not None and inside(cwd, str(root)) is not None:
                return str(root), inside(cwd, str(root)) or ""
        return cwd, ""  # recorded elsewhere, such as in a container: its directory was the repository's

    def _of_repository(self) -> tuple[tuple[str, ...], tuple[_Read, ...]]:
        """Folders in which its own modules are found, and its files that the program read, as they were committed."""
        known: Mapping[str, Any] = self._beginning.header.get("git") or {}
        commit = known.get("commit")
        with load(self._question.cassette) as cassette:
            sources: Mapping[str, Any] = (cassette.outcome or {}).get("sources") or {}
            found: list[_Read] = []
            written: set[str] = set()
            try:
                for event in cassette.events if commit is not None else ():
                    if event.kind != "file" or not isinstance(name := walk(event.request, ("path",)), str):
                        continue
                    path = os.path.normpath(os.path.join(str(self._beginning.header.get("cwd") or "/"), name))
                    if event.effect == "write":
                        written.add(path)
                    relative = inside(path, self._root)
                    if event.name == "open" and event.content is not None and relative and path not in written:
                        found.append(_Read(event.id, relative, _blob(event.content)))
            except CassetteDamaged:
                pass  # what can't be read isn't executed either
        paths = sorted({read.path for read in found})
        committed = self._blobs(str(commit), paths) if paths else {}
        folders = {_import_root(path) for path in sources if inside(path, self._root) is not None}
        return tuple(sorted(folders)), tuple(read for read in found if committed.get(read.path) == read.blob)

    def _blobs(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        try:
            return self._repository.blobs(commit, paths)
        except GitFailed:
            return {}  # that commit isn't here

    def _moved(self, path: str, directory: str) -> str:
        """The same place in a worktree."""
        relative = inside(path, self._root) if os.path.isabs(path) else None
        there = None if relative is None else os.path.join(directory, relative)
        return path if there is None or not os.path.lexists(there) else there

    # -- trials ------------------------------------------------------------------------------------------------

    def _prepare(self, directory: str, commit: str) -> str | None:
        """Install what it needs, where that differs from what was installed last. Why it can't be; None if it can."""
        if self._question.setup is None:
            return None
        listed = self._repository.blobs(commit, [f"{self.prefix}/"] if self.prefix else []) | self._repository.blobs(
            commit, []
        )
        wanted = {path: blob for path, blob in listed.items() if _is_lock(path)}
        if self._prepared.get(directory) == wanted:
            return None
        self._prepared.pop(directory, None)
        code, output = self._run(["/bin/sh", "-c", self._question.setup], directory, os.environ)
        if code != 0:
            return f"--setup ended with {code}: {_last_line(output)}"
        self._prepared[directory] = wanted
        return None

    def _ask(self, directory: str, commit: str) -> Trial:
        where = os.path.join(directory, self.prefix)
        variables = {**os.environ, "REPLAY_CASSETTE": self._question.cassette, "REPLAY_COMMIT": commit}
        try:
            code, output = self._run(
                list(self._question.command), where if os.path.isdir(where) else directory, variables
            )
        except OSError as error:
            raise TrialAborted(f"can't start {self._question.command[0]}: {error.strerror}") from None
        if code < 0 or code >= _ABORT:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            raise TrialAborted(f"at {commit[:12]} the command {how}", hint="0 good, 125 skip, others below 128 bad")
        why = f"the command ended with {code}: {_last_line(output)}".removesuffix(": ")
        return Trial(commit, "good" if code == 0 else "skip" if code == _SKIP else "bad", why)

    def _execute(self, directory: str, commit: str) -> Trial:
        where = os.path.join(directory, self.prefix)
        if not os.path.isdir(where):
            return Trial(commit, "skip", f"it has no {self.prefix}, where the program was started")
        own = os.path.join(directory, ".venv", "bin", "python")
        python = own if self._question.setup and os.path.exists(own) else self._argv[0]
        command = [python, *(self._moved(word, directory) for word in self._argv[1:])]
        first = command[1] if len(command) > 1 else "-c"
        known = {where if first in ("-m", "-c") else os.path.dirname(os.path.join(where, first))}  # found without us
        folders = [each for each in (self._moved(folder, directory) for folder in self._modules) if each not in known]
        blobs = self._repository.blobs(commit, sorted({read.path for read in self._reads})) if self._reads else {}
        try:
            found = run(
                self._question.cassette,
                command=command,
                cwd=where,
                match=self._question.match,
                output="discard",
                run_tools=self._question.run_tools and INSIDE in self._beginning.header.get("flags", ()),
                modules=folders,
                contents={
                    read.event: os.path.join(directory, read.path)
                    for read in self._reads
                    if blobs.get(read.path, read.blob) != read.blob
                },
                start=alone(Limits(self._question.seconds)),
            )
        except NotReplayable as error:
            return Trial(commit, "skip", error.what)
        return judged(commit, found, self._question.expected)

    def _run(self, command: list[str], directory: str, environ: Mapping[str, str]) -> tuple[int, bytes]:
        """A command of the user, in a session of its own: with what it starts it can be ended at once."""
        if self._ending:
            raise TrialAborted("the search was interrupted")
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._running.add(process)
        try:
            output, _ = process.communicate(timeout=self._question.seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            process.communicate()
            raise LimitReached(f"{shlex.join(command)} ran longer than {self._question.seconds:g} s") from None
        finally:
            self._running.discard(process)
        return process.returncode, output

    def end(self) -> None:
        """Ends what runs, at once, and starts nothing more."""
        self._ending = True
        for process in list(self._running):
            _end(process)
        end_all()


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started, which is in its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def judged(commit: str, found: Run, expected: Expression | None) -> Trial:
    """What a re-execution says of its commit.

    | | without an expectation | with one |
    |---|---|---|
    | good | it is identical | it holds |
    | bad | it diverged, or tried to get out | it doesn't hold |
    | skip | the recording lacks something | it can't be decided |
    | skip | the program can't be imported | the same, unless exceptions are what is expected |
    """
    with load(found.cassette) as cassette:
        subject = expect.reexecuted(cassette, found)
        unbuilt = _unbuilt(found, subject.values.get("exception"))
        if unbuilt is not None and (expected is None or not _about_exceptions(expected)):
            return Trial(commit, "skip", f"its program can't be imported: {unbuilt}", found)
        if expected is not None:
            holds = expect.judge(expected, subject)
            word: Literal["good", "bad", "skip"] = "skip" if holds.holds is None else "good" if holds.holds else "bad"
            weaker = (
                ""
                if found.evidence_until is None
                else f", from event {found.evidence_until} on by other questions' answers"
            )
            return Trial(commit, word, holds.why + weaker, found)
    if found.divergence is not None:
        return Trial(commit, "bad", found.divergence.reason, found)
    if found.escapes:
        return Trial(commit, "bad", f"it tried to get out: {found.escapes[0].what}", found)
    if found.gap is not None:
        return Trial(commit, "skip", found.gap, found)
    if found.drift:
        return Trial(commit, "bad", f"{len(found.drift)} requests differed", found)
    return Trial(commit, "good", "identical", found)


def _unbuilt(found: Run, raised: Any) -> str | None:
    """By what the program died before it did anything that only programs do."""
    if not isinstance(raised, str) or raised.partition(":")[0].rpartition(".")[2] not in _UNBUILT:
        return None
    with load(found.cassette) as cassette:
        before = (cassette.events[number] for number in range(found.events + found.inside))
        done = any(event.kind not in ("clock", "entropy", "env", "file", "output") for event in before)
    return None if done else raised


def _about_exceptions(expected: Expression) -> bool:
    match expected:
        case And(items) | Or(items):
            return any(map(_about_exceptions, items))
        case Not(item):
            return _about_exceptions(item)
        case Raises():
            return True
        case Compare(path):
            return path[0] == "exception"
        case _:
            return False


def _blob(content: bytes) -> str:
    """The name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _import_root(path: str) -> str:
    """The folder in which the module of that file is found by its whole name."""
    folder = os.path.dirname(path)
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder


def _is_lock(path: str) -> bool:
    return any(fnmatch.fnmatch(os.path.basename(path), pattern) for pattern in LOCKS)


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""
