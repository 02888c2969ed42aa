"""Blind spots in words: the same lines wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from replay.model.event import BlindSpot
from replay_cli.render.text import plural

_SHOWN = 12


def spot_lines(spots: Sequence[BlindSpot]) -> list[str]:
    """A headline and a line for each; nothing where there are none."""
    if not spots:
        return []
    lines = [f"replay: {plural(len(spots), 'blind spot')}: seen by no seam, so a replay can't vouch for them"]
    for spot in spots[:_SHOWN]:
        times = f" ×{spot.count}" if spot.count > 1 else ""
        where = "" if spot.site is None else f" at {spot.site}"
        lines.append(f"  {spot.what}: {spot.detail}{times}{where}")
    if len(spots) > _SHOWN:
        lines.append(f"  … and {len(spots) - _SHOWN} more (replay show lists them)")
    return lines
