"""Why a program may have asked something else than it did when it was recorded: a guess with its reason, from facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from replay.matching.compare import Request
from replay.matching.explain import Difference, explain
from replay.matching.shapes import differing


@dataclass(frozen=True, slots=True)
class Cause:
    """A likely cause.

    Attributes:
        cause: `order`: the same request is recorded elsewhere. `unrecorded input`: time, chance or identity got in
            through no seam. `code changed`: the program isn't the one that was recorded.
        why: the reason, one sentence.
    """

    cause: Literal["code changed", "unrecorded input", "order"]
    why: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.why}"


def likely_cause(
    expected: Request | None,
    got: Request | None,
    *,
    source_changed: bool | None = None,
    elsewhere: Sequence[str] = (),
    difference: Difference | None = None,
) -> Cause:
    """The likely cause of a divergence; up to it, all inputs of the program were the recorded ones.

    Args:
        expected: what was recorded; None when the program asks on after the end of the recording.
        got: what the program asks; None when it ended earlier.
        source_changed: does the program's source differ from the recorded one? None when that isn't known.
        elsewhere: places where a request the same as `got` is recorded and not yet answered, such as `m/t3 event 17`.
        difference: of the two, if it is at hand already.

    Example:
        >>> then, now = Request("tool", "pay", "req_8f3k2m9x"), Request("tool", "pay", "req_0a1b2c3d")
        >>> likely_cause(then, now).cause
        'unrecorded input'
    """
    if elsewhere:
        return Cause("order", f"the same request is recorded at {elsewhere[0]}: things came in another order")
    if expected is not None and got is not None:
        found = difference if difference is not None else explain(expected, got)
        shapes = _shapes(found)
        if shapes and source_changed:
            kinds = " and ".join(shapes)
            return Cause(
                "code changed", f"only {kinds} in {found.changes[0].path} differs, and the program's source does"
            )
        if shapes:
            kinds = " and ".join(shapes)
            return Cause(
                "unrecorded input", f"only {kinds} in {found.changes[0].path} differs: no seam saw where it is from"
            )
    if source_changed is None:
        return Cause("code changed", "all inputs so far are the recorded ones; whether the source differs isn't known")
    if source_changed:
        return Cause("code changed", "all inputs so far are the recorded ones, and the program's source differs")
    return Cause("unrecorded input", "the source and all inputs so far are the recorded ones: something else got in")


def _shapes(difference: Difference) -> list[str]:
    """The shapes that explain every change; empty when one change is of another nature."""
    shapes: dict[str, None] = {}
    for change in difference.changes:
        found = differing(str(change.expected), str(change.got)) if change.what == "changed" else []
        if not found:
            return []
        shapes |= dict.fromkeys(found)
    return list(shapes) if not difference.more else []
