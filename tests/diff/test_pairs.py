"""Pairs of runs whose edits are known: the causes that are found are those edits, and nothing else."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from replay.cassette.cassette import load
from replay.diff.compare import Diff, diff
from tests.diff.scripted import STEPS, Scripted

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "fixtures" / "programs" / "edited_agent.py"

Edit = tuple[str, int]

EDITS = {
    "result": ("input", "tool: look: value"),
    "memory": ("input", "memory: notes.getitem: value"),
    "prompt": ("config", "prompt changed: prompt"),
    "tools": ("config", "tool set changed: tool look_0, tool look_1, tool look_2"),
    "parameter": ("config", "parameter changed: parameter temperature"),
    "model": ("config", "model changed: model"),
    "code": ("code", "tool audit is done in addition"),
    "answer": ("input", "model: POST"),
    "order": ("order", "ask (m/"),
}
"""What is edited -> the class of its cause, and how what is said of it begins."""

ALONE = frozenset({"code", "answer", "order"})
"""These can't be told from what follows from another cause that came before."""


def drawn(chance: random.Random) -> list[Edit]:
    """One to three edits that don't hide each other: each at a turn of its own, those that need it first."""
    first = chance.choice(sorted(EDITS))
    edits = [(first, chance.randrange(1, STEPS))]
    for what in chance.sample(sorted(set(EDITS) - ALONE - {first}), chance.randrange(3)):
        after = edits[0][1] + 1 if first in ALONE else 1
        if first == "order" or after >= STEPS or {what, first} == {"prompt", "memory"}:
            continue
        if first in ALONE and what in ("memory", "prompt", "tools"):
            continue  # these come before anything else
        edits.append((what, chance.randrange(after, STEPS)))
    return edits


def missed(found: Diff, edits: list[Edit]) -> str | None:
    """What is wrong with the causes that were found; None if they are the edits."""
    wanted = sorted(EDITS[what] for what, _ in edits)
    got = sorted((root.kind, root.what) for root in found.roots)
    fits = len(got) == len(wanted) and all(
        kind == other and said.startswith(begin) for (kind, said), (other, begin) in zip(got, wanted, strict=True)
    )
    return None if fits else f"{edits}: {got}"


def record(directory: Path, plans: list[list[Edit]]) -> list[tuple[Path, Path]]:
    """Each pair is two executions: one without edits, one with."""
    made: list[tuple[Path, Path]] = []
    orders: list[tuple[str, list[Edit]]] = []
    for number, edits in enumerate(plans):
        pair = directory / f"{number}-a.cassette", directory / f"{number}-b.cassette"
        orders += [(str(pair[0]), []), (str(pair[1]), edits)]
        made.append(pair)
    file = directory / "plans.json"
    file.write_text(json.dumps(orders))
    with Scripted() as server:
        program = shutil.copy(AGENT, directory)  # in no repository: that it is the same program isn't known
        command = [sys.executable, str(program), server.url, str(file)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, env=environment, cwd=directory, capture_output=True, text=True, timeout=500, check=False
        )
    assert done.returncode == 0, done.stderr
    return made


def compared(pair: tuple[Path, Path]) -> Diff:
    with load(pair[0]) as a, load(pair[1]) as b:
        return diff(a, b)


Note = Callable[[str, object], None]


def judged(directory: Path, plans: list[list[Edit]], note: Note) -> None:
    wrong = [
        problem
        for pair, edits in zip(record(directory, plans), plans, strict=True)
        if (problem := missed(compared(pair), edits)) is not None
    ]
    exact = f"{len(plans) - len(wrong)} of {len(plans)}"
    note("diff: pairs with known edits, causes exact", exact)
    print(f"diff: causes exact in {exact} pairs")
    assert len(wrong) * 50 <= len(plans), "\n".join(wrong)


def generated(count: int) -> list[list[Edit]]:
    chance = random.Random(6)  # the same pairs each time
    return [drawn(chance) for _ in range(count)]


def test_each_edit_and_several(tmp_path: Path, record_property: Note) -> None:
    judged(tmp_path, [*([(what, 3)] for what in EDITS), *generated(10)], record_property)


@pytest.mark.torture
def test_a_hundred_generated_pairs(tmp_path: Path, record_property: Note) -> None:
    judged(tmp_path, generated(100), record_property)


def test_two_runs_without_an_edit_are_the_same(tmp_path: Path) -> None:
    """Although no time, no random number and no id is."""
    (pair,) = record(tmp_path, [[]])
    found = compared(pair)
    assert (found.identical, found.roots, found.inherited) == (True, (), 0)
    assert found.drawn > STEPS


def test_windows(tmp_path: Path) -> None:
    """Each message that differs is told once: in the call in which it came up."""
    (pair,) = record(tmp_path, [[("result", 3)]])
    first, *_ = compared(pair).windows
    (shift,) = first.shifts
    assert (shift.what, shift.before) == ("rewritten", "tool: [tool_call_response call 3] result 3: 10 items")
    assert shift.after == f"{shift.before}, one of them broken"
