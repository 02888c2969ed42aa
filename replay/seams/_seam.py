"""What a seam declares about itself, and how it patches a library.

A seam is a module with `install(module)`, called once with each library module it names, right after that was imported.
It replaces attributes of the library by wrappers that ask `lanes.running.lane`: without a lane the original is called
with the arguments as they are; with one, the wrapper describes a `Call` and asks the lane's door.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, NamedTuple

from replay.boundary.lanes import nobody, running

Way = Literal["sync", "async", "stream"]

_MARK = "__replay_original__"


class Target(NamedTuple):
    """A library module that a seam patches, and the attributes (dotted paths) it must have for that."""

    module: str
    needs: tuple[str, ...]


class Seam(NamedTuple):
    """One seam, declared in one place (`registry.SEAMS`).

    Attributes:
        name: how it is called in reports.
        module: where its `install` is; imported only when one of its libraries is.
        targets: what it patches.
        covers: the libraries whose users are covered, as one reads them.
        tried: library versions it was tried with.
        ways: what it records.
        records: what becomes an event, in words.
        limits: what it doesn't see or can't repeat.
    """

    name: str
    module: str
    targets: tuple[Target, ...]
    covers: str
    tried: str
    ways: tuple[Way, ...]
    records: str
    limits: tuple[str, ...] = ()


def missing(module: ModuleType, needs: tuple[str, ...]) -> list[str]:
    """Those of the dotted paths that the module doesn't have."""
    return [path for path in needs if not _has(module, path)]


def _has(holder: Any, path: str) -> bool:
    for name in path.split("."):
        try:
            holder = getattr(holder, name)
        except AttributeError:
            return False
    return True


def patch(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    """Replace `owner.name` by `wrap(original)`, once: what is patched already (by us, here or in a base) stays.

    Properties are wrapped by their getter.
    """
    original = getattr(owner, name)
    is_property = isinstance(original, property)
    target: Any = original.fget if isinstance(original, property) else original
    if hasattr(target, _MARK):
        return
    wrapper = functools.update_wrapper(wrap(target), target)
    setattr(wrapper, _MARK, target)
    made = property(wrapper) if is_property else wrapper
    if undoing is not None:
        undoing.append((owner, name, made, original if name in vars(owner) else None))
    setattr(owner, name, made)


Patched = tuple[Any, str, Any, Any]
"""Owner, name, wrapper, and what it replaced; None where that was inherited."""

undoing: list[Patched] | None = None
"""What was patched since somebody began to note it."""


def undo(patched: list[Patched]) -> None:
    """As it was before. What somebody else has replaced meanwhile stays."""
    for owner, name, made, original in reversed(patched):
        if name not in vars(owner) or getattr(owner, name) is not made:
            continue
        if original is None:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def aside(original: Callable[..., Any]) -> Callable[..., Any]:
    """Run it outside of the lane: for what a library does for itself (pools, their locks), which depends on what else
    used it, and differs at replay where tools don't run."""

    def run_aside(*args: Any, **kwargs: Any) -> Any:
        if running.lane is None:
            return original(*args, **kwargs)
        with nobody():
            return original(*args, **kwargs)

    return run_aside
