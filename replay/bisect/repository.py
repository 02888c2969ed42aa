"""A git repository, by its own commands: history, worktrees, and `git bisect` in a worktree of its own.

The user's checkout, index, branches and own bisection are never touched: each worktree has its own. Hooks don't run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from replay.model.errors import GitFailed, UsageError

Word = Literal["good", "bad", "skip"]

_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its whole name, who wrote it, when (ISO 8601), and the first line of what it says."""

    name: str
    author: str
    date: str
    subject: str


class Repository:
    """The one around a directory.

    Raises:
        GitFailed: there is none, or no git.
    """

    def __init__(self, directory: str) -> None:
        self.root = directory
        self.root = self.git("rev-parse", "--show-toplevel").strip()

    def git(self, *words: str, cwd: str | None = None, ok: Sequence[int] = (0,)) -> str:
        """What `git …` prints.

        Raises:
            GitFailed: it isn't there, or ends with a code that isn't among `ok`; says what git said.
        """
        command = ["git", "-C", cwd or self.root, *_QUIET, *words]
        try:
            done = subprocess.run(
                command, env=_environment(), capture_output=True, check=False, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise GitFailed(f"git can't be run: {error.strerror}") from None
        if done.returncode not in ok:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise GitFailed(f"git {words[0]}: {said or f'exit {done.returncode}'}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def commit(self, revision: str) -> str:
        """The name of the commit that `revision` means.

        Raises:
            UsageError: it means none.
        """
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
        except GitFailed:
            raise UsageError(f"no such commit: {revision}", hint=f"in {self.root}") from None

    def about(self, commit: str) -> Commit:
        """Who wrote it, and what it says."""
        said = self.git("show", "--no-patch", "--format=%H%x00%an%x00%aI%x00%s", commit)
        name, author, date, subject = said.rstrip("\n").split("\0")
        return Commit(name, author, date, subject)

    def diffstat(self, commit: str) -> str:
        """The files that it changes, and how much."""
        return self.git("show", "--format=", "--stat", "--no-color", commit).strip("\n")

    def parents(self, commit: str) -> list[str]:
        """The first one first."""
        return self.git("rev-list", "--parents", "-n", "1", commit).split()[1:]

    def is_ancestor(self, one: str, other: str) -> bool:
        """Whether `other` has `one` in its history, or is it."""
        try:
            self.git("merge-base", "--is-ancestor", one, other)
        except GitFailed:
            return False
        return True

    def changed(self, one: str, other: str, paths: Sequence[str]) -> list[str]:
        """Those of `paths` that differ between two commits; patterns as git has them."""
        return self.git("diff", "--name-only", "-z", one, other, "--", *paths).split("\0")[:-1]

    def blobs(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """Path -> name of its content, of those that the commit has."""
        found: dict[str, str] = {}
        for line in self.git("ls-tree", "-z", "--full-tree", commit, "--", *paths).split("\0")[:-1]:
            facts, _, path = line.partition("\t")
            _, kind, name = facts.split(" ")
            if kind == "blob":
                found[path] = name
        return found

    def add_worktree(self, directory: str, commit: str) -> None:
        """A worktree there, without files."""
        self.git("worktree", "add", "--quiet", "--detach", "--no-checkout", directory, commit)

    def remove_worktree(self, directory: str) -> None:
        """It and its files."""
        self.git("worktree", "remove", "--force", "--force", directory, ok=(0, 128))

    def put(self, directory: str, commit: str) -> None:
        """Make that worktree hold the files of that commit; what is ignored there (environments, builds) stays."""
        self.git("clean", "-fdq", cwd=directory)
        self.git("checkout", "--quiet", "--force", "--detach", commit, cwd=directory)


class Bisection:
    """`git bisect`, in a worktree without files: it says which commit to try, and is told what came of it.

    Attributes:
        asked: the commit to try; None when it is over.
        first_bad: the culprit. candidates: where only skipped ones are left, all that may be it.

    Raises:
        GitFailed: it can't work on these commits, such as a good one that comes after the bad one.
    """

    def __init__(self, repository: Repository, directory: str, bad: str, good: Sequence[str]) -> None:
        self._repository = repository
        self._directory = directory
        self.asked: str | None = None
        self.first_bad: str | None = None
        self.candidates: list[str] = []
        self.skipped: list[str] = []
        repository.add_worktree(directory, bad)
        self._git("start", "--no-checkout", bad, *good)
        self._look()

    def tell(self, commit: str, word: Word) -> None:
        """What came of a commit: also of one that wasn't asked for."""
        self._git(word, commit)
        if word == "skip":
            self.skipped.append(commit)
        self._look()

    def log(self) -> str:
        """What `git bisect replay` reads."""
        return self._git("log").replace("git bisect start '--no-checkout' ", "git bisect start ")

    def near(self) -> list[str]:
        """Commits that aren't skipped, best to try next first: those that halve what is left."""
        said = self._repository.git("rev-list", "--bisect-all", *self._suspects(), cwd=self._directory)
        return [name for name in (line.split(" ")[0] for line in said.splitlines()) if name not in self.skipped]

    def left(self) -> int:
        """How many commits may still be it, that weren't skipped."""
        return 0 if self.asked is None else len(self.near())

    def ahead(self, number: int) -> list[str]:
        """The commit that is asked for, and those that may be asked for after it: at most `number`, soonest first."""
        if self.asked is None:
            return []
        found: list[str] = []
        waiting: list[tuple[str, tuple[str, ...], str]] = [("refs/bisect/bad", (), self.asked)]
        while waiting and len(found) < number:
            bad, good, commit = waiting.pop(0)
            if commit not in found:
                found.append(commit)
            for worst, best in ((commit, good), (bad, (*good, commit))):
                words = ("rev-list", "--bisect", *self._suspects(worst, best))
                said = self._repository.git(*words, cwd=self._directory).split()
                if said and said[0] not in (commit, worst):
                    waiting.append((worst, best, said[0]))
        return found

    def _suspects(self, bad: str = "refs/bisect/bad", good: Sequence[str] = ()) -> list[str]:
        known = self._repository.git(
            "for-each-ref", "--format=%(refname)", "refs/bisect/good-*", cwd=self._directory
        ).split()
        return [bad, "--not", *known, *good]

    def _git(self, *words: str) -> str:
        return self._repository.git("bisect", *words, cwd=self._directory, ok=(0, 2))  # 2: only skipped ones are left

    def _look(self) -> None:
        log = self._git("log")
        self.asked = None
        for line in log.splitlines():
            if line.startswith("# first bad commit: ["):
                self.first_bad = line.partition("[")[2].partition("]")[0]
            elif line.startswith("# possible first bad commit: ["):
                self.candidates.append(line.partition("[")[2].partition("]")[0])
        if self.first_bad is None and not self.candidates:
            self.asked = self._repository.git("rev-parse", "BISECT_HEAD", cwd=self._directory).strip()


def _environment() -> dict[str, str]:
    """Ours, in the language that we read, and not bound to the repository of a hook that we may run in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat"}


def inside(path: str, root: str) -> str | None:
    """`path` as seen from `root`; None where it isn't below it.

    Example:
        >>> inside("/repo/src/a.py", "/repo"), inside("/repository", "/repo"), inside("/repo", "/repo")
        ('src/a.py', None, '')
    """
    relative = os.path.relpath(path, root)
    if relative == ".":
        return ""
    return None if relative == ".." or relative.startswith("../") else Path(relative).as_posix()
