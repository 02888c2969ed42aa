"""The first bad commit, and what it did otherwise, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from replay.bisect.commits import Trial
from replay.bisect.repository import Commit
from replay_cli.render.text import plural

_SHOWN = 20


def trial_line(commit: Commit, trial: Trial, left: int) -> str:
    """`bad  1a2b3c4d5e6f Fix typo: tool refund: called twice (31 left)`."""
    more = f" ({left} left)" if left else ""
    return f"{trial.word:<4} {commit.name[:12]} {commit.subject[:60]}: {trial.why}{more}"


def culprit_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Everything of `replay bisect commits --json`, most important first."""
    if document["contradiction"] is not None:
        end = document["contradiction"]
        yield f"nothing was found: {end['commit'][:12]} is {end['verdict']}, against what was said: {end['why']}"
    elif document["first_bad"] is None:
        yield f"one of {len(document['candidates'])} commits; those between can't be judged:"
        yield from (f"  {commit}" for commit in document["candidates"])
        if any("the replay stopped where it differed" in each["why"] for each in document["verdicts"]):
            yield "  (--expect '… or diverged' takes whatever differs for good, '… and not diverged' for bad)"
    else:
        yield f"first bad commit: {document['first_bad']}"
        yield f"  {document['subject']}"
        yield f"  {document['author']}, {document['date']}"
        yield from (f"  {line}" for line in document["diffstat"].splitlines())
        yield from _behaviour(document["behaviour"])
    trials = document["trials"]
    yield f"{plural(trials, 'trial')}, {document['unresolved']} skipped; git bisect replay {document['log']}"


def _behaviour(behaviour: Mapping[str, Any] | None) -> Iterator[str]:
    if behaviour is None:
        return
    changes = behaviour["changes"]
    if not changes:
        yield f"  it does the same as its parent {behaviour['parent'][:12]}, as far as both were executed"
        return
    yield f"  what it does otherwise than its parent {behaviour['parent'][:12]}:"
    yield from (f"    {line}" for line in changes[:_SHOWN])
    if len(changes) > _SHOWN:
        yield f"    … {len(changes) - _SHOWN} more"
