"""Every page that shows commands: they are run, one after another, and print what it shows (see `walkthrough`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import walkthrough
from tests.docs.walkthrough import ROOT, pages, play, shows_commands

NOT_RUN: dict[str, str] = {
    "bisect.md": "hundreds of commits and executions: tests/bisect runs these searches, on programs of its own",
    "check.md": "a baseline of 64 published runs (evals)",
    "context.md": "of an older program",
    "diff.md": "of an older program",
    "doctor.md": "of an older program",
    "drift.md": "asks a model of api.openai.com",
    "effects.md": "of an older program",
    "expressions.md": "of an older program",
    "fork.md": "of an older program",
    "import.md": "of an older program",
    "memory.md": "of an older program",
    "pytest.md": "of an older program",
    "triage.md": "of an older program",
    "why.md": "a model is asked ten times over: tests/intervene does so with a stand-in",
}
"""Pages whose commands can't be run here, and why."""

LONG = {"fixtures/agents/README.md"}
"""Pages that take a minute; tests/frameworks and tests/e2e record and replay the same programs whenever tests run."""

SHOWN = {page.relative_to(ROOT).as_posix(): page for page in pages() if shows_commands(page.read_text("utf-8"))}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.torture] if name in LONG else [])
        for name in SHOWN
        if Path(name).name not in NOT_RUN
    ],
)
def test_every_command_prints_what_the_page_shows(name: str) -> None:
    text = SHOWN[name].read_text("utf-8")
    steps, _, _ = play(text)
    outside = walkthrough.BLOCK.sub("", text)
    assert not shows_commands(outside), "a command that is in no block `console`"
    assert steps
    for step in steps:
        got = "\n".join(step.got)
        assert step.code == step.promised, f"{step.command}: exit code {step.code}\n{got}"
        assert step.fits, f"{step.command}: `make pages` writes what it prints now\n{got}"


def test_what_is_not_run_is_there() -> None:
    assert set(NOT_RUN) <= {page.name for page in SHOWN.values()}


def test_incident_shows_its_program_as_it_is() -> None:
    (declared,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "incident.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    program = (ROOT / "fixtures" / "incident" / "desk.py").read_text("utf-8")
    for line in declared.splitlines():
        assert line.removesuffix(" ...") in program, line


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 225


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_on_the_first_screen(target: str) -> None:
    assert f"make {target}" in "".join((ROOT / "README.md").read_text("utf-8").splitlines()[:12])


def test_links_lead_somewhere() -> None:
    for page in pages():
        prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", prose):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
