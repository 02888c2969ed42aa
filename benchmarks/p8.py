"""P8: two runs of 1,000 events compared: a planner that gives 50 tasks to agents of four turns each, over a real wire.

Each turn is a call of a model (ids, seconds and a system prompt with the time in it are new in every run) and a tool;
the conversation is sent again with each. In processor time: a comparison waits for nothing. Floor: the digests of both
are read. Peer: DeepDiff on both lists of events.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from deepdiff import DeepDiff

from benchmarks.harness import Row, Timing, main, processor, scratch
from replay.cassette.cassette import load
from replay.diff.compare import Diff, diff

PROGRAM = str(Path(__file__).with_name("p8_program.py"))
EDITS = {"changes": "10 answers of tools that differ", "tail": "the tail diverged", "inserted": "one event inserted"}


def rows() -> list[Row]:
    with scratch() as path:
        files = {name: f"{path}/{name}.cassette" for name in ("none", "again", *EDITS)}
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, PROGRAM, json.dumps(files)], check=True, env=environment)
        found: list[Row] = []
        for name, what in EDITS.items():
            timing = Timing(
                {
                    "ours": lambda name=name: processor(lambda: compared(files["none"], files[name])),  # type: ignore[misc]
                    "floor": lambda name=name: processor(lambda: digests(files["none"], files[name])),  # type: ignore[misc]
                },
                9,
            )
            one, other = (plain(files[each]) for each in ("none", name))
            paths: list[int] = []
            peer = processor(lambda: paths.append(named(one, other)))  # noqa: B023
            seen = compared(files["none"], files[name])
            promised = 20 if name == "tail" else 10
            ours = timing["ours"] * 1e3
            said = f"{ours:.1f} ms, {len(seen.roots)} causes"
            found.append(
                Row(
                    "P8",
                    f"1,000 events twice, {what}",
                    "ms",
                    ours,
                    timing["floor"] * 1e3,
                    peer * 1e3,
                    f"DeepDiff ({paths[0]} paths)",
                    said,
                    f"≤ {promised} ms",
                    ours <= promised,
                )
            )
    return found


def compared(a: str, b: str) -> Diff:
    with load(a) as one, load(b) as other:
        assert len(one.events) >= 1000
        return diff(one, other)


def digests(a: str, b: str) -> None:
    for path in (a, b):
        with load(path) as cassette:
            assert cassette.reader.digests.ask


def plain(path: str) -> list[Any]:
    """What a comparison that goes by position gets: requests and answers, without lanes and times."""
    with load(path) as cassette:
        return [[event.kind, event.name, repr(event.request), repr(event.response)] for event in cassette.events]


def named(one: list[Any], other: list[Any]) -> int:
    """How many differing paths DeepDiff names."""
    found: Any = DeepDiff(one, other, view="tree")
    return sum(len(group) for group in found.values())


if __name__ == "__main__":
    main(rows)
