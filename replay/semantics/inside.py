"""Which tool an event happened in: told by its lane, and by what that tool's lane did then."""

from __future__ import annotations

from dataclasses import dataclass, field

from replay.model.event import Event
from replay.model.inside import INNER, caller


@dataclass(slots=True)
class _Lane:
    """A lane that calls tools.

    Attributes:
        last: the one that it called last, and when that ended (None: never).
        streams: those that gave their values in pieces, and when each piece came.
    """

    last: tuple[int, int | None] | None = None
    streams: list[tuple[int, list[int]]] = field(default_factory=list[tuple[int, list[int]]])

    def tool(self, at: int) -> int | None:
        """The tool that it was in at that time: what gave its next piece then, or what it called last."""
        pieces = [(piece, tool) for tool, times in self.streams for piece in times if piece >= at]
        if pieces and (self.last is None or (self.last[1] is not None and self.last[1] < at)):
            return min(pieces)[1]
        return None if self.last is None else self.last[0]


class Tools:
    """The tools of one cassette, whose events are shown to it in order.

    What a tool began and left behind (a task, a thread) stays inside it.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._began: dict[str, int] = {}

    def holding(self, event: Event) -> int | None:
        """The tool that this event, which comes next, happened in, the innermost one; None where it is in none."""
        tool = self._tool(event)
        if event.kind == "tool":
            lane = self._lanes.setdefault(event.lane, _Lane())
            if event.status == "streamed":
                lane.streams.append((event.id, [piece.at for piece in event.pieces]))
            else:
                lane.last = event.id, None if event.took is None else event.at + event.took
        return tool

    def _tool(self, event: Event) -> int | None:
        before = caller(event.lane)
        if before is None or before not in self._lanes:
            return None
        tool = self._began.get(event.lane)
        if tool is None:
            tool = self._lanes[before].tool(event.at)
            if tool is not None and event.lane != f"{before}/{INNER}":
                self._began[event.lane] = tool
        return tool
