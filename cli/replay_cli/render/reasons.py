"""Why something happened, for people: a tree of causes, with the span of each that counts, in what stands around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from replay.forensics.text import Span
from replay.forensics.triage import Item, Triage
from replay.forensics.why import Cause, Evidence, Explained, Why
from replay.queries.words.brief import brief
from replay_cli.render import trials
from replay_cli.render.lines import say
from replay_cli.render.text import one_line

if TYPE_CHECKING:
    from replay.intervene.trials import Finding, Intervened

_AROUND = 60
"""Characters shown before and after a span."""

_CAUSES = 4
_STYLES = {"recorded": "green", "inferred": "yellow", "confirmed": "bold red", "refuted": "dim"}


def print_why(console: Console, found: Why, tested: Intervened | None = None, *, verbose: bool) -> None:
    """One tree for each call. `tested`: what came of putting causes to the test."""
    if found.inside is not None:
        say(console, f"event {found.event} happened inside the tool of event {found.inside}:")
    for number, one in enumerate(found.calls):
        console.print(_tree(found, one, () if tested is None else tuple(tested.findings(number)), verbose=verbose))
        if tested is not None and number in tested.together:
            for line in trials.together(tested.together[number]):
                say(console, line)
    if tested is not None:
        for line in trials.summary(tested):
            say(console, line)


def _tree(found: Why, one: Explained, findings: Sequence[Finding | None], *, verbose: bool) -> Tree:
    decision = one.decision
    called = f"{decision.name}({_arguments(decision.arguments)})" if decision.name else "what the model said"
    tree = Tree(Text(f"event {found.event if found.inside is None else found.inside}  {one_line(called, 400)}", "bold"))
    if decision.event is None:
        tree.add(Text("no answer of a model asked for it: the program's code did", "dim"))
    elif decision.name:
        how = "asked for by" if decision.link == "recorded" else "asked for, by its name, by"
        tree.add(_linked(decision.link, f"{how} event {decision.event}"))
    left = 0
    for place, cause in enumerate(one.causes):
        finding = findings[place] if findings else None
        if place >= _CAUSES and finding is None and not verbose:
            left += 1
            continue
        branch = tree.add(_cause(cause))
        for line in (*_lines(cause, verbose=verbose), *(() if finding is None else trials.lines(finding))):
            branch.add(line)
    if left:
        tree.add(Text(f"and {left} with less weight (--verbose)", "dim"))
    for value in one.made_up:
        text = f"{value.argument} = {brief(value.text, 120)}: in nothing that the model had read"
        tree.add(Text(one_line(f"{text}; it made it up or worked it out"), "magenta"))
    if not one.causes:
        tree.add(Text("unknown: nothing that was recorded accounts for it", "dim"))
    return tree


def _arguments(arguments: object) -> str:
    if isinstance(arguments, dict):
        return ", ".join(f"{key}={brief(each, 80)}" for key, each in arguments.items())  # pyright: ignore[reportUnknownVariableType]
    return brief(arguments, 200)


def _linked(link: str, text: str) -> Text:
    return Text.assemble((f"{link}  ", _STYLES[link]), one_line(text))


def _cause(cause: Cause) -> Text:
    whose = f"{cause.role} {cause.name}".strip()
    place = "" if cause.source.message is None else f", message {cause.source.message} of the window"
    return Text.assemble(
        (f"{cause.score:.2f}  ", "bold"), (f"{cause.link}  ", _STYLES[cause.link]),
        one_line(f"event {cause.event}, {whose}{place}"),
    )  # fmt: skip


def _lines(cause: Cause, *, verbose: bool) -> Iterator[Text]:
    text = cause.source.text
    for each in cause.evidence:
        match each.kind:
            case "directive":
                yield _shown("tells somebody to do so: ", text, each.span)
            case "trust":
                moved = "" if each.measured is None else ": {without:.2f} without the label".format(**each.measured)
                yield Text(one_line(f"{each.how} ({each.text}){moved}"), "cyan")
            case "request":
                yield _shown("asks: ", text, each.span)
            case "value":
                yield _shown(f"{each.argument} ({each.how}): ", text, each.span, _part(each))
            case "via":
                yield Text(one_line(f"came through event {each.event} ({each.how})"))
            case "window":
                if verbose:
                    yield Text(f"was in the window of event {each.event}", "dim")


def _part(each: Evidence) -> str:
    whole = each.value or ""
    if each.part is None or each.how in ("exact", "normalised"):
        return ""
    return f"  of {whole[: each.part.start]}[{whole[each.part.start : each.part.end]}]{whole[each.part.end :]}"


def _shown(head: str, text: str, span: Span | None, tail: str = "") -> Text:
    """The span, marked, in what stands around it."""
    start, end = span or Span(0, 0)
    before, after = text[max(start - _AROUND, 0) : start], text[end : end + _AROUND]
    return Text.assemble(
        one_line(head), (one_line(before), "dim"), "«", (one_line(text[start:end]), "bold reverse"), "»",
        (one_line(after), "dim"), one_line(tail, 200),
    )  # fmt: skip


_ITEMS = 5
"""Pieces of evidence shown for and against each hypothesis."""


def print_triage(console: Console, found: Triage, *, verbose: bool) -> None:
    """The verdict, the evidence, the owners."""
    said = "nothing speaks for any of the four" if found.verdict == "none" else found.verdict.replace("_", " ")
    say(console, Text(f"verdict: {said}", "bold"))
    for name, each in found.hypotheses.items():
        tree = Tree(Text(name.replace("_", " "), "bold red" if name == found.verdict else "bold"))
        for sign, items, style in (("+", each.for_, "yellow"), ("-", each.against, "green")):
            for item in items if verbose else items[:_ITEMS]:
                tree.add(_item(sign, item, style))
            if len(items) > _ITEMS and not verbose:
                tree.add(Text(f"{sign} and {len(items) - _ITEMS} more (--verbose)", "dim"))
        if each.for_ or name == found.verdict:
            tree.add(Text(f"would decide it: {each.decides}", "dim"))
        if each.for_ or each.against:
            console.print(tree)
    for owner in found.owners:
        say(console, Text(one_line(f"owner: {owner.owner}  event {owner.event}, {owner.what} ({owner.by})")))
    if found.path and not found.owners:
        say(console, Text("owners: none are known of what is on the causal path", "dim"))


def _item(sign: str, item: Item, style: str) -> Text:
    came = "" if item.cause is None else f", from event {item.cause}"
    line = Text.assemble((f"{sign} ", style), one_line(f"event {item.event}{came}: {item.what}"))
    return Text.assemble(line, ("\n  «", "dim"), one_line(item.text, 300), ("»", "dim")) if item.text else line
