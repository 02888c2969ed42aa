"""`replay bisect commits`: the first bad commit."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

import click

from replay import expect as expectations
from replay.bisect.behaviour import changes
from replay.bisect.checkouts import LOCKS, Checkouts, Question
from replay.bisect.commits import Search, Trial, search
from replay.bisect.repository import Repository
from replay.cassette.directory import default_directory, resolve
from replay.cassette.family import header_at
from replay.launch import Run
from replay.model.errors import UsageError
from replay_cli import console, exits, options
from replay_cli.render.culprit import culprit_lines, trial_line
from replay_cli.render.text import one_line


@click.command("commits")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
@click.option("--good", required=True, metavar="REV", help="A commit with which it goes well.")
@click.option("--bad", required=True, metavar="REV", help="A commit with which it goes wrong.")
@click.option("--cassette", required=True, metavar="CASSETTE", help="The recording that each commit executes again.")
@click.option("--expect", "expression", metavar="EXPR", help="A commit is good if this holds of its re-execution.")
@click.option("-n", "--workers", type=click.IntRange(min=1), default=1, metavar="N", help="Trials at a time.")
@click.option("--setup", metavar="CMD", help="Shell command that installs what a commit needs; where locks changed.")
@click.option("--time", "seconds", type=click.FloatRange(min=0.01), metavar="SECONDS", help="Skip what takes longer.")
@click.option("--match", type=click.Choice(["strict", "lenient"]), default=None, help="As for replay run.")
@click.option("--run-tools/--no-run-tools", default=True, help="Run the commit's tools, too (default), or answer them.")
@click.option("--log", "log", metavar="FILE", type=click.Path(), help="For git bisect replay.")
@options.reads
def command(
    cmd: tuple[str, ...],
    good: str,
    bad: str,
    cassette: str,
    expression: str | None,
    workers: int,
    setup: str | None,
    seconds: float | None,
    match: Literal["strict", "lenient"] | None,
    run_tools: bool,
    log: str | None,
) -> int:
    """The first commit with which a recording goes wrong: drives git bisect, in worktrees of its own.

    Run it in the repository; the checkout there is left alone. Each commit's code executes the recording again. It is
    good if --expect holds; without it, if the execution is identical (the recording is a good one's then). Or CMD
    judges, in the commit's worktree, with $REPLAY_CASSETTE: 0 good, 125 skip, others below 128 bad.

    Exits with 1 when the commit was found, with 125 when only commits are left that can't be judged, or an end
    isn't what it is said to be. docs/bisect.md has the details.

        \b
        replay bisect commits --good v1.4 --bad main --cassette incident.cassette \\
            --expect 'tool refund called at most 1'
        replay bisect commits --good v1.4 --bad main --cassette good.cassette -n 4 --setup 'uv sync'
        replay bisect commits --good v1.4 --bad main --cassette incident.cassette -- python judge.py
    """
    if cmd and expression is not None:
        raise UsageError("--expect and a command both judge", hint="leave out one of them")
    expected = None if expression is None else expectations.parse(expression)
    path = os.path.abspath(resolve(options.named_file(cassette)))
    repository = Repository(os.getcwd())
    ends = repository.commit(good), repository.commit(bad)
    if expected is None and not cmd:
        _has_to_be_good(repository, path, ends[0])
    quiet = options.current().quiet
    if setup is None and not quiet:
        _note_locks(repository, *ends)
    how = match or ("strict" if expected is None else "lenient")
    question = Question(path, expected, cmd, setup, how, run_tools, seconds)

    def told(trial: Trial, left: int) -> None:
        if not quiet:
            click.echo(one_line(trial_line(repository.about(trial.commit), trial, left)), err=True)

    with _place(repository) as place:
        checkouts = Checkouts(repository, place.directory, question, count=workers)
        place.trees += checkouts.directories
        git = os.path.join(place.directory, "git")
        place.trees.append(git)
        found = search(
            repository,
            git,
            good=ends[0],
            bad=ends[1],
            judge=checkouts.judge,
            end=checkouts.end,
            workers=workers,
            told=told,
        )
        document = _document(repository, found, checkouts)
    written = _write_log(found, log)
    document["log"] = written
    if options.current().json:
        console.document(document)
    else:
        for line in culprit_lines(document):
            console.tell(one_line(line))
    return exits.DIFFERENT if found.first_bad is not None else exits.CANNOT_JUDGE


class _Place:
    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.trees: list[str] = []


@contextmanager
def _place(repository: Repository) -> Generator[_Place]:
    """A directory for worktrees, which go with it: also after Ctrl-C, or when we are told to end."""

    def stop(number: int, _: Any) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    place = _Place(tempfile.mkdtemp(prefix="replay-bisect-"))
    try:
        yield place
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # impatience leaves no worktrees
        for each in os.scandir(place.directory):
            repository.remove_worktree(each.path)
        shutil.rmtree(place.directory, ignore_errors=True)
        repository.git("worktree", "prune")
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_to_be_good(repository: Repository, path: str, good: str) -> None:
    """Without an expectation `identical` means good: then it has to be a recording of the good code."""
    known: dict[str, Any] = (header_at(path) or {}).get("git") or {}
    commit = known.get("commit")
    if commit is None or not repository.is_ancestor(str(commit), good):
        where = "isn't known" if commit is None else f"was {str(commit)[:12]}"
        raise UsageError(
            f"the commit that this was recorded with {where}, not one at or before --good: what is a good execution?",
            hint="--expect EXPR says it, or a command: -- CMD",
        )


def _note_locks(repository: Repository, good: str, bad: str) -> None:
    changed = repository.changed(good, bad, [f":(glob)**/{name}" for name in LOCKS if name != "pyproject.toml"])
    if changed:
        said = f"{', '.join(changed[:3])} changed on the way; every commit is tried with what is installed here"
        click.echo(one_line(f"replay: {said} (--setup CMD installs)"), err=True)


def _document(repository: Repository, found: Search, checkouts: Checkouts) -> dict[str, Any]:
    document: dict[str, Any] = {
        "found": found.first_bad is not None,
        "first_bad": found.first_bad,
        "trials": len(found.trials),
        "unresolved": found.skipped,
        "candidates": found.candidates,
        "contradiction": None,
        "verdicts": [{"commit": each.commit, "verdict": each.word, "why": each.why} for each in found.used],
    }
    if found.contradiction is not None:
        trial = found.contradiction
        document["contradiction"] = {"commit": trial.commit, "verdict": trial.word, "why": trial.why}
    if found.first_bad is None:
        return document
    about = repository.about(found.first_bad)
    document |= {"author": about.author, "date": about.date, "subject": about.subject}
    document["diffstat"] = repository.diffstat(found.first_bad)
    before, after = _runs(repository, found, found.first_bad, checkouts)
    document["behaviour"] = None
    if before is not None and after is not None:
        document["behaviour"] = {
            "parent": before[0],
            "changes": changes(before[1], after),
            "parent_divergence": None if before[1].divergence is None else before[1].divergence.to_json(),
            "divergence": None if after.divergence is None else after.divergence.to_json(),
        }
    return document


def _runs(
    repository: Repository, found: Search, commit: str, checkouts: Checkouts
) -> tuple[tuple[str, Run] | None, Run | None]:
    """Re-executions of the culprit and of its parent: those of the trials, or made now."""
    known = {each.commit: each.evidence for each in found.trials if isinstance(each.evidence, Run)}
    parents = repository.parents(commit)
    parent = next((each for each in parents if each in known), parents[0] if parents else None)
    after: Run | None = known.get(commit) or checkouts.execute(commit)
    if parent is None:
        return None, after
    before: Run | None = known.get(parent) or checkouts.execute(parent)
    return None if before is None else (parent, before), after


def _write_log(found: Search, wanted: str | None) -> str:
    path = os.path.abspath(wanted or default_directory() / "bisect.log")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(found.log)
    return path
