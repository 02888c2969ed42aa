"""Two recordings compared: `diff(a, b)`. Reads both, executes nothing.

found = diff(load("good.cassette"), load("bad.cassette"))
found.identical, [root.what for root in found.roots], found.inherited
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from replay.cassette.cassette import Cassette
from replay.diff.changes import Change, masked
from replay.diff.pairs import Pair, paired
from replay.diff.roots import Root, causes
from replay.diff.steps import Run
from replay.diff.window import Shift, shifts

_ENVIRONMENT: Final = ("python", "implementation", "platform")


@dataclass(frozen=True, slots=True)
class Window:
    """Two calls of a model, by their events, and how their windows differ."""

    a: int
    b: int
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class Diff:
    """What differs between two runs.

    Attributes:
        roots: the causes, in the order in which they came up.
        inherited: steps that differ because of them. drawn: steps that differ in times, ids or random numbers only.
        surroundings: what the headers say of both, where it differs: arguments, git, packages, … -> (in a, in b).
        ends: how both ended, where that differs.
        pairs: all steps but draws, aligned.
        caused: which of these pairs differ because of which of the roots, by their places.
    """

    roots: tuple[Root, ...]
    inherited: int
    drawn: int
    surroundings: Mapping[str, Change]
    ends: Mapping[str, Change]
    pairs: tuple[Pair, ...]
    caused: Mapping[int, int]

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """How what the model was given to read differs, each difference where it came up first."""
        return tuple(_windows(self.pairs))

    @property
    def identical(self) -> bool:
        """Nothing differs but drawn values and where it ran."""
        return not self.roots and not self.ends

    def to_json(self) -> dict[str, Any]:
        """As `replay diff --json` has it."""
        return {
            "identical": self.identical,
            "roots": [root.to_json() for root in self.roots],
            "inherited": self.inherited,
            "drawn": self.drawn,
            "surroundings": {name: list(pair) for name, pair in self.surroundings.items()},
            "ends": {name: list(pair) for name, pair in self.ends.items()},
            "windows": [asdict(window) for window in self.windows],
        }


def diff(a: Cassette, b: Cassette) -> Diff:
    """Compares two runs of a program; `a` is the good one, where one is.

    What it gives reads more of both when that is looked at: keep them open.

    Raises:
        CassetteDamaged: an event can't be read.
    """
    pairs = paired(Run(a).steps, Run(b).steps)
    surroundings = _surroundings(a.header, b.header)
    found = causes(pairs, given=_given(surroundings), same_code=_same_code(a.header, b.header, surroundings))
    return Diff(
        roots=tuple(found.roots),
        inherited=found.inherited,
        drawn=found.drawn,
        surroundings=surroundings,
        ends=_differing(_end(a), _end(b)),
        pairs=tuple(pairs),
        caused=found.caused,
    )


def _windows(pairs: Sequence[Pair]) -> Iterator[Window]:
    seen: set[tuple[str, str, str]] = set()
    for a, b in ((pair.a, pair.b) for pair in pairs):
        if a is None or b is None or a.ask == b.ask or a.call is None or b.call is None:
            continue
        found = [
            shift
            for shift in shifts(a.window, b.window)
            if (shift.what, shift.before, shift.after) not in seen and masked(shift.before) != masked(shift.after)
        ]
        seen |= {(shift.what, shift.before, shift.after) for shift in found}
        if found:
            yield Window(a.id, b.id, tuple(found))


def _surroundings(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Change]:
    return _differing(_facts(a), _facts(b))


def _facts(header: Mapping[str, Any]) -> dict[str, Any]:
    command = [str(word) for word in header.get("command") or header.get("argv") or ()]
    environment: Mapping[str, Any] = header.get("environment") or {}
    facts: dict[str, Any] = {"program": " ".join(command[:2]), "arguments": command[2:]}
    git: Mapping[str, Any] = header.get("git") or {}
    facts |= {f"git {name}": value for name, value in git.items()}
    facts |= {name: environment.get(name) for name in _ENVIRONMENT}
    packages: Mapping[str, Any] = environment.get("distributions") or {}
    facts |= {f"package {name}": version for name, version in packages.items()}
    startup: Mapping[str, Any] = header.get("startup") or {}
    return facts | {f"environment {name}": value for name, value in startup.items()}


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Change]:
    names = [*one, *(name for name in other if name not in one)]
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def _given(surroundings: Mapping[str, Change]) -> list[Root]:
    """Arguments are inputs that came before the first step."""
    if "arguments" not in surroundings:
        return []
    one, other = surroundings["arguments"]
    changes = {
        f"argument {number + 1}": (then, now)
        for number, (then, now) in enumerate(zip(_padded(one, other), _padded(other, one), strict=True))
        if then != now
    }
    return [Root(None, None, "input", f"arguments: {', '.join(changes)}", changes)]


def _padded(words: list[str], other: list[str]) -> list[str | None]:
    return [*words, *[None] * max(len(other) - len(words), 0)]


def _same_code(a: Mapping[str, Any], b: Mapping[str, Any], surroundings: Mapping[str, Change]) -> bool | None:
    if any(name == "program" or name.startswith("git ") for name in surroundings):
        return False
    one: Mapping[str, Any] = a.get("git") or {}
    other: Mapping[str, Any] = b.get("git") or {}
    clean = one.get("commit") and other.get("commit") and not one.get("dirty") and not other.get("dirty")
    return True if clean else None


def _end(cassette: Cassette) -> dict[str, Any]:
    outcome = cassette.outcome or {}
    return {name: outcome.get(name) for name in ("exit_code", "exception") if name in outcome}
