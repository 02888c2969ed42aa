"""The world is coherent behind a fork point: files that were written are there, the disk isn't touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from replay.fork.engine import execute
from replay.fork.plan import Plan
from replay.launch import run
from tests.fork.worlds import recorded, world

NOTES = """
import json, os, pathlib
import httpx
import replay

http = httpx.Client(base_url=os.environ["BASE"])
NOTES = pathlib.Path("notes")

@replay.tool
def note(text):
    NOTES.mkdir(exist_ok=True)
    number = len(list(NOTES.iterdir())) + 1
    (NOTES / f"{number}.txt").write_text(f"{number}: {text}")
    with open("log.txt", "a") as log:
        log.write(text + "\\n")
    return number

@replay.tool
def count():
    texts = sorted(path.read_text() for path in NOTES.glob("*.txt"))
    return {"n": len(texts), "texts": texts, "lines": len(open("log.txt").read().splitlines())}

for word in ("one", "two", "three", "four"):
    answer = http.get(f"/orders/{word}").json()["order"]
    note(answer)
os.rename("notes/4.txt", "notes/last.txt")
os.remove("log.txt")
with open("log.txt", "x") as log:
    log.write("1\\n2\\n3\\n4\\n")
found = count()
print(found["n"], found["lines"], sorted(os.listdir("notes")), found["texts"])
"""

EXPECTED = "4 4 ['1.txt', '2.txt', '3.txt', 'last.txt'] ['1: one', '2: two', '3: three', '4: four']\n"


@pytest.fixture(name="base", scope="module")
def base_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    directory = tmp_path_factory.mktemp("notes")
    before = os.getcwd()
    os.chdir(directory)
    try:
        with world() as around:
            yield recorded(directory, NOTES, around.url), directory
    finally:
        os.chdir(before)


def _tree(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in sorted(directory.rglob("*.txt"))}


def _points(path: str) -> list[int]:
    with load(path) as cassette:
        return [event.id for event in cassette.events if event.kind in ("file", "tool", "http")]


@pytest.mark.parametrize("emptied", [False, True], ids=["disk-ahead", "disk-empty"])
def test_a_fork_at_any_event_finds_the_files_as_they_were(
    base: tuple[str, Path], tmp_path: Path, emptied: bool
) -> None:
    """Four notes, not one and not eight: also where the recorded program's own files lie on the disk, or are gone."""
    path, directory = base
    points = _points(path)
    sampled = points[:: max(1, len(points) // 6)]
    kept = _tree(directory)
    if emptied:
        for name in kept:
            (directory / name).unlink()
    for event in sampled:
        found = execute(Plan(path, at=event, then="live", allow_effects=False), tmp_path / f"{event}.cassette")
        assert (found.status, found.stdout.decode()) == ("ended", EXPECTED), (event, found.reason, found.stderr)
    assert _tree(directory) == ({} if emptied else kept)
    again = run(tmp_path / f"{sampled[-1]}.cassette")
    assert again.identical, again.divergence
    for name, text in kept.items():
        (directory / name).write_text(text)


@pytest.mark.torture
def test_a_fork_at_each_event(base: tuple[str, Path], tmp_path: Path) -> None:
    path, directory = base
    kept = _tree(directory)
    points = _points(path)
    for event in points:
        out = tmp_path / f"{event}.cassette"
        found = execute(Plan(path, at=event, then="live"), out)
        assert (found.status, found.stdout.decode()) == ("ended", EXPECTED), (event, found.reason, found.stderr)
        assert run(out).identical
    assert _tree(directory) == kept
    print(f"{len(points)} forks, one at each event: n = 4 in each")
