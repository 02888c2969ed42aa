"""`bisect inputs` and `bisect schedule`: executes mixtures of a good and a bad run until it is known what makes it bad.

    found = bisect_inputs("good.cassette", "bad.cassette", Terms("tool refund called at most 1"), spans=True)
    found.causes.verified, [cause.what for cause in found.named]

Each execution runs the good run's program again, in the sandbox, from the good recording, with the bad run's answers at
the chosen events (`replay.fork`). Nothing is done to the world: what would change it and wasn't recorded ends it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from replay import expect
from replay.bisect import inputs, orders
from replay.bisect.answers import Answer
from replay.bisect.ddmin import Group, Outcome, Trials
from replay.bisect.experiment import Execute, Executed, Experiment, Trial
from replay.bisect.search import Causes, Difference, search
from replay.bisect.spans import Chosen
from replay.cassette import records
from replay.cassette.cassette import Cassette, load
from replay.cassette.directory import resolve
from replay.cassette.frame import RETURN
from replay.diff.compare import Diff, diff
from replay.diff.roots import Root
from replay.fork.engine import execute
from replay.fork.plan import RECORDED, Plan, Substitute
from replay.model.errors import NotBisectable

_PATIENCE: Final = 24
"""Where so many mixtures are unresolved, and none is decided, no more are tried."""

_SHOWN: Final = 400
"""Characters of a value in a document."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How to search.

    Attributes:
        expectation: holds of the good run and not of the bad one (docs/expressions.md).
        model: who answers in states that neither run saw: `recorded` (nobody), `live`, or a command (docs/fork.md).
        samples: how often each mixture is executed at most, where answers come by chance. width: how many at a time.
        limit: how many mixtures are tried at most.
        keep: where the recording of an execution with the causes alone is to be.
        heard: told of progress, line by line.
    """

    expectation: str
    model: str = RECORDED
    samples: int = 1
    width: int = 1
    limit: int | None = None
    keep: str | os.PathLike[str] | None = None
    heard: Callable[[str], None] = lambda line: None

    @property
    def by_chance(self) -> bool:
        """Models are asked anew in each execution: what a recording has of them is one answer of many."""
        return self.samples > 1 and self.model != RECORDED


@dataclass(frozen=True, slots=True)
class Part:
    """A place in an answer that differs. `path` is empty where it is the whole answer."""

    path: str
    good: Any
    bad: Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the differences that make good bad.

    Attributes:
        set: number of the set it belongs to, from 0: each set is enough by itself.
        seam: where it came from; `order` for a swap. what: one line.
        good, bad: the events. lane: whose. parts: what of the answers it is.
    """

    set: int
    seam: str
    what: str
    good: int
    bad: int
    lane: str
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """As in `replay bisect … --json`."""
        return {
            "set": self.set,
            "seam": self.seam,
            "what": self.what,
            "lane": self.lane,
            "good": self.good,
            "bad": self.bad,
            "parts": [
                {"path": part.path, "good": shortened(part.good), "bad": shortened(part.bad)} for part in self.parts
            ],
        }


@dataclass(frozen=True, slots=True)
class Bisected:
    """What came of it.

    Attributes:
        causes: what was found, by numbers. named: the same, as what they are.
        differences: how many there were to choose from. parts: all of them taken apart.
        trials: what was executed. executions: how often.
        left_out: causes that `diff` names and that can't be applied: code, configuration, arguments, order.
        alone: the recording of an execution with the first set alone; None if none was wanted or found.
    """

    causes: Causes
    named: tuple[Cause, ...]
    differences: int
    parts: int
    trials: tuple[Trial, ...]
    executions: int
    left_out: tuple[Root, ...]
    alone: str | None = None

    @property
    def why(self) -> str:
        """Why nothing could be searched; empty where it could."""
        said = next((trial.why for trial in self.trials if trial.outcome == "unresolved"), "")
        tails = {
            "holds": "",
            "good isn't good": "executed again, the good run goes wrong, too",
            "bad isn't bad": "with all differences applied, the good run doesn't go wrong: something else differs",
            "unresolved": f"between the two runs nothing can be decided: {said}",
        }
        return tails[self.causes.premise]

    def to_json(self) -> dict[str, Any]:
        """As `replay bisect inputs --json` has it."""
        causes = self.causes
        return {
            "found": causes.found,
            "causes": [cause.to_json() for cause in self.named],
            "trials": causes.trials,
            "unresolved": causes.unresolved,
            "executions": self.executions,
            "bound": causes.bound,
            "differences": self.differences,
            "parts": self.parts,
            "verified": causes.verified,
            "minimal": causes.minimal,
            "without": causes.without,
            "doubtful": len(causes.doubtful),
            "premise": causes.premise,
            "why": self.why,
            "alone": self.alone,
            "left_out": [root.to_json() for root in self.left_out],
            "log": [
                {
                    "differences": len(trial.applied),
                    "outcome": trial.outcome,
                    "bad": trial.rate.bad,
                    "of": trial.rate.of,
                    "interval": list(trial.rate.interval),
                    "why": trial.why,
                }
                for trial in self.trials
            ],
        }


def bisect_inputs(
    good: str | os.PathLike[str], bad: str | os.PathLike[str], terms: Terms, *, spans: bool = False
) -> Bisected:
    """The least of the differing inputs that make the good run go wrong.

    Args:
        spans: look inside of inputs, too: messages, paragraphs, sentences, fields.

    Raises:
        ExpressionInvalid: the expectation. NotBisectable: it says nothing about these two, or no input differs.
        CassetteMissing and the other errors of reading.
    """
    paths = [os.fspath(resolve(path)) for path in (good, bad)]
    expression = expect.parse(terms.expectation)
    with load(paths[0]) as one, load(paths[1]) as other:
        check(expression, one, other)
        found = diff(one, other)
        chosen_from = [inputs.inputs(found, parts=spans)]
        wider = inputs.inputs(found, parts=spans, drawn=True)
        left_out = tuple(inputs.left_out(found))
        directory = str(one.header.get("cwd") or "/")
    if len(wider) > len(chosen_from[0]):
        chosen_from.append(wider)
    if not chosen_from[-1]:
        raise NotBisectable(f"no input differs in these runs{_instead(found)}", hint=_other_way(found))
    result: Bisected | None = None
    for given in filter(None, chosen_from):
        terms.heard(f"{len(given)} differing inputs")

        def run(applied: Chosen, path: Path, given: Sequence[inputs.Input] = given) -> Executed:
            anew = [each.good for each in given] if terms.by_chance else []
            answers = inputs.answers(applied, given, models=bool(anew))
            substitutes = {event: substitute(answer) for event, answer in answers.items()}
            files = inputs.files(applied, given, directory)
            plan = Plan(paths[0], substitutes=substitutes, then=terms.model, further=[paths[1]], anew=anew, files=files)
            return _executed(plan, path)

        weights = [each.weight for each in given]
        with _experiment(run, expression, terms) as experiment:
            causes = _search(experiment, [each.both.span for each in given], weights, terms)
            named = tuple(_named(causes, given))
            result = _result(experiment, causes, named, _counts([each.both.span for each in given]), left_out, terms)
        if causes.premise not in ("bad isn't bad", "unresolved"):
            break
    assert result is not None
    return result


def bisect_schedule(good: str | os.PathLike[str], bad: str | os.PathLike[str], terms: Terms) -> Bisected:
    """The least change of the order in which answers came that makes the good run go wrong. As `bisect_inputs`."""
    paths = [os.fspath(resolve(path)) for path in (good, bad)]
    expression = expect.parse(terms.expectation)
    with load(paths[0]) as one, load(paths[1]) as other:
        check(expression, one, other)
        found = diff(one, other)
        order = orders.answered(found.pairs, _waited(one))
    differences = orders.swaps(order)
    if not differences:
        raise NotBisectable("tasks got their answers in the same order in both runs", hint="replay bisect inputs")
    left_out = tuple(root for root in found.roots if root.kind != "order")
    terms.heard(f"{sum(len(each.parts) for each in differences)} pairs of answers came in another order")

    def run(applied: Chosen, path: Path) -> Executed:
        wanted = orders.ordered(order, differences, applied) if applied else None
        done = _executed(Plan(paths[0], then=terms.model, further=[paths[1]], order=wanted), path)
        with load(path) as made:
            other = orders.not_come_about(made.events, differences, applied)
        return Executed("another", other) if other else done

    with _experiment(run, expression, terms) as experiment:
        causes = _search(experiment, differences, None, terms)
        named = tuple(_swapped(causes, differences))
        return _result(experiment, causes, named, _counts(differences), left_out, terms)


def _waited(cassette: Cassette) -> set[int]:
    """Events whose outcome a task of an event loop waited for while others ran."""
    frames = cassette.reader.frames()
    return {event for type_, event, payload in frames if type_ == RETURN and records.ret(payload).suspended}


def check(expression: expect.Expression, good: Cassette, bad: Cassette) -> None:
    """The expectation tells these recordings apart.

    Raises:
        NotBisectable: it doesn't.
    """
    for cassette, wanted, name in ((good, True, "good"), (bad, False, "bad")):
        found = expect.judge(expression, expect.recorded(cassette))
        if found.holds is not wanted:
            said = {True: "holds of", False: "doesn't hold of", None: "can't be decided for"}[found.holds]
            raise NotBisectable(
                f"the expectation {said} the {name} run, {cassette.path}: {found.why}",
                hint="it has to hold of the first recording and not of the second one",
            )


def substitute(answer: Answer) -> Substitute:
    """An answer as a plan has it."""
    if answer.status == "open":
        return Substitute("drop")
    if answer.status == "failed":
        return Substitute("error", answer.value)
    pieces = [value for status, value in answer.pieces if status == "piece"] if answer.status == "streamed" else None
    return Substitute("value", answer.value, pieces=pieces, content=answer.content)


@contextmanager
def _experiment(run: Execute, expression: expect.Expression, terms: Terms) -> Generator[Experiment]:
    """In a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="replay-bisect-") as directory:
        yield Experiment(run, expression, Path(directory), samples=terms.samples, width=terms.width)


def _search(
    experiment: Experiment, differences: Sequence[Difference], weights: Sequence[float] | None, terms: Terms
) -> Causes:
    def tell(applied: Group[int], outcome: Outcome) -> None:
        rate = f", {experiment.trials[applied].rate}" if terms.samples > 1 else ""
        terms.heard(f"{len(trials.known)}: with {len(applied)} of {len(everything)} it is {outcome}{rate}")

    trials = Trials[int](experiment, width=terms.width, limit=terms.limit, patience=_PATIENCE, heard=tell)
    everything = frozenset[int]().union(*(each.numbers for each in differences))
    experiment.tell_apart(frozenset(), everything)
    return search(differences, trials, weights=weights, level=lambda count: terms.heard(f"{count} to choose from"))


def _result(
    experiment: Experiment,
    causes: Causes,
    named: tuple[Cause, ...],
    counts: tuple[int, int],
    left_out: tuple[Root, ...],
    terms: Terms,
) -> Bisected:
    alone = None
    if terms.keep is not None and causes.sets:
        alone = os.path.abspath(terms.keep)
        experiment.once(frozenset(causes.sets[0]), Path(alone))
    trials = tuple(experiment.trials.values())
    return Bisected(causes, named, *counts, trials, experiment.executions, left_out, alone)


def _counts(differences: Sequence[Difference]) -> tuple[int, int]:
    return len(differences), sum(len(each.numbers) for each in differences)


def _executed(plan: Plan, path: Path) -> Executed:
    done = execute(plan, os.fspath(path))
    return Executed("ended" if done.status == "ended" else "unresolved", done.reason)


def _named(causes: Causes, given: Sequence[inputs.Input]) -> Iterator[Cause]:
    for number, each_set in enumerate(causes.sets):
        chosen = frozenset(each_set)
        for each in given:
            if not each.numbers & chosen:
                continue
            leaves = [leaf for leaf in each.both.span.leaves() if leaf.numbers & chosen]
            whole = each.numbers <= chosen
            spans = [each.both.span] if whole and not each.parts else leaves
            parts = tuple(Part(span.path, span.good, span.bad) for span in spans)
            yield Cause(number, each.seam, each.what, each.good, each.bad, each.lane, parts)


def _swapped(causes: Causes, differences: Sequence[orders.Lanes]) -> Iterator[Cause]:
    swaps = [swap for lanes in differences for swap in lanes.parts]
    for number, each_set in enumerate(causes.sets):
        for swap in (swap for swap in swaps if swap.numbers <= frozenset(each_set)):
            one, other = swap.first, swap.second
            what = f"{other.name} ({other.lane}) came before {one.name} ({one.lane}), in the good run after it"
            yield Cause(number, "order", what, one.good, other.bad, one.lane, ())


def _instead(found: Diff) -> str:
    kinds = sorted({root.kind for root in found.roots})
    return f"; what does is {' and '.join(kinds)}" if kinds else ""


def _other_way(found: Diff) -> str:
    kinds = {root.kind for root in found.roots}
    if "order" in kinds:
        return "replay bisect schedule"
    return "replay bisect commits, if the code differs" if kinds & {"code", "config"} else "replay diff shows what does"


def shortened(value: Any) -> str:
    """A value in a line of a document."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
