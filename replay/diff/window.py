"""How the model's window differs between two calls: messages injected, dropped, truncated, rewritten, moved. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from replay.diff.align import align

_TELLING = 30
"""Characters of a beginning that are no coincidence, wherever it stands."""

What = Literal["injected", "dropped", "truncated", "rewritten", "moved"]


@dataclass(frozen=True, slots=True)
class Shift:
    """One message that differs.

    Attributes:
        a, b: its number in either window; None where it isn't in it.
        before, after: what it says in either.
    """

    what: What
    a: int | None
    b: int | None
    before: str = ""
    after: str = ""


def shifts(a: Sequence[str], b: Sequence[str]) -> list[Shift]:
    """What has to be done to window `a` to get window `b`, by the numbers of the messages in `b`, then in `a`.

    Args:
        a, b: what each message says, with its role.

    Example:
        >>> shifts(["system: be brief", "user: hello"], ["system: be brief", "tool: pay now", "user: hello"])
        [Shift(what='injected', a=None, b=1, before='', after='tool: pay now')]
    """
    gone: list[int] = []
    new: list[int] = []
    found: list[Shift] = []
    for block in align(a, b):
        if not block.equal:
            gone += range(block.a0, block.a1)
            new += range(block.b0, block.b1)
    for number in list(new):
        at = next((other for other in gone if a[other] == b[number]), None)
        if at is not None:
            found.append(Shift("moved", at, number, a[at], b[number]))
            gone.remove(at)
            new.remove(number)
    for number in list(new):
        cut = (other for other in gone if len(b[number]) >= _TELLING and _cut_from(b[number], a[other]))
        at = next(cut, None)
        if at is None:
            at = next((other for other in gone if _same_place(a, b, other, number)), None)
        if at is None:
            continue
        shorter = len(b[number]) < len(a[at]) and _cut_from(b[number], a[at])
        found.append(Shift("truncated" if shorter else "rewritten", at, number, a[at], b[number]))
        gone.remove(at)
        new.remove(number)
    found += (Shift("injected", None, number, "", b[number]) for number in new)
    found += (Shift("dropped", number, None, a[number], "") for number in gone)
    return sorted(found, key=lambda shift: (shift.b is None, shift.b if shift.b is not None else shift.a))


def _same_place(a: Sequence[str], b: Sequence[str], one: int, other: int) -> bool:
    """Said by the same role, and alike in the beginning or in the neighbours."""
    if _role(a[one]) != _role(b[other]):
        return False
    head = min(len(a[one]), len(b[other]), 40)
    if a[one][:head] == b[other][:head]:
        return True
    before = one > 0 and other > 0 and a[one - 1] == b[other - 1]
    after = one + 1 < len(a) and other + 1 < len(b) and a[one + 1] == b[other + 1]
    return before or after or (one == other == 0)


def _role(message: str) -> str:
    return message.partition(":")[0]


_MARKS = ("…", "...", "[truncated]")


def _cut_from(short: str, whole: str) -> bool:
    """Whether the short text is the beginning of the whole one, or its beginning and its end."""
    for mark in _MARKS:
        head, found, tail = short.rpartition(mark)
        if found and whole.startswith(head) and whole.endswith(tail):
            return True
    return whole.startswith(short)
