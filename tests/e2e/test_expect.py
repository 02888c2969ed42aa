"""Expectations on the command line: of recordings, of lists of them, of re-executions on changed code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.e2e import Recorded, cli, cli_json, record, shown, write

PROGRAM = """
import replay

@replay.tool
def refund(order, amount=5):
    return {"order": order, "amount": amount}

def main():
    print(refund("A"))
    refund("B", amount=7)
    print("done")

main()
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return record(write(tmp_path / "agent.py", PROGRAM), tmp_path / "run.cassette", cwd=tmp_path)


def test_a_recording_is_judged_without_running_it(recorded: Recorded) -> None:
    recorded.program.unlink()
    for text, code in (
        ("tool refund called twice", 0),
        ("tool refund called once", 1),
        ("tool refund(amount == 5)", 125),
    ):
        done = cli("expect", recorded.path, text)
        assert done.returncode == code, shown(done)
    found = cli_json("expect", recorded.path, "tool refund called at most 1", code=1)
    assert (found["holds"], len(found["events"]), found["why"]) == (False, 2, "tool refund: called twice")


def test_a_wrong_expression_is_pointed_at(recorded: Recorded) -> None:
    for words in (("expect", str(recorded.path)), ("run", str(recorded.path), "--expect"), ("ls", "--where")):
        done = cli(*words, "tol refund", cwd=recorded.path.parent)
        assert done.returncode == 129, shown(done)
        assert done.stdout == b""
        text, caret, error = done.stderr.decode().splitlines()
        assert (text, caret) == ("    tol refund", "    ^")
        assert error == "replay: column 1: 'tol' is nothing that a run has (did you mean tool?) [expression-invalid]"


def test_a_list_has_those_of_which_it_holds(recorded: Recorded) -> None:
    directory = recorded.path.parent
    other = record(write(directory / "other.py", PROGRAM.replace('"B"', '"C"')), directory / "other.cassette")
    assert other.exit_code == 0
    (directory / "torn.cassette").write_bytes(recorded.path.read_bytes()[:-40])

    def listed(where: str) -> tuple[list[str], list[str]]:
        found = cli_json("ls", directory, "--where", where)
        return [Path(row["path"]).name for row in found["cassettes"]], [Path(p).name for p in found["undecided"]]

    assert listed("tool refund(order == 'C')") == (["other.cassette"], ["torn.cassette"])
    assert listed("tool refund called 3 times") == ([], ["torn.cassette"])
    assert listed("program contains 'agent.py'") == (["run.cassette", "torn.cassette"], [])


@pytest.mark.parametrize(
    ("old", "new", "expected", "code"),
    [
        # unchanged: what was recorded
        ("", "", "tool refund called at most 1", 1),
        ("", "", "identical", 0),
        # the second call is gone: the program ends another way, all that it did is known
        ('    refund("B", amount=7)\n    print("done")\n', "", "tool refund called at most 1", 0),
        # another call in its place counts, whatever it would have been answered
        ('refund("B", amount=7)', 'refund("A", amount=7)', "tool refund(order == 'A') called at least 2", 0),
        ('refund("B", amount=7)', 'refund("A", amount=7)', "tool refund(amount == 7, result.order == 'A')", 125),
        # what it would do after the difference isn't known
        ('refund("B", amount=7)', "pass", "tool refund called at most 1", 125),
        ('refund("B", amount=7)', "pass", "tool refund called at most 1 or diverged", 0),
        ('refund("B", amount=7)', "pass", "tool refund(order == 'A')", 0),
        # an exception ends it
        ('refund("B", amount=7)', "raise KeyError('B')", "raises KeyError", 0),
        ('refund("B", amount=7)', "raise KeyError('B')", "exit == 0", 1),
    ],
)
def test_a_re_execution_is_judged_by_what_it_did(
    recorded: Recorded, old: str, new: str, expected: str, code: int
) -> None:
    recorded.program.write_text(PROGRAM.replace(old, new))
    done = cli("run", recorded.path, "--expect", expected)
    assert done.returncode == code, shown(done)
    assert (b"holds", b"doesn't hold", b"can't be decided")[{0: 0, 1: 1, 125: 2}[code]] in done.stdout
    found = cli_json("run", recorded.path, "--expect", expected, code=code)
    assert found["expected"]["holds"] is {0: True, 1: False, 125: None}[code]


def test_what_lenient_lets_pass_is_what_was_asked(recorded: Recorded) -> None:
    """With the recorded answer: that is no evidence of what this request would have been answered."""
    recorded.program.write_text(PROGRAM.replace('refund("B", amount=7)', 'refund("C", amount=70)'))
    for text, code in (
        ("tool refund(order == 'C', amount > 50)", 0),
        ("tool refund(order == 'B')", 1),
        ("tool refund(order == 'C', result.order == 'B') and drifted and finished", 0),
    ):
        done = cli("run", recorded.path, "--match", "lenient", "--no-run-tools", "--expect", text)
        assert done.returncode == code, shown(done)
