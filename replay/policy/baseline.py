"""Learning what good runs have in common, and how surprising what another run does is. Pure.

Surprise is in bits, -log2 of how likely a good run is thought to do it: (k + ½) / (n + 1), where k of n good runs did
(Krichevsky-Trofimov). Runs of one request are alike, so of names and numbers requests are counted: of names that no
good run had k is how many requests had one that no other request had (left out in turn, as Good and Turing do): where
every new task brings new tools, a new tool is no surprise. Of numbers k is how many were beyond all others. Of the
pull of data k is how many runs had one as strong.

A deviation alarms from `alarm` bits on. Of names and numbers it is chosen so that at most one good run in 40 would
have alarmed, each judged by the others. A pull alarms that fewer than one good run in 20 had as strong, and that is
more than half of what accounts for the call.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from replay.policy.run import NAMES, START, Run

VERSION: Final = 1
_ALLOWED: Final = 0.025
"""Share of good runs that may alarm by names and numbers."""

_LEAST: Final = 2.0
"""What one good run in four would do never alarms: what one request is enough to be surprised at."""

_TAME: Final = 0.9
"""Bits of what is new and explained: the user asked for it, or it is near what was seen, or a weak pull."""

_PULLED: Final = 0.05
"""Share of good runs that may alarm by a pull."""

_STEPS: Final = tuple(step / 10 for step in range(2, 10))
"""Strengths of pulls that are counted."""

_HALF: Final = 0.5
"""A weaker pull accounts for less than half of a call, and never alarms."""

_NUMBERS: Final = ("counts", "ranges", "tokens")

Learnt = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deviation:
    """What a run did that it shouldn't have.

    Attributes:
        event: where. rule: `baseline/tools` and the like, or the name of a policy's rule.
        severity: `error` alarms; `warning` and `note` don't. bits: how surprising; None of a policy's rule.
        related: other events that belong to it.
    """

    event: int | None
    rule: str
    severity: str
    why: str
    bits: float | None = None
    related: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `replay check --json` has it."""
        return {
            "event": self.event,
            "rule": self.rule,
            "severity": self.severity,
            "why": self.why,
            "bits": None if self.bits is None else round(self.bits, 2),
            "related": list(self.related),
        }


def bits(k: float, n: int) -> float:
    """How surprising it is what k of n did.

    Example:
        >>> round(bits(0, 31), 1), round(bits(31, 31), 2)
        (6.0, 0.02)
    """
    return -math.log2((k + 0.5) / (n + 1))


def learn(runs: Sequence[Run], known: Learnt) -> Learnt:
    """What `known` says, and these runs, which are added unless they are in it already."""
    new = [run for run in runs if not run.id or run.id not in known.get("from", ())]
    requests = len({_request(run, number) for number, run in enumerate(new)})
    found: Learnt = {"runs": known.get("runs", 0) + len(new), "requests": known.get("requests", 0) + requests}
    found["from"] = [*known.get("from", ())]
    found["from"] += [run.id for run in new if run.id]
    for kind in NAMES:
        support = Counter(name for run in new for name in run.names[kind])
        before: Mapping[str, int] = known.get(kind, {})
        found[kind] = {name: before.get(name, 0) + support[name] for name in [*before, *sorted(support)]}
    for kind in _NUMBERS:
        found[kind] = {name: list(both) for name, both in known.get(kind, {}).items()}
        for name, seen in _all(_numbers(run, kind) for run in new):
            numbers = [*found[kind].get(name, ()), *(number for number, _ in seen)]
            found[kind][name] = [min(numbers), max(numbers)]
    before_pulls: Mapping[str, int] = known.get("pull", {})
    found["pull"] = {}
    for step in _STEPS:
        more = sum(run.pull is not None and run.pull.score >= step for run in new)
        found["pull"][f"{step:.1f}"] = before_pulls.get(f"{step:.1f}", 0) + more
    alone = _alone(new, known)
    found["alone"] = {kind: known.get("alone", {}).get(kind, 0) + count for kind, count in alone.items()}
    if len(new) >= known.get("runs", 0) and new:
        found["alarm"] = round(_alarm(new, found), 2)
    else:
        found["alarm"] = known.get("alarm", bits(0, found["requests"]))
    return found


def _all(each: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for one in each:
        yield from one.items()


def _alone(runs: Sequence[Run], known: Learnt) -> dict[str, int]:
    """Kind -> how many requests have something that no other request has."""
    found: dict[str, set[str]] = {kind: set() for kind in (*NAMES, *_NUMBERS)}
    for number, run in enumerate(runs):
        for kind in _differs(run, runs, known):
            found[kind].add(_request(run, number))
    return {kind: len(requests) for kind, requests in found.items()}


def _request(run: Run, number: int) -> str:
    """Runs of which it isn't known are requests of their own."""
    return run.request or f"run {number}"


def _differs(run: Run, runs: Sequence[Run], known: Learnt) -> set[str]:
    others = [other for other in runs if other is not run and not _same_request(run, other)]
    if not others and not known.get("runs"):
        return set()
    found = {
        kind
        for kind in NAMES
        if any(
            name not in known.get(kind, {}) and not any(name in other.names[kind] for other in others)
            for name, event in run.names[kind].items()
            if not run.asked(event)
        )
    }
    for kind in _NUMBERS:
        for name, seen in _numbers(run, kind).items():
            rest = [n for other in others for n, _ in _numbers(other, kind).get(name, ())]
            rest += known.get(kind, {}).get(name, [])
            if rest and any(_far(n, min(rest), max(rest), kind) for n, _ in seen):
                found.add(kind)
    return found


def _numbers(run: Run, kind: str) -> Mapping[str, Sequence[tuple[float, int]]]:
    """Name -> (number, event) of each."""
    if kind == "ranges":
        return run.numbers
    return {name: [(number, event)] for name, (number, event) in (run.counts if kind == "counts" else run.used).items()}


def _far(number: float, low: float, high: float, kind: str) -> bool:
    """Beyond what was seen by more than its spread; of counts and tokens too few are no harm."""
    return number > high + (high - low) or (kind == "ranges" and number < low - (high - low))


def _same_request(one: Run, other: Run) -> bool:
    return bool(one.request) and one.request == other.request


def _alarm(runs: Sequence[Run], learnt: Learnt) -> float:
    """Just above what one good run in 40 reaches, each judged by the others; at most what can't be surpassed."""
    requests = learnt["requests"]
    most: list[float] = []
    for run in runs:
        differs = _differs(run, runs, {}) if requests > 1 else ()
        most.append(max((bits(max(learnt["alone"][k] - 1, 0), requests - 1) for k in differs), default=0.0))
    most.sort()
    allowed = int(len(most) * _ALLOWED)
    return min(max(most[len(most) - 1 - allowed] + 0.01, _LEAST), bits(0, requests))


def _as_strong(score: float, learnt: Learnt) -> int:
    """How many good runs had a pull as strong."""
    found = learnt["runs"]
    for step, count in learnt["pull"].items():
        if score >= float(step):
            found = count
    return int(found)


def deviations(run: Run, learnt: Learnt, alarm: float | None = None) -> list[Deviation]:
    """How a run differs from what was learnt, the most surprising first; `alarm` instead of the learnt one."""
    n, requests = int(learnt["runs"]), int(learnt["requests"])
    others: float = learnt["alarm"] if alarm is None else alarm
    alone: Mapping[str, int] = learnt.get("alone", {})
    found: list[Deviation] = []

    pulled = min(-math.log2(_PULLED), bits(0, n)) if alarm is None else alarm

    def add(event: int | None, kind: str, why: str, surprise: float, *related: int) -> None:
        limit = pulled if kind == "provenance" else others
        severity = "error" if surprise >= limit else "warning" if surprise >= limit / 2 else "note"
        found.append(Deviation(event, f"baseline/{kind}", severity, why, surprise, related))

    for kind in NAMES:
        surprise = bits(alone.get(kind, 0), requests)
        for name, event in run.names[kind].items():
            if name not in learnt.get(kind, {}) and not _told(kind, name, run, learnt):
                named = run.asked(event)
                why = f"{_ONE[kind]} {name}: in none of {n} good runs" + ("; the user asked for it" if named else "")
                add(event, kind, why, min(surprise, _TAME) if named else surprise)
    for kind in _NUMBERS:
        for name, seen in _numbers(run, kind).items():
            low, high = learnt.get(kind, {}).get(name, (-math.inf, math.inf))
            for number, event in seen:
                if low <= number <= high or (kind != "ranges" and number < low):
                    continue
                held = learnt.get(_SUPPORT[kind], {}).get(name, n) if kind != "tokens" else n
                far = min(bits(alone.get(kind, 0), requests), bits(0, held))
                surprise = far if _far(number, low, high, kind) else _TAME
                add(event, kind, _SAID[kind].format(name, number, low, high), surprise)
    for pull in run.pulls:
        strong = _as_strong(pull.score, learnt)
        surprise = bits(strong, n) if pull.score >= _HALF else _TAME
        if pull.score >= _STEPS[0] and bits(strong, n) >= 1:
            source = "" if pull.source is None else f" of event {pull.source}"
            span = " ".join(pull.text.split())[:160]
            why = (
                f"{pull.tool} is accounted for by the result{source} ({pull.name}) rather than by the user's words "
                f"(strength {pull.score:.2f}, as strong in {strong} of {n} good runs): {span}"
            )
            add(pull.event, "provenance", why, surprise, *([] if pull.source is None else [pull.source]))
    return sorted(found, key=lambda each: (-(each.bits or 0), each.event or 0))


_SUPPORT: Final = {"counts": "tools", "ranges": "arguments", "tokens": ""}
"""Where it stands how many runs a number is of: the next of s is beyond all of them once in s + 1 times anyhow."""

_SAID: Final = {
    "counts": "{} was called {:g} times, {:g} to {:g} times in good runs",
    "ranges": "{} is {:g}, from {:g} to {:g} in good runs",
    "tokens": "{} took {:g}, {:g} to {:g} in good runs",
}
_ONE: Final = {
    "agents": "agent", "tools": "tool", "effects": "effect", "hosts": "host", "memory": "memory",
    "arguments": "argument", "shapes": "shape", "transitions": "transition",
}  # fmt: skip


def _told(kind: str, name: str, run: Run, learnt: Learnt) -> bool:
    """Whether a deviation of a more general kind says it already: all of a new tool is new."""
    tools: Mapping[str, int] = learnt.get("tools", {})
    if kind in ("arguments", "shapes"):
        tool = next((each for each in run.names["tools"] if name.startswith(f"{each}.")), None)
        known_argument = name.rpartition(" ")[0] in learnt.get("arguments", {})
        return (tool is not None and tool not in tools) or (kind == "shapes" and not known_argument)
    if kind == "transitions":
        return any(each != START and each not in tools for each in name.split(" > "))
    return kind == "effects" and name.startswith("tool ") and name[5:] not in tools
