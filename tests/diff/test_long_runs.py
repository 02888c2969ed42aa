"""A thousand steps: what one edit costs a comparison that goes by position, and what it is here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deepdiff import DeepDiff

from replay.cassette.cassette import load
from replay.diff.compare import Diff, diff

Note = Callable[[str, object], None]

RECORD = """
import sys, replay

@replay.tool
def look(n, note): return {"n": n, "found": n * 37 % 1009, "note": note}

@replay.tool
def more(): return "more"

for path, edit in ((sys.argv[1], ""), (sys.argv[2], sys.argv[3])):
    with replay.record(path):
        for n in range(1000):
            if n == 500 and edit == "inserted":
                more()
            if not (n == 500 and edit == "left out"):
                look(n, "edited" if n == 500 and edit == "asked otherwise" else "")
"""


def compared(directory: Path, edit: str) -> Diff:
    paths = [directory / "a.cassette", directory / "b.cassette"]
    subprocess.run([sys.executable, "-c", RECORD, *map(str, paths), edit], check=True)
    with load(paths[0]) as a, load(paths[1]) as b:
        assert len(a.events) == 1000
        return diff(a, b)


@pytest.mark.parametrize(
    ("edit", "a", "b", "what"),
    [
        ("inserted", None, 500, "tool more is done in addition"),
        ("left out", 500, None, "tool look isn't done any more"),
        ("asked otherwise", 500, 500, "tool is asked otherwise: look: request.note"),
    ],
)
def test_one_edit_is_one_cause(edit: str, a: int | None, b: int | None, what: str, tmp_path: Path) -> None:
    found = compared(tmp_path, edit)
    (root,) = found.roots
    assert (root.kind, root.a, root.b, root.what) == ("code", a, b, what)
    assert found.inherited == 0


def test_by_position_one_insertion_is_thousands_of_differences(tmp_path: Path, record_property: Note) -> None:
    """What this is measured by: DeepDiff of the same two lists of events."""
    found = compared(tmp_path, "inserted")
    lists: list[list[Any]] = []
    for name in ("a", "b"):
        with load(tmp_path / f"{name}.cassette") as cassette:
            lists.append([{"name": e.name, "request": e.request, "response": e.response} for e in cassette.events])
    by_position: Any = DeepDiff(lists[0], lists[1], view="tree")
    paths = sum(len(group) for group in by_position.values())
    record_property("diff: one event of 1,000 inserted, DeepDiff's paths", paths)
    assert (len(found.roots), found.inherited, paths > 1000) == (1, 0, True)
