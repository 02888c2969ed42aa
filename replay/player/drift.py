"""What a lenient replay let pass: calls that asked otherwise and got the recorded answer; and how far that is evidence.

A recorded answer is evidence of what comes back to the question that was recorded. To another question something else
may come back, so:

- What the program asks up to the first answer to a question that differed is what it does in that world: evidence.
- From the first event that begins after such an answer came, in whatever lane, it isn't: the program may have gone the
  recorded way only because it was led there.
- A write that came back with nothing (what was printed, a file that was closed) leads nowhere: it differs, and that is
  all.
"""

from __future__ import annotations

from types import FrameType
from typing import Any

from replay.boundary import sites
from replay.boundary.lanes import nobody
from replay.matching.compare import Request
from replay.matching.explain import brief
from replay.model.verdict import DRIFTS, Asked, Drift, Verdict
from replay.player.answers import RESULT, as_stored
from replay.player.tape import Entry


class Drifts:
    """Keeps the drift of one replay, and from where on its answers stop being evidence, in the verdict."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._writes: dict[int, bool] = {}  # drifted event -> whether it only writes
        self._led = False

    def begins(self, event: int) -> None:
        """The program does what is recorded as that event, or something else in its place."""
        if self._led and self._verdict.evidence_until is None:
            self._verdict.evidence_until = event

    def asked(self, entry: Entry, got: Request, frame: FrameType) -> None:
        """The call of that entry asks otherwise now."""
        kind, name, effect, _site, request, body, _meta = entry.detail
        program = sites.program_frame(frame)
        site = None if program is None else f"{program.f_code.co_filename}:{program.f_lineno}"
        with nobody():  # explaining is ours, not the program's
            change = brief(Request(kind, name, request, body), got)
        self._verdict.drift.append(Drift(entry.event, f"{kind} {name}", entry.lane, change, site))
        if len(self._verdict.drifted) < DRIFTS:
            stored = as_stored(got)
            self._verdict.drifted.append(Asked(entry.event, stored.request, stored.body))
        self._writes[entry.event] = effect == "write"

    def stands_in(self, entry: Entry, tool: str, missing: str) -> None:
        """Its answer has an object of a class that isn't imported here; the program got something like it."""
        change = f"its answer has a {missing}, which can't be made here"
        self._verdict.drift.append(Drift(entry.event, f"tool {tool}", entry.lane, change, None))
        self._led = True

    def came(self, event: int, status: int, value: Any) -> None:
        """The program gets the recorded answer."""
        writes = self._writes.get(event)
        if writes is not None and not (writes and status == RESULT and value is None):
            self._led = True
