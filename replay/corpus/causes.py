"""Why trials failed, equal causes together: 400 failures, 3 reasons. Pure.

Two failures have one cause if the program did the same kind of thing at the same line where it should have done the
same kind of other thing. What varies from run to run (numbers, ids, quoted values) is left out of the comparison.
A program that ended early did nothing there; what it died of stands at the end of its standard error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from replay.corpus.trial import Status, Trial

_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\b(?=\w*\d)\w+(?:-\w+)*\b|\S*/\S*/\S*")
_RAISED = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Failure|Refused|Timeout)): ?(.*)$")
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """What several trials have in common. `first`: the trial that is shown for all. `cassettes`: of all of them."""

    status: Status
    summary: str
    first: Trial
    cassettes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "cause": self.summary,
            "count": len(self.cassettes),
            "cassettes": list(self.cassettes),
            "first": self.first.to_json(),
        }


def causes(trials: Iterable[Trial]) -> list[Cause]:
    """The causes of those that aren't the same, most frequent first.

    Example:
        >>> failed = [Trial(f"{n}.cassette", "unjudged", f"no such order: A-{n}") for n in range(3)]
        >>> [(cause.summary, len(cause.cassettes)) for cause in causes(failed)]
        [('no such order: …', 3)]
    """
    found: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        if trial.status != "same":
            found.setdefault((trial.status, summary(trial)), []).append(trial)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Cause(same[0].status, said, same[0], tuple(each.cassette for each in same)) for (_, said), same in ordered]


def summary(trial: Trial) -> str:
    """What a trial failed by, without what varies from one run to the next."""
    where = "" if trial.site is None else f" at {trial.site}"
    if trial.status == "unjudged":
        return general(trial.reason.replace(trial.cassette, "it"))
    raised = _raised(trial.said)
    if raised is not None and (trial.got is None or trial.got.startswith("exit code")):
        return f"{general(raised)} instead of {general(trial.expected or 'its end')}"
    if trial.expected is None and trial.got is None:
        return general(trial.reason) + where
    if trial.expected is not None and trial.got is not None and general(trial.expected) == general(trial.got):
        return f"{general(trial.got)} with another request{where}"
    return f"{general(trial.got or 'nothing')} instead of {general(trial.expected or 'its end')}{where}"


def general(text: str) -> str:
    """`text` on one line, without numbers, ids, paths and quoted values."""
    return " ".join(_VARIES.sub("…", text).split())[:300]


def _raised(said: str) -> str | None:
    """The exception that a traceback at the end of standard error is of."""
    last = said.rstrip().rpartition("\n")[2]
    found = _RAISED.match(last)
    return None if found is None else f"{found[1]}: {found[2]}".rstrip(": ")
