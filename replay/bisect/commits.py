"""The first commit at which something goes wrong: `git bisect` asks, trials answer, several at a time if wanted.

    1  git says which commit halves what is left (its own algorithm, merges and all); trials say good, bad or skip.
    2  While a trial runs, others run whose commits may be asked for next: whatever comes of the first, one is needed.
    3  After a skip the nearest commits are tried, which halve nearly as well; after two more git chooses, by chance and
       further away: broken commits come in rows.
    4  Where all trials came out alike, nothing has shown that the other end is what it is said to be: it is tried.

What a trial is isn't known here: it is given a commit and says what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final, Self

from replay.bisect.repository import Bisection, Repository, Word

_SOON: Final = 0.1
"""Seconds."""
_NEAR: Final = 2
"""Skips in a row after which git chooses."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a commit.

    Attributes:
        word: good, bad or skip. why: the reason, in words.
        evidence: whatever the trial keeps for the end.
    """

    commit: str
    word: Word
    why: str
    evidence: Any = None


@dataclass(slots=True)
class Search:
    """What was found.

    Attributes:
        first_bad: the culprit. candidates: where only skipped commits were left, all that may be it.
        trials: all that were executed, in the order in which they ended.
        used: those of them that told something; the others were made ahead, for nothing.
        contradiction: an end that isn't what it is said to be; then nothing was found.
        log: for `git bisect replay`.
    """

    first_bad: str | None = None
    candidates: list[str] = field(default_factory=list[str])
    trials: list[Trial] = field(default_factory=list[Trial])
    used: list[Trial] = field(default_factory=list[Trial])
    contradiction: Trial | None = None
    log: str = ""

    @property
    def skipped(self) -> int:
        """Trials that couldn't be judged."""
        return sum(trial.word == "skip" for trial in self.used)


def search(
    repository: Repository,
    directory: str,
    *,
    good: str,
    bad: str,
    judge: Callable[[str], Trial],
    workers: int = 1,
    end: Callable[[], None] = lambda: None,
    told: Callable[[Trial, int], None] = lambda trial, left: None,
) -> Search:
    """Search between `good` and `bad`.

    Args:
        directory: an empty place for git's own bookkeeping, which the caller removes.
        judge: called in threads, at most `workers` at a time.
        end: called when the search is given up: what is being tried is to end at once.
        told: hears of each trial that counts, and how many commits may still be it.

    Raises:
        GitFailed, and what `judge` raises.
    """
    bisection = Bisection(repository, directory, bad, [good])
    found = Search()
    with _Ahead(judge, workers, found, end) as ahead:
        in_row = 0
        while (asked := bisection.asked) is not None:
            if 0 < in_row <= _NEAR:
                asked = next(iter(bisection.near()), asked)
            trial = ahead.result(asked, bisection.ahead(workers) if workers > 1 else ())
            found.used.append(trial)
            bisection.tell(asked, trial.word)
            in_row = in_row + 1 if trial.word == "skip" else 0
            told(trial, bisection.left())
            found.log = bisection.log()
        found.first_bad, found.candidates, found.log = bisection.first_bad, bisection.candidates, bisection.log()
        words = {trial.word for trial in found.used} - {"skip"}
        for commit, word in ((good, "good"), (bad, "bad")):
            tried = ahead.result(commit, ()) if word not in words else None
            if tried is not None and tried.word not in (word, "skip"):
                found.contradiction = tried
                found.first_bad, found.candidates = None, []
                break
    return found


class _Ahead:
    """Trials in threads, each commit once."""

    def __init__(self, judge: Callable[[str], Trial], workers: int, found: Search, end: Callable[[], None]) -> None:
        self._judge = judge
        self._end = end
        self._found = found
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="trial")
        self._workers = workers
        self._known: dict[str, Future[Trial]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        left: set[Future[Trial]] = set(self._known.values())
        while kind is not None and left:
            self._end()  # again and again: one may be about to start something
            wait(left, timeout=_SOON)
            left = {each for each in left if not each.done()}
        self._pool.shutdown(wait=True)

    def result(self, commit: str, others: Sequence[str]) -> Trial:
        """Of that commit; meanwhile those of others begin, as far as there is room."""
        wanted = [commit, *(other for other in others if other != commit)]
        for each in wanted:
            running = sum(not future.done() for future in self._known.values())
            if each not in self._known and (each == commit or running < self._workers):
                self._known[each] = self._pool.submit(self._try, each)
        return self._known[commit].result()

    def _try(self, commit: str) -> Trial:
        trial = self._judge(commit)
        self._found.trials.append(trial)
        return trial
