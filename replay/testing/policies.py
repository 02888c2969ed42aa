"""Policies and baselines (`replay check`), as an assertion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replay.cassette.cassette import Cassette, load
from replay.expect import Subject
from replay.model.visible import one_line
from replay.policy import baseline, files, rules
from replay.policy.baseline import Deviation
from replay.policy.run import observe
from replay.testing.judging import path_of


def deviations(path: Path, run: Any, subject: Subject) -> list[str]:
    """What a policy file has against a run, errors and what can't be decided; empty where it is as expected."""
    policy = files.load(path)
    judged = rules.judged(policy.rules, subject, policy.trust)
    found = list(judged.deviations)
    if policy.checks:
        found += _functions(policy, run)
    if policy.learnt is not None:
        found += baseline.deviations(observe(subject.events, policy.trust), policy.learnt, policy.alarm)
    broken = [_line(each) for each in found if each.severity == "error"]
    return broken + [f"    undecided {one_line(rule)}: {one_line(why, 300)}" for rule, why in judged.undecided.items()]


def _functions(policy: files.Policy, run: Any) -> list[Deviation]:
    """Functions are given the recording itself."""
    if isinstance(run, Cassette):
        return files.run_checks(policy.checks, run)
    place = path_of(run)
    assert place is not None
    with load(place) as cassette:
        return files.run_checks(policy.checks, cassette)


def _line(found: Deviation) -> str:
    where = "" if found.event is None else f"event {found.event} "
    return f"    {where}{one_line(found.rule)}: {one_line(found.why, 300)}"
