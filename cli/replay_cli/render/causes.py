"""What made a good run go wrong, for people: the causes with their places, then how sure that is."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from replay.bisect.hybrids import Bisected, Cause, Part
from replay.bisect.spans import MISSING
from replay.cassette.named import Named
from replay.matching import words
from replay.queries.shapes import mapping
from replay_cli.render.lines import say
from replay_cli.render.text import block, one_line, plural

_SHOWN = 200


def print_causes(console: Console, found: Bisected) -> None:
    """The causes of each set, and what was executed to know it."""
    causes = found.causes
    if causes.premise != "holds":
        say(console, Text(f"✗ nothing to search: {one_line(found.why)}"))
    for number in range(len(causes.sets)):
        its = [cause for cause in found.named if cause.set == number]
        say(console, Text(_headline(number, len(its), found), style="bold"))
        for cause in its:
            for line in _lines(cause):
                say(console, line)
    for said in _proof(found):
        say(console, Text(said, style="dim"))


def _headline(number: int, count: int, found: Bisected) -> str:
    word = "also enough by itself" if number else "makes it go wrong" if count == 1 else "make it go wrong, together"
    least = "" if found.causes.minimal else " (the smallest found within the limit)"
    return f"✗ {plural(count, 'cause')} of {plural(found.differences, 'difference')}, which {word}{least}"


def _lines(cause: Cause) -> Iterator[Text]:
    yield Text(f"  {cause.seam}  good:{cause.good} bad:{cause.bad}  {one_line(cause.what)}")
    for part in cause.parts:
        where = f"{one_line(part.path)}: " if part.path else ""
        for line in f"{where}{_change(part)}".split("\n"):
            yield Text(f"     {line}")


def _change(part: Part) -> str:
    if isinstance(part.good, str) and isinstance(part.bad, str) and max(len(part.good), len(part.bad)) > 60:
        return block(words.compare(part.good, part.bad))
    return f"{_value(part.good)} -> {_value(part.bad)}"


def _value(value: object) -> str:
    if value is MISSING:
        return "(nothing)"
    if isinstance(value, Named) and value.form == "exception":
        return one_line(words.clip(f"{value.qualname}: {mapping(value.state).get('text', '')}", _SHOWN))
    return one_line(words.clip(repr(value), _SHOWN))


def _proof(found: Bisected) -> Iterator[str]:
    causes = found.causes
    if causes.found and causes.minimal:
        without = {
            "good": "without them the bad run is good",
            "unresolved": "what it is without them can't be decided (--model)",
            "bad": "without them it is bad all the same",
        }[causes.without]
        less = "with any one less it doesn't"
        if causes.doubtful:
            less = f"of {len(causes.doubtful)} of them it can't be decided whether they are needed (--model)"
        yield f"  executed: with these alone it goes wrong; {less}; {without}"
    executed = f"{plural(causes.trials, 'mixture')} tried"
    if found.executions != causes.trials:
        executed += f" in {plural(found.executions, 'execution')}"
    if causes.unresolved:
        executed += f", {causes.unresolved} unresolved"
    yield f"  {executed}; ddmin takes up to {causes.bound}"
    for root in found.left_out:
        yield f"  not tried: {root.kind}: {one_line(root.what, _SHOWN)}"
    if found.alone is not None:
        yield f"  with these alone: {one_line(found.alone)}"
