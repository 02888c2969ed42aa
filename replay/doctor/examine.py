"""Examining a program: record it, replay it against its own recording, and compare what its lines produced."""

from __future__ import annotations

import json
import linecache
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from replay.cassette.cassette import load
from replay.doctor.compare import Entry, Finding, entries, sources
from replay.launch import Run, record_command, run
from replay.model.errors import NotRecorded
from replay.model.event import BlindSpot
from replay.process import Output

REPLAYS = 2


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with recordings of a program.

    Attributes:
        findings: lines that read something that isn't recorded. runs: its replays.
        blind_spots: what no seam saw. gaps: how many outcomes couldn't be stored.
        exit_code: the program's own. events: recorded. exception: the class of the one that ended it.
    """

    findings: tuple[Finding, ...]
    runs: tuple[Run, ...]
    blind_spots: tuple[BlindSpot, ...]
    gaps: int
    exit_code: int
    events: int
    exception: str | None = None

    @property
    def sound(self) -> bool:
        """Replays were the same execution, as far as one can see."""
        return not self.findings and all(each.identical for each in self.runs)

    def to_json(self) -> dict[str, Any]:
        """The document of `replay doctor --json -- CMD`."""
        spots = [
            {"what": s.what, "detail": s.detail, "site": str(s.site or ""), "count": s.count} for s in self.blind_spots
        ]
        return {
            "sound": self.sound,
            "findings": [asdict(finding) for finding in self.findings],
            "replays": [each.to_json() for each in self.runs],
            "blind_spots": spots,
            "gaps": self.gaps,
            "exit_code": self.exit_code,
            "exception": self.exception,
            "events": self.events,
        }


def examine(command: Sequence[str], *, output: Output = "stderr") -> Diagnosis:
    """Record `command` into a cassette that is thrown away, and replay it.

    The program is traced meanwhile, which makes its own code some ten times slower.

    Args:
        output: what becomes of the program's output while it is recorded.

    Raises:
        NotRecorded: nothing was. NotReplayable and the other errors of recording and replaying.
    """
    directory = tempfile.mkdtemp(prefix="replay-doctor-")
    try:
        path = os.path.join(directory, "examined.cassette")
        first = os.path.join(directory, "recorded.trace")
        recording = record_command(command, path, output=output, audit=True, trace=first)
        if not os.path.exists(path):
            raise NotRecorded(f"{command[0]} failed, and nothing was recorded")
        then = _read(first)
        found: dict[str, Finding] = {}
        runs: list[Run] = []
        for number in range(REPLAYS):
            again = os.path.join(directory, f"replayed-{number}.trace")
            runs.append(run(path, trace=again))
            if not runs[-1].identical and not runs[-1].escapes:
                again += ".lenient"  # beyond the first request that differs
                run(path, match="lenient", trace=again)
            for finding in sources(then, _read(again), linecache.getline):
                found.setdefault(finding.site, finding)
        with load(path) as cassette:
            spots = tuple(cassette.blind_spots)
            gaps = len(cassette.gaps)
            events = len(cassette.events)
            raised: Any = (cassette.outcome or {}).get("exception")
        name = str(cast("dict[str, Any]", raised)["type"]).rpartition(".")[2] if isinstance(raised, dict) else None
        return Diagnosis(tuple(found.values()), tuple(runs), spots, gaps, recording.exit_code, events, name)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _read(path: str) -> list[Entry]:
    rows: list[list[Any]] = []
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    break  # it was killed while it wrote
    except OSError:
        return []
    return entries(rows)
