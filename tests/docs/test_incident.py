"""docs/incident.md: each command is run, on the program that the page is about, and prints what the page shows.

`python -m tests.docs.walkthrough` writes the page anew.
"""

from __future__ import annotations

import re

from tests.docs.walkthrough import PAGE, PROGRAM, desk, play

DIFFERENT = ("replay check *", "replay triage", "replay expect 41", "replay run 41")
"""Commands that exit with 1, those in front of a pipe apart."""


def normal(line: str) -> str:
    """A line without what is another one each time: ids, times, digests, stand-ins, how far columns are apart."""
    line = re.sub(r"[0-9a-f]+@r\.invalid|[0-9a-f]{4,}…|[0-9a-f]{12,}", "~", line)
    line = re.sub(r"\[\[\d+(, \d+)*\]\]", "[[#]]", line)  # of a file: node, device, times
    return re.sub(r"\s+", " ", re.sub(r"\d+", "#", line)).strip()


def test_every_command_prints_what_the_page_shows() -> None:
    with desk() as (directory, env):
        steps, page = play(PAGE.read_text("utf-8"), directory, env)
    assert len(steps) > 20
    assert "replay why 41.cassette" in page
    for step in steps:
        shown, got = list(map(normal, step.shown)), list(map(normal, step.got))
        assert got == shown, f"{step.command}: `make incident` writes what it prints now\n" + "\n".join(step.got)
        assert step.code == step.command.startswith(DIFFERENT), f"{step.command}: exit code {step.code}"


def test_the_page_shows_the_program_as_it_is() -> None:
    (declared,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    program = (PROGRAM / "desk.py").read_text("utf-8")
    for line in declared.splitlines():
        assert line.removesuffix(" ...") in program, line
