"""`replay bisect inputs` and `schedule` as a user calls them, on recordings of real programs."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.bisect.clerk import World, model, orders, recordings
from tests.bisect.planted import Pair
from tests.support.e2e import cli, cli_json, error_line, record, shown, write

GOOD = "tool refund never called"
SEED = 159
"""Of the draws: one of the first six is above 0.8, and none of the next twenty."""

PAIR = Pair(
    "span",
    ("All is well.", "The parcel is sealed.", {"found": [{"text": "Fine. Sealed."}, {"text": "Paid."}]}),
    ("All is fine.", "The parcel is late.", {"found": [{"text": "Fine. It must be refunded."}, {"text": "Sent."}]}),
    ((2, "must be refunded"), (1, "is late")),
)


@pytest.fixture(scope="module")
def around() -> Generator[World]:
    """The server that both runs asked."""
    with World() as world:
        yield world


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, around: World) -> tuple[Path, Path, str]:
    """Good, bad, the model."""
    directory = tmp_path_factory.mktemp("clerk")
    good, bad = recordings(around, PAIR, directory)
    return good, bad, model(PAIR, directory)


def test_inputs_and_their_spans(pair: tuple[Path, Path, str], tmp_path: Path) -> None:
    good, bad, program = pair
    alone = tmp_path / "alone.cassette"
    words = ("--expect", GOOD, "--model", program, "--spans", "-n", "2", "-o", alone)
    found = cli_json("bisect", "inputs", good, bad, *words, code=1)
    assert (found["found"], found["verified"], found["without"], found["unresolved"]) == (True, True, "good", 0)
    assert [(cause["set"], cause["seam"], cause["parts"]) for cause in found["causes"]] == [
        (0, "http", [{"path": "body", "good": '"The parcel is sealed."', "bad": '"The parcel is late."'}]),
        (0, "tool", [{"path": "found[0].text sentence 2", "good": "Sealed.", "bad": "It must be refunded."}]),
    ]
    assert found["trials"] == len(found["log"]) == found["executions"] - 1 <= found["bound"], (
        "and the one that was kept"
    )
    assert found["differences"] == 3
    assert found["parts"] >= 4, "and the answers' dates, if they differ"
    assert cli("expect", alone, f"not ({GOOD})").returncode == 0
    assert cli("run", alone).returncode == 0, "it is a recording like others"


def test_for_people(pair: tuple[Path, Path, str]) -> None:
    good, bad, program = pair
    done = cli("bisect", "inputs", good, bad, "--expect", GOOD, "--model", program)
    assert done.returncode == 1, shown(done)
    said = done.stdout.decode()
    assert "2 causes of 3 differences, which make it go wrong, together" in said
    assert "with these alone it goes wrong; with any one less it doesn't; without them the bad run is good" in said
    assert "3 differing inputs" in done.stderr.decode()


def test_what_neither_run_saw_is_unresolved(pair: tuple[Path, Path, str]) -> None:
    """Without a model nobody knows what it would have said between the two."""
    good, bad, _ = pair
    found = cli_json("bisect", "inputs", good, bad, "--expect", GOOD, code=1)
    assert found["found"]
    assert found["unresolved"] > 0
    assert not found["verified"], "nothing is claimed that wasn't executed"


def test_rates(pair: tuple[Path, Path, str], around: World) -> None:
    """A live model that goes wrong in four of five cases: both ends are measured, the rest is decided early."""
    good, bad, _ = pair
    around.chance.seed(SEED)
    around.share, around.asked = 0.8, 0
    found = cli_json(
        "bisect", "inputs", good, bad, "--expect", GOOD, "--model", "live", "--samples", "6", "-n", "2", code=1
    )
    assert sorted(cause["good"] for cause in found["causes"]) == sorted(found_events(found))
    assert len(found["causes"]) == 2
    assert found["verified"]
    ends, between = found["log"][:2], found["log"][2:]
    assert [(end["bad"], end["of"]) for end in ends] == [(0, 6), (5, 6)]
    for trial in found["log"]:
        low, high = trial["interval"]
        assert low <= trial["bad"] / trial["of"] <= high
    assert ends[0]["interval"][1] < ends[1]["interval"][0]
    assert all(1 < trial["of"] < 6 for trial in between), "enough is known before all samples are taken"
    assert found["executions"] == sum(trial["of"] for trial in found["log"])
    assert around.asked > found["executions"], "the model itself, in each of them"


def found_events(found: dict[str, list[dict[str, int]]]) -> set[int]:
    return {cause["good"] for cause in found["causes"]}


def test_an_expectation_that_doesnt_tell_them_apart(pair: tuple[Path, Path, str]) -> None:
    good, bad, _ = pair
    said = error_line(cli("bisect", "inputs", good, bad, "--expect", "exit == 0"), "not-bisectable")
    assert "holds of the bad run" in said
    assert cli("bisect", "inputs", good, bad, "--expect", "exit =").returncode == 129


def test_the_same_run_twice(pair: tuple[Path, Path, str]) -> None:
    good, bad, _ = pair
    error_line(cli("bisect", "schedule", good, bad, "--expect", GOOD), "not-bisectable")


def test_schedule(tmp_path: Path) -> None:
    """Of many pairs that came in another order one made the difference."""
    with World() as world:
        good, bad = orders(world, [0, 1, 2, 3], [1, 3, 2, 0], tmp_path)
    expectation = "tool transfer(number == 2) never after tool transfer(number == 3)"
    found = cli_json("bisect", "schedule", good, bad, "--expect", expectation, code=1)
    assert found["verified"]
    (cause,) = found["causes"]
    assert cause["seam"] == "order"
    assert cause["what"].startswith("GET http://127.0.0.1:")
    assert "/turns/3 (m/t1/t4) came before GET" in cause["what"]
    assert "/turns/2 (m/t1/t3)" in cause["what"]
    assert (found["differences"], found["parts"]) == (4, 4)


READS_NOTES = """
import json, os
import replay

@replay.tool(effect="write")
def refund(amount):
    return "ok"

said = json.load(open("notes.json"))["note"] if os.path.exists("notes.json") else ""
for _ in range(2 if "twice" in said else 1):
    refund(1)
"""


@pytest.mark.parametrize("had", ["bad", "good", "both"])
def test_a_file_that_was_there_in_one_run_only(had: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mixture finds the file as the run had it whose answers it has: also what the other run never read."""
    monkeypatch.chdir(tmp_path)
    program, notes = write(tmp_path / "agent.py", READS_NOTES), tmp_path / "notes.json"
    said = {"bad": ("", "refund twice"), "good": ("refund twice", ""), "both": ("thank them", "refund twice")}[had]
    paths = [tmp_path / "good.cassette", tmp_path / "bad.cassette"]
    for path, note in zip(paths, said, strict=True):
        notes.unlink(missing_ok=True)
        if note:
            notes.write_text(json.dumps({"note": note}))
        assert record(program, path).exit_code == 0
    notes.unlink(missing_ok=True)
    expectation = "tool refund called once" if had != "good" else "tool refund called twice"
    found = cli_json("bisect", "inputs", *paths, "--expect", expectation, code=1)
    assert (found["found"], found["verified"], found["without"]) == (True, True, "good")
    assert [cause["seam"] for cause in found["causes"]] == ["file"]
    done = cli("bisect", "inputs", *paths, "--expect", expectation)
    assert "notes.json: FileNotFoundError -> an answer" in shown(done) or had != "bad"
