"""`replay run C --pdb N`: the debugger stops in the program's own code, at an event or where it goes another way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import e2e

_AGENT = """
import json, time, urllib.request
import replay

@replay.tool(effect="write")
def refund(order, amount):
    return {"ok": amount}

def main():
    price = 5
    began = time.time()
    first = refund("A", price)
    price = price + 2
    second = refund("B", price)
    print("done", first["ok"], second["ok"], input())

main()
"""


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    program = e2e.write(tmp_path / "agent.py", _AGENT)
    path = tmp_path / "agent.cassette"
    e2e.cli("record", "-o", path, "--", sys.executable, program, stdin=b"typed\n")
    return path


def test_it_stops_in_the_program_at_an_event(cassette: Path) -> None:
    done = e2e.cli("run", cassette, "--pdb", "0", stdin=b"p price\nn\np first\nb refund\nc\nw\np order\nc\n")
    said = e2e.shown(done)
    assert done.returncode == 0, said
    shown = done.stdout.decode()
    assert "replay: event 1: tool refund" in shown  # 0 is a look at the clock
    for expected in ('-> first = refund("A", price)', "(Pdb) 5\n", "-> price = price + 2", "(Pdb) {'ok': 5}"):
        assert expected in shown, said
    assert "done 5 7 typed\n" in shown, said
    assert "identical" in shown, said


def test_it_stops_where_the_program_goes_another_way(cassette: Path) -> None:
    program = cassette.with_name("agent.py")
    program.write_text(program.read_text().replace("price + 2", "price + 3"))
    done = e2e.cli("run", cassette, "--pdb", "1", stdin=b"c\np price, second\np price\nc\n")
    assert done.returncode == 1, e2e.shown(done)
    shown = done.stdout.decode()
    assert "here it goes another way: tool refund" in shown
    assert "NameError" in shown
    assert "(Pdb) 8\n" in shown
    assert "✗ diverged at event 2" in shown


def test_whoever_has_seen_enough_leaves(cassette: Path) -> None:
    done = e2e.cli("run", cassette, "--pdb", "2", stdin=b"q\n")
    assert done.returncode == 0, e2e.shown(done)
    assert b"stopped before event 2, as asked" in done.stdout


def test_nothing_gets_out_of_the_debugger(cassette: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    done = e2e.cli("run", cassette, "--pdb", "1", stdin=f"import os; os.mkdir({str(there)!r})\nc\n".encode())
    assert not there.exists()
    assert b"escape refused" in done.stdout, e2e.shown(done)


@pytest.mark.parametrize("words", [["--times", "2"], ["--quiet"]])
def test_it_shows_one_execution(cassette: Path, words: list[str]) -> None:
    where = ["run", str(cassette), "--pdb", "1"]
    done = e2e.cli(*([*words, *where] if "--quiet" in words else [*where, *words]))
    assert done.returncode == 129, e2e.shown(done)
