"""What both walls have to say about a replay, put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from replay.model.verdict import Escape, HoleUse
from replay.runtime.attempts import Log
from replay.runtime.walls.supervisor import Noted


class Told:
    """What the sandbox and the supervisor of a replay have to say.

    Attributes:
        escapes, holes, walls: as in `Run`.
    """

    def __init__(self, log: Log, noted: Sequence[Noted], latched: Sequence[dict[str, Any]]) -> None:
        entries = list(log.read())
        logged = [fields for kind, fields in entries if kind == "escape"]
        escapes = [Escape(**fields) for fields in logged or latched]  # the log has those after the verdict, too
        uses = [HoleUse(**fields) for kind, fields in entries if kind == "hole"]
        seen = {use.hole for use in uses}
        for each in noted:
            if each.hole is None:
                escapes.append(Escape(each.what, each.detail, each.site))
            elif each.hole not in seen:  # what the first wall let through comes to the second, too
                uses.append(HoleUse(each.hole, each.what, each.detail, each.site))
        self.escapes = tuple(escapes)
        self.holes = tuple(dict.fromkeys(uses))
        self.walls = tuple(fields["name"] for kind, fields in entries if kind == "wall")
