"""`@pytest.mark.replay` and `replayed`, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.pytest_plugin.conftest import Outcome

_TEST = """
import pytest
from replay.testing import expect, tool

@pytest.mark.replay("refund.cassette")
def test_no_double_refund(replayed):
    assert replayed.identical
    expect(replayed).tool("refund").called(at_most=2)
    expect(replayed).tool("lookup").never(after=tool("read_webpage"))
"""

_IMPORTED = """
import sys, pytest
before = set(sys.modules)
import replay.pytest_plugin.hooks
print(*sorted(set(sys.modules) - before))
"""


def test_an_agent_is_executed_again_and_judged(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    pytester.makepyfile(_TEST)
    run().assert_outcomes(passed=1)


def test_what_does_not_hold_is_told_with_its_events(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    pytester.makepyfile(_TEST.replace("at_most=2", "at_most=1"))
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*doesn't hold: tool refund called at most 1",
            "*tool refund: called twice",
            "*event 2  [[]clerk] tool refund(*A-17*5*) -> {'ok': True}  at *program.py:*",
            "*to look at it: replay show *refund.cassette 3",
        ]
    )


def test_a_difference_is_told_with_both_sides_and_the_command(
    pytester: pytest.Pytester, run: Outcome, changed: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.replay("changed.cassette")
        def test_it(replayed):
            assert replayed.identical
        """
    )
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*replay of *changed.cassette*",
            "✗ diverged at event 2*",
            "  expected: tool refund* at *changed.py:*",
            "  got: * tool refund* at *changed.py:*",
            "*what differs*",
            "*5*6*",
            "to debug it: replay run *changed.cassette --pdb 2",
        ]
    )


def test_a_cassette_is_executed_once_for_a_module(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    pytester.makepyfile(
        """
        import pytest

        runs = []

        @pytest.mark.replay("refund.cassette")
        @pytest.mark.parametrize("n", [1, 2])
        def test_it(replayed, n):
            runs.append(replayed)
            assert runs[0] is replayed

        @pytest.mark.replay("refund.cassette", run_tools=True)
        def test_otherwise(replayed):
            assert replayed is not runs[0]
            assert replayed.tools == "run"
        """
    )
    run().assert_outcomes(passed=3)


def test_several_cassettes_are_several_tests(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    cassette.with_name("other.cassette").write_bytes(cassette.read_bytes())
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.replay("refund.cassette", "other.cassette")
        def test_it(replayed):
            assert replayed.identical
        """
    )
    result = run("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(["*test_it?refund?*PASSED*", "*test_it?other?*PASSED*"])


def test_a_test_that_takes_nothing_has_to_be_identical(
    pytester: pytest.Pytester, run: Outcome, cassette: Path, changed: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.replay("refund.cassette")
        def test_same():
            pass

        @pytest.mark.replay("changed.cassette")
        def test_other():
            pass
        """
    )
    result = run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*changed.cassette isn't replayed identically", "✗ diverged at event 2*"])


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('@pytest.mark.replay("none.cassette")', "*none.cassette*cassette-missing*"),
        ('@pytest.mark.replay("refund.cassette", mach="lenient")', "*@pytest.mark.replay:*mach*"),
        ("@pytest.mark.replay()", "*names one cassette*"),
        ("", "*needs to know which*"),
    ],
)
def test_mistakes_are_one_line(pytester: pytest.Pytester, run: Outcome, cassette: Path, marker: str, said: str) -> None:
    pytester.makepyfile(f"import pytest\n{marker}\ndef test_it(replayed): pass")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_options_are_those_of_replay_run(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    """A URL is one; words may stand in one text."""
    program = pytester.makepyfile(other="print('other')")
    pytester.makepyfile(
        test_it=f"""
        import pytest

        @pytest.mark.replay("file://{cassette}", allow="connect:127.0.0.1", until=3)
        def test_part(replayed):
            assert (replayed.events, replayed.cut) == (3, True)

        @pytest.mark.replay("refund.cassette", command="python {program}")
        def test_other(replayed):
            assert replayed.divergence is not None
            assert replayed.command[1:] == ({str(program)!r},)
        """
    )
    run().assert_outcomes(passed=2)


def test_junit_has_the_cassette(pytester: pytest.Pytester, run: Outcome, changed: Path) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.replay("changed.cassette")
        def test_it(replayed):
            assert replayed.identical
        """
    )
    run("--junitxml=out.xml")
    found = {each.get("name"): each.get("value") for each in ET.parse(pytester.path / "out.xml").iter("property")}
    assert found["replay_cassette"] == str(changed)
    assert found["replay_identical"] == "False"
    assert "refund" in str(found["replay_divergence"])


def test_nothing_is_imported_until_a_test_wants_it(pytester: pytest.Pytester, run: Outcome) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.partition(".")[0] in ("replay", "replay_cli")}
            assert ours == {"replay", "replay.pytest_plugin", "replay.pytest_plugin.hooks"}
            assert not {"msgpack", "zstandard", "yaml", "vcr", "httpx", "rich", "click"} & set(sys.modules)
        """
    )
    run().assert_outcomes(passed=1)


def test_the_plugin_itself_imports_nothing_but_pytest() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            _IMPORTED,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["replay", "replay.pytest_plugin", "replay.pytest_plugin.hooks"]


def test_pdb_stops_in_the_agent_where_it_went_another_way(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, changed: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.replay("changed.cassette")
        def test_it(replayed):
            here = "in the test"
            assert replayed.identical
        """
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    words = (sys.executable, "-m", "pytest", "-p", "replay.pytest_plugin.hooks", "--pdb")
    result = pytester.run(*words, stdin=b"p order, _\nw\nc\np here\nc\n")
    result.stdout.fnmatch_lines(
        [
            "*replay: here it goes another way: tool refund*",
            "*changed.py(*)<module>()",
            '-> refund("A-17", amount=6)',
            "*'order': 'A-17'*0)",
            "*'in the test'",
        ]
    )
