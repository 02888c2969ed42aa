"""Which lane of one run is which of another. Pure.

A lane is named by its place among its siblings (`m/t2`: the second task). One task more at the beginning renames all
that come after it, so names alone say little:

1. Children of lanes that are each other's are aligned by all that was asked in them, and below them.
2. Of the rest, those are each other's that began with the same request; then those of one name; then those that have
   most in common.
3. What has nothing in common with any other is in one run only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Final, Protocol

from replay.diff.align import pairs

_NUMBERED: Final = re.compile(r"[A-Za-z]+[0-9]+")
_COMPARED: Final = 10_000
"""How many pairs of siblings are compared at most; where there are more, names have to do."""


class Asked(Protocol):
    """A step: the digest of its request (all of one length) and its place."""

    @property
    def ask(self) -> bytes: ...
    @property
    def where(self) -> Hashable: ...


Lanes = Mapping[str, Sequence[Asked]]
"""Of each lane its steps, in order."""


class _Node:
    """A lane and what was asked in it and below: in order, and how often. Most are never looked at."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: dict[str, _Node] = {}
        self.lanes: list[Sequence[Asked]] = []

    @cached_property
    def asked(self) -> list[bytes]:
        return [step.ask for steps in self.lanes for step in steps]

    @cached_property
    def places(self) -> Counter[Hashable]:
        return Counter([*(step.where for steps in self.lanes for step in steps), *self.asked])

    @cached_property
    def key(self) -> bytes:
        return blake2b(b"".join(self.asked), digest_size=16).digest() + len(self.asked).to_bytes(4, "big")


def matched(a: Lanes, b: Lanes) -> dict[str, str]:
    """For each lane of `b` the name under which its steps are compared: of the lane of `a` which it is, or a new one.

    Example:
        >>> from collections import namedtuple
        >>> Step = namedtuple("Step", "ask where")
        >>> look, again, greet = Step(b"x", "look"), Step(b"y", "look"), Step(b"z", "greet")
        >>> matched({"m/t1": [look], "m/t2": [again]}, {"m/t1": [greet], "m/t2": [look], "m/t3": [again]})
        {'m': 'm', 'm/t1': 'm/t1+', 'm/t2': 'm/t1', 'm/t3': 'm/t2'}
    """
    found: dict[str, str] = {}
    _match(_tree(a), _tree(b), "", "", found)
    return found


def _tree(lanes: Lanes) -> _Node:
    root = _Node("")
    for lane, steps in lanes.items():
        node = root
        for name in lane.split("/"):
            node = node.children.setdefault(name, _Node(name))
            node.lanes.append(steps)
    return root


def _match(a: _Node, b: _Node, here: str, there: str, found: dict[str, str]) -> None:
    partners = _partners(a.children, b.children)
    for name, child in b.children.items():
        partner = partners.get(name)
        lane = f"{here}/{name}".removeprefix("/")
        as_ = f"{there}/{partner or name}".removeprefix("/") + ("+" if partner is None and name in a.children else "")
        found[lane] = as_
        _match(a.children[partner] if partner else _Node(""), child, lane, as_, found)


def _partners(a: Mapping[str, _Node], b: Mapping[str, _Node]) -> dict[str, str]:
    """Name of a child of `b` -> of the child of `a` that it is."""
    found = {name: name for name in b if name in a and not _NUMBERED.fullmatch(name)}
    one, other = (sorted(filter(_NUMBERED.fullmatch, each), key=_number) for each in (a, b))
    for i, j in pairs([(_number(x)[0], a[x].key) for x in one], [(_number(y)[0], b[y].key) for y in other]):
        found[other[j]] = one[i]
    taken = set(found.values())
    left, right = [name for name in one if name not in taken], [name for name in other if name not in found]
    for name, partner in _alike(a, b, left, right):
        found.setdefault(name, partner)
    return found


def _alike(
    a: Mapping[str, _Node], b: Mapping[str, _Node], left: Sequence[str], right: Sequence[str]
) -> list[tuple[str, str]]:
    if len(left) * len(right) > _COMPARED:
        return [(name, name) for name in right if name in left]
    ranked = sorted(
        (a[x].asked[:1] != b[y].asked[:1], x != y, -common, abs(_number(x)[1] - _number(y)[1]), y, x)
        for x in left
        for y in right
        if _number(x)[0] == _number(y)[0] and (common := (a[x].places & b[y].places).total())
    )
    chosen: list[tuple[str, str]] = []
    for *_, y, x in ranked:
        if all(y != name and x != partner for name, partner in chosen):
            chosen.append((y, x))
    return chosen


def _number(name: str) -> tuple[str, int]:
    letters = name.rstrip("0123456789")
    return letters, int(name[len(letters) :])
