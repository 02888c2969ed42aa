"""Cassettes are tests by themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import Outcome
from tests.support import e2e


@pytest.fixture
def corpus(pytester: pytest.Pytester, recorded: object, cassette: Path) -> Path:
    folder = pytester.mkdir("corpus")
    cassette.rename(folder / "refund.cassette")
    pytester.makeini("[pytest]\nreplay_paths = corpus\n")
    return folder


def test_each_is_executed_and_has_to_be_identical(
    pytester: pytest.Pytester, run: Outcome, corpus: Path, changed: Path
) -> None:
    changed.rename(corpus / "changed.cassette")
    result = run("-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "corpus/changed.cassette::identical FAILED*",
            "corpus/refund.cassette::identical PASSED*",
            "doesn't hold: identical",
            "✗ diverged at event 2*",
            "to debug it: replay run *changed.cassette --pdb 2",
        ]
    )


def test_the_file_beside_it_says_what_is_expected(run: Outcome, corpus: Path) -> None:
    (corpus / "refund.expect").write_text(
        "# what must stay so\nidentical\n\ntool refund called at most 1\ntool refund called twice\ntool refun(\n"
    )
    result = run("-v", "-rA")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*::tool refund called at most 1 FAILED*",
            "*event 3 *refund(*'A-17'*) -> {'ok': True}  at *program.py:*",
            "*refund.expect:6: column 12:*",
        ]
    )


def test_tags_choose(run: Outcome, corpus: Path) -> None:
    program = e2e.write(corpus / "agent.py", "print('hello')")
    tags = ("--tag", "env=prod", "--tag", "slow=1")
    e2e.cli("record", "-o", corpus / "tagged.cassette", *tags, "--", sys.executable, program)
    for chosen in ("cassette(env='prod')", "cassette(env='prod', slow='1')", "cassette and not cassette(env='test')"):
        run("-m", chosen, "-k", "tagged", "--collect-only", "-q").stdout.fnmatch_lines(["*tagged.cassette::identical"])
    run("-m", "cassette(env='prod')").assert_outcomes(passed=1, deselected=1)
    assert run("-m", "cassette(env='test')").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_only_where_it_is_asked_for(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    pytester.makepyfile("def test_it(): pass")
    run().assert_outcomes(passed=1)
    run("--replay-paths", ".").assert_outcomes(passed=2)
    run(str(cassette)).assert_outcomes(passed=1)
    pytester.makeini("[pytest]\nreplay_paths = .\n")
    run().assert_outcomes(passed=2)


def test_folders_beside_the_tests_and_workers(pytester: pytest.Pytester, run: Outcome, corpus: Path) -> None:
    pytester.mkdir("checks").joinpath("test_it.py").write_text("def test_it(): pass\n")
    pytester.makeini("[pytest]\nreplay_paths = corpus\ntestpaths = checks\n")
    assert corpus.exists()
    run().assert_outcomes(passed=2)
    run("-n", "2", "-p", "xdist").assert_outcomes(passed=2)
    run("checks").assert_outcomes(passed=1)


def test_what_is_no_cassette_says_so(run: Outcome, corpus: Path) -> None:
    (corpus / "broken.cassette").write_bytes(b"hello")
    result = run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*broken.cassette*"])
    result.stdout.no_fnmatch_line("*Traceback*")
