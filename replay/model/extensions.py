"""What other packages add, as entry points (docs/plugins.md). Asked only where something of ours doesn't do: finding
out costs a fiftieth of a second, which no recording pays that doesn't name one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def added(group: str) -> dict[str, Callable[[], Any]]:
    """Name -> what loads it, of the entry points of `replay.<group>`.

    Args:
        group: `importers`, `exporters`, `dialects`, `redactors`, `seams` or `engines`.
    """
    from importlib.metadata import entry_points

    return {point.name: point.load for point in entry_points(group=f"replay.{group}")}
