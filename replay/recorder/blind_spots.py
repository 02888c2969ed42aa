"""What no seam saw, counted by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.cassette.writer import Writer

if TYPE_CHECKING:
    from replay.cassette.ring import Ring


class BlindSpots:
    """Of one recording; called with its lock held."""

    def __init__(self, writer: Writer | Ring) -> None:
        self._writer = writer
        self._counts: dict[tuple[str, str, int | None], int] = {}

    def note(self, what: str, detail: str, site: int | None) -> None:
        """One more. The first is written at once: a killed program keeps its blind spots; the counts follow."""
        key = (what, detail, site)
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count == 1:
            self._writer.blind(what, detail, site, count)
            self._writer.flush()

    def listed(self) -> list[tuple[str, str, int]]:
        """(what, detail, count)."""
        return [(what, detail, count) for (what, detail, _), count in self._counts.items()]

    def write(self) -> None:
        """The final counts."""
        for (what, detail, site), count in self._counts.items():
            self._writer.blind(what, detail, site, count)
