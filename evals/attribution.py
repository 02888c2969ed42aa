"""Who&When: which agent made the mistake, and in which step, told by the trail alone; no model reads it.

The step named is the answer on which the most rests that it was the first to say: words and values that stood in
nothing before it, and that later answers repeat, each weighing by its rarity. An answer whose code failed right away
loses half: the failure was seen. Beside it the rules that look at positions only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evals.cases import imported
from evals.why import Tally, count
from replay.forensics.text import text_of, tokens
from replay.forensics.values import Rarity
from replay.model.event import Event
from replay.semantics import read

PUBLISHED: Final = "published: agent 53.5 %, step 14.2 %; step 1 always: 27.0 % of the algorithm-generated part"
_FAILED: Final = re.compile(r"exitcode: [1-9]|Traceback \(most recent call last\)")


@dataclass(frozen=True, slots=True)
class Step:
    """What an agent said: its message in the original, the agent, the text, and whether what followed it failed."""

    message: int
    agent: str
    text: str
    failed: bool


def attribution(directory: Path, tally: Tally) -> None:
    """Counts, by part of the data and together."""
    for path in sorted((directory / "who_and_when").glob("*/*.json")):
        document = json.loads(path.read_text("utf-8"))
        said = list(steps(imported(document)))
        if not said:
            continue
        agent, at = str(document["mistake_agent"]), int(document["mistake_step"])
        for part in ("", f", {path.parent.name}"):
            for rule, step in (("trail", suspect(said)), ("step 1", _at(said, 1)), ("last step", said[-1])):
                count(tally, f"who&when{part}: agent by {rule}", step.agent == agent)
                count(tally, f"who&when{part}: step by {rule}", step.message == at)


def steps(events: list[Event]) -> Iterator[Step]:
    """What agents said, in order."""
    for event in events:
        answer = read(event)
        if answer is not None and event.meta.get("agent"):
            after: Any = events[event.id + 1] if event.id + 1 < len(events) else None
            failed = after is not None and after.kind == "tool" and _FAILED.search(text_of(after.response)) is not None
            yield Step(event.meta["source"]["message"], str(event.meta["agent"]), answer.text, failed)


def suspect(said: list[Step]) -> Step:
    """The step on which the most rests that it was the first to say."""
    words = [frozenset(token for token, _ in tokens(step.text)) for step in said]
    rarity = Rarity(words)
    known: set[str] = set()
    rests: list[float] = []
    for number, step in enumerate(said):
        new = words[number] - known
        later = [other & new for other in words[number + 1 :]]
        rests.append(sum(rarity(token) for each in later for token in each) * (0.5 if step.failed else 1.0))
        known |= words[number]
    return said[max(range(len(said)), key=lambda n: (rests[n], -n))]


def _at(said: list[Step], message: int) -> Step:
    return next((step for step in said if step.message >= message), said[-1])
