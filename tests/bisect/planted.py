"""Pairs of worlds, one good and one bad: they differ in many things, and a few of them are what makes it go wrong.

A world is what an agent's look-ups answer. It goes wrong where all phrases of one trigger stand in what was looked up.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["single", "together", "span", "spans"]
KINDS: tuple[Kind, ...] = ("single", "together", "span", "spans")

_WORDS = "parcel customer warehouse invoice address courier window label pallet receipt counter manager".split()
_SAID = "is waiting|was moved|is late|was paid|is sealed|was opened|is missing|was found|is heavy|was weighed".split(
    "|"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Attributes: good, bad: what each look-up answers. phrases: of the trigger, each with its look-up."""

    kind: Kind
    good: tuple[Any, ...]
    bad: tuple[Any, ...]
    phrases: tuple[tuple[int, str], ...]

    @property
    def spans(self) -> bool:
        return self.kind.startswith("span")

    def goes_wrong(self, world: Sequence[Any]) -> bool:
        told = json.dumps(world)
        return all(phrase in told for _, phrase in self.phrases)


def pair(seed: int, most: int = 200) -> Pair:
    """One to three planted causes among 40 to `most` differences; some of the look-ups don't differ."""
    chance = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    count = chance.randrange(40, most + 1)
    places = chance.sample(range(count), 1 if kind in ("single", "span") else chance.choice((2, 2, 3)))
    phrases = [f"{chance.choice(_WORDS)} {chance.randrange(10**6):x} must be refunded" for _ in places]
    good: list[Any] = []
    bad: list[Any] = []
    for number in range(count + chance.randrange(10)):
        makes = _text if not kind.startswith("span") or chance.random() < 0.5 else _document
        if number in places and kind.startswith("span"):
            makes = _document
        one = makes(chance)
        other = makes(chance) if number < count else one
        if number in places:
            other = _with(other, phrases[places.index(number)], chance)
        good.append(one)
        bad.append(other)
    return Pair(kind, tuple(good), tuple(bad), tuple(zip(places, phrases, strict=True)))


def _sentence(chance: random.Random) -> str:
    return f"The {chance.choice(_WORDS)} of {chance.choice(_WORDS)} {chance.randrange(10**5):x} {chance.choice(_SAID)}."


def _text(chance: random.Random) -> str:
    return _sentence(chance)


def _document(chance: random.Random) -> dict[str, Any]:
    """What a look-up in documents finds."""
    found = [
        {"title": chance.choice(_WORDS), "text": "\n\n".join(_paragraph(chance) for _ in range(chance.randrange(1, 4)))}
        for _ in range(chance.randrange(1, 5))
    ]
    return {"found": found, "more": False}


def _paragraph(chance: random.Random) -> str:
    return " ".join(_sentence(chance) for _ in range(chance.randrange(1, 4)))


def _with(answer: Any, phrase: str, chance: random.Random) -> Any:
    """The answer with that phrase said somewhere in it."""
    said = f"This {phrase}."
    if isinstance(answer, str):
        return f"{answer} {said}"
    hit = chance.choice(answer["found"])
    hit["text"] += f" {said}"
    return answer
