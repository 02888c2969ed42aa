"""What came of masking a cause, for people: what was masked by what, how often the call came, what came instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from replay_cli.render.text import one_line, plural

if TYPE_CHECKING:
    from replay.intervene.trials import Finding, Intervened, Measured, Trial

_STYLES = {"confirmed": "bold red", "refuted": "green", "undecided": "yellow", "unresolved": "yellow"}
_MASKS, _INSTEAD = 3, 3
_PARTS = {"span": "these spans of it masked", "input": "all of it masked", "together": "all of these masked at once"}


def lines(finding: Finding) -> Iterator[Text]:
    """Of one cause: its trials, in order."""
    for trial in finding.trials:
        yield _trial(trial)
    if finding.instead_of_run not in ("", "--one-step"):
        yield Text(one_line(f"the program wasn't executed: {finding.instead_of_run}"), "dim")


def together(trial: Trial) -> Iterator[Text]:
    """Of several causes at once."""
    yield Text("none of these was needed by itself:", "bold")
    yield _trial(trial)
    if trial.outcome == "confirmed":
        yield Text("  so each is enough, or some of them are: the call comes of them, though of no single one")


def summary(found: Intervened) -> Iterator[Text]:
    """What was asked for, and how much that took."""
    effects = dict.fromkeys(str(finding.effect) for finding in found.tested.values())
    who = {"recorded": "recorded answers alone", "live": "the model itself"}.get(found.terms.model, found.terms.model)
    said = f"looked for: {'; '.join(effects)}. {plural(found.samples, 'sample')} of at most {found.terms.samples} each"
    yield Text(one_line(f"{said}, answered by {who}"), "dim")
    if found.terms.model == "recorded" and not found.decided:
        yield Text("--model live asks the model itself; --model PROGRAM asks a program of yours")


def _trial(trial: Trial) -> Text:
    how = "executed again" if trial.kind == "run" else "the deciding call asked again"
    head = f"{trial.outcome}: {_PARTS[trial.part]}, {how}"
    text = Text(one_line(head), _STYLES[trial.outcome])
    certain = trial.difference.certain
    if trial.given.rate.of:
        text.append(f"\n  as it was    the call came in {_rate(trial.given, certain)}", "default")
    if trial.masked.rate.of:
        low, high = trial.difference.interval
        text.append(f"\n  masked       the call came in {_rate(trial.masked, certain)}", "default")
        if not certain:
            text.append(f"\n  difference   {trial.difference.size:.0%} ({low:.0%} to {high:.0%})", "default")
    for what, times in trial.masked.instead.most_common(_INSTEAD):
        text.append("\n")
        text.append(one_line(f"  instead      {times} times: {what}", 300), "default")
    if trial.change is not None:
        for mask in trial.change.masks[:_MASKS]:
            text.append("\n")
            text.append(f"  masked       «{one_line(mask.text, 160)}» by «{one_line(mask.by, 160)}»", "dim")
        if len(trial.change.masks) > _MASKS:
            text.append(f"\n  and {len(trial.change.masks) - _MASKS} more", "dim")
    if trial.why:
        text.append("\n")
        text.append(one_line(f"  why          {trial.why}", 400), "default")
    return text


def _rate(measured: Measured, certain: bool) -> str:
    if certain:
        return f"{measured.rate.bad} of {measured.rate.of}"
    more = f", and {measured.undecided} that couldn't be judged" if measured.undecided else ""
    return f"{measured.rate}{more}"
