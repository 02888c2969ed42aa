"""What differs between two recordings, for people: the causes, then both runs side by side around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from replay.diff.changes import Change
from replay.diff.compare import Diff
from replay.diff.roots import Root
from replay.diff.steps import Step
from replay.diff.window import Shift
from replay.matching import words
from replay.queries.words.describe import describe
from replay_cli.render.lines import say
from replay_cli.render.text import block, one_line, plural

_CONTEXT = 1
"""Equal steps shown before and after one that differs."""

_SHOWN = 6
"""Parts of a cause, and of a window, that are shown."""

_ROWS = 16
"""Rows with differing steps that are shown side by side."""

_CELL = 110
"""Characters of a step beside another: three lines of half a terminal."""


def print_diff(console: Console, found: Diff, *, verbose: bool) -> None:
    """Causes first, since there are few; then where they stand in both runs."""
    if found.identical:
        say(console, f"✓ the same: {plural(len(found.pairs), 'step')}{_also(found)}")
        return
    follows = f", and {plural(found.inherited, 'later difference')} that follow{'' if found.inherited != 1 else 's'}"
    say(console, f"✗ {plural(len(found.roots), 'cause')}{follows if found.inherited else ''}{_also(found)}")
    for number, root in enumerate(found.roots, 1):
        for line in _root(number, root, verbose=verbose):
            say(console, line)
    for window in found.windows if verbose else found.windows[:1]:
        say(console, f"  the model's window, a:{window.a} b:{window.b}:")
        for shift in window.shifts if verbose else window.shifts[:_SHOWN]:
            say(console, Text(f"     {_shift(shift)}"))
        if len(window.shifts) > _SHOWN and not verbose:
            more = len(window.shifts) - _SHOWN
            say(console, Text(f"     and {plural(more, 'more message')} (--verbose)", style="dim"))
    for name, (one, other) in _shown_surroundings(found, verbose=verbose):
        say(console, Text(f"  {one_line(name)}: {_value(one)} -> {_value(other)}", style="dim"))
    for name, (one, other) in found.ends.items():
        say(console, f"  ended otherwise: {one_line(name)} {_value(one)} -> {_value(other)}")
    console.print(_table(found, verbose=verbose))


def _also(found: Diff) -> str:
    verb = "differs" if found.drawn == 1 else "differ"
    return f" ({found.drawn} {verb} only in times, ids or random numbers)" if found.drawn else ""


def _root(number: int, root: Root, *, verbose: bool) -> Iterator[Text]:
    where = {(True, True): "before the first event", (True, False): f"b:{root.b}", (False, True): f"a:{root.a}"}.get(
        (root.a is None, root.b is None), f"a:{root.a} b:{root.b}"
    )
    follows = f"; {plural(root.inherited, 'step')} follow{'' if root.inherited != 1 else 's'}" if root.inherited else ""
    yield Text(f"{number}  {root.kind:<6} {where}  {one_line(root.what)}{follows}", style="bold")
    changes = list(root.changes.items())
    for name, (one, other) in changes if verbose else changes[:_SHOWN]:
        text = f"{one_line(name)}: {_change(one, other)}"
        for line in text.split("\n"):
            yield Text(f"     {line}")
    if len(changes) > _SHOWN and not verbose:
        yield Text(f"     and {len(changes) - _SHOWN} more (--verbose)", style="dim")


def _change(one: Any, other: Any) -> str:
    if one is None or other is None:
        return f"{_value(one)} -> {_value(other)}"
    if isinstance(one, str) and isinstance(other, str) and max(len(one), len(other)) > 60:
        return block(words.compare(one, other))
    return f"{_value(one)} -> {_value(other)}"


def _value(value: Any) -> str:
    return "nothing" if value is None else one_line(words.clip(repr(value), 200))


def _shift(shift: Shift) -> str:
    where = " ".join(f"{side}:{number}" for side, number in (("a", shift.a), ("b", shift.b)) if number is not None)
    if shift.what in ("injected", "dropped", "moved"):
        return f"{shift.what} message {where}: {one_line(words.clip(shift.after or shift.before, 160))}"
    return f"{shift.what} message {where}: {one_line(words.compare(shift.before, shift.after))}"


def _shown_surroundings(found: Diff, *, verbose: bool) -> list[tuple[str, Change]]:
    rest = [(name, change) for name, change in found.surroundings.items() if name != "arguments"]
    return rest if verbose else rest[:_SHOWN]


def _table(found: Diff, *, verbose: bool) -> Table:
    """Both runs, side by side; what is the same is folded."""
    table = Table(box=None, pad_edge=False, expand=True)
    for name in ("a", "b"):
        table.add_column(name, no_wrap=True, justify="right")
        table.add_column(ratio=1, overflow="fold")
    causes = {(root.a, root.b): number for number, root in enumerate(found.roots, 1)}
    marks = [causes.get((_id(pair.a), _id(pair.b)), 0) or ("≠" if not pair.same else "") for pair in found.pairs]
    near = [any(marks[max(i - _CONTEXT, 0) : i + _CONTEXT + 1]) for i in range(len(marks))]
    folded = rows = marked = 0
    for pair, mark, show in zip(found.pairs, marks, near, strict=True):
        if not show and not verbose:
            folded += 1
            continue
        if folded:
            table.add_row("", Text(f"… {plural(folded, 'step')} the same", style="dim"))
            folded = 0
        rows += 1
        if rows > _ROWS and not verbose:
            left = sum(1 for each in marks if each) - marked
            table.add_row("", Text(f"… {plural(left, 'differing step')} more (--verbose)", style="dim"))
            break
        marked += bool(mark)
        table.add_row(*_step(pair.a, mark), *_step(pair.b, mark))
    if folded:
        table.add_row("", Text(f"… {plural(folded, 'step')} the same", style="dim"))
    return table


def _step(step: Step | None, mark: int | str) -> tuple[Text, Text]:
    """Its mark and number, and what it is."""
    if step is None:
        return Text(""), Text("—", style="dim")
    style = "bold" if isinstance(mark, int) and mark else ""
    text = describe(step.event, step.call)[0].text
    return Text(f"{mark} {step.id}", style=style), Text(one_line(text, _CELL), style=style)


def _id(step: Step | None) -> int | None:
    return None if step is None else step.event.id
