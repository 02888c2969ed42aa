"""Seams of other packages (docs/plugins.md): entry points, installed behind ours where somebody names them.

By name, and not because they are installed: a replay has to patch what its recording patched, in the same order. The
header has the names (`seams`), a recording and its replay load them at the same place, before anything is patched.
"""

from __future__ import annotations

from collections.abc import Iterable

from replay.model.errors import SeamMissing
from replay.model.extensions import added
from replay.seams._seam import Seam


def found(names: Iterable[str]) -> tuple[list[Seam], list[str]]:
    """The seams of those names that can be had here, in that order; and of each other one, why it can't."""
    wanted = list(dict.fromkeys(names))
    if not wanted:  # finding out takes a while
        return [], []
    there = added("seams")
    seams: list[Seam] = []
    lost: list[str] = []
    for name in wanted:
        if name not in there:
            lost.append(f"no installed package adds a seam named {name}")
            continue
        try:
            seam = there[name]()
            if not isinstance(seam, Seam):
                raise TypeError("it isn't a replay.seams.Seam")
        except Exception as error:  # another package's code
            lost.append(f"seam {name}: {type(error).__name__}: {error}")
        else:
            seams.append(seam._replace(name=name))
    return seams, lost


def required(names: Iterable[str]) -> list[Seam]:
    """As `found`, for a replay: without one of them it would be another execution.

    Raises:
        SeamMissing: for the first that can't be had.
    """
    seams, lost = found(names)
    if lost:
        raise SeamMissing(f"recorded with a seam that isn't here: {lost[0]}", hint="install its package here")
    return seams
