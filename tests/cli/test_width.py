"""Every command at 80 columns, on ordinary, damaged and hostile recordings: nothing is wider or steers a terminal,
and colours are for terminals; and the folding of lines, by properties."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from replay_cli import main
from replay_cli.render.lines import MOST, folds, rows
from tests.cli import cassettes
from tests.support.hostile import hostile

ROOT = Path(__file__).parents[2]
POLICY = "rules:\n  - {name: a quite long name of a rule, expect: 'tool refund called at most 0 and not raises'}\n"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PAINT = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])[;m]")
_UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]")

HELP = [f"{name} --help" for name in main.COMMANDS]
READS = ("show", "show -v", "memory", "effects", "effects -v", "triage", "verify", "scan", "tree")
READING = [f"{each} {name}.cassette" for name in ("support", "killed", "torn", "hostile") for each in READS]
TABLE = [
    "--help",
    "bisect --help",
    "ls .",
    "ls . --where raises",
    "show support.cassette 2",
    "show hostile.cassette 59",
    "context support.cassette 2",
    "context hostile.cassette 60",
    "context hostile.cassette 60 --diff",
    "context hostile.cassette 60 --verbose",
    "why support.cassette 3",
    "why hostile.cassette 57",
    "why hostile.cassette 57 --verbose",
    "diff support.cassette other.cassette",
    "diff support.cassette other.cassette --verbose",
    "diff hostile.cassette support.cassette",
    "check support.cassette hostile.cassette --policy policy.yaml",
    "expect hostile.cassette not\\ raises",
    "tree .",
    "doctor",
    "scan .",
    "memory support.cassette other.cassette --key policy",
    "memory hostile.cassette --at 20",
    *READING,
    *HELP,
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("width")
    cassettes.write(where / "support.cassette")
    cassettes.write(where / "other.cassette", text="No. " * 60)
    cassettes.write(where / "killed.cassette", end="killed")
    hostile(where / "hostile.cassette", big=20_000)
    shutil.copy(ROOT / "fixtures" / "cassettes" / "v1" / "torn.cassette", where)
    (where / "policy.yaml").write_text(POLICY)
    return where


class Terminal(io.StringIO):
    """What says that it is one."""

    def isatty(self) -> bool:
        return True


def said(command: str, directory: Path, out: io.StringIO, monkeypatch: pytest.MonkeyPatch, **env: str) -> str:
    """What a command prints, in this process: it is run hundreds of times."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", **env}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(directory)
    words = [word.replace("\\ ", " ") for word in re.split(r"(?<!\\) ", command)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as problems:
        code = main.run(words)
    assert code in (0, 1, 125), problems.getvalue()
    assert "internal error" not in problems.getvalue()
    assert not _UNSAFE.search(problems.getvalue())
    return out.getvalue()


def wide(text: str) -> Iterator[str]:
    return (line for line in text.split("\n") if cell_len(line) > 80)


@pytest.mark.parametrize("command", TABLE)
def test_nothing_is_wider_than_the_terminal_or_steers_it(
    command: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = said(command, directory, io.StringIO(), monkeypatch)
    assert list(wide(piped)) == []
    assert not _UNSAFE.search(piped)
    shown = said(command, directory, Terminal(), monkeypatch)
    plain = _COLOUR.sub("", shown)
    assert list(wide(plain)) == []
    assert not _UNSAFE.search(plain)
    assert plain.split() == piped.split()


@pytest.mark.parametrize("command", ["show support.cassette", "effects support.cassette", "why support.cassette 3"])
def test_colours_are_for_terminals_that_want_them(
    command: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[" in said(command, directory, Terminal(), monkeypatch)
    assert "\x1b[" not in said(command, directory, io.StringIO(), monkeypatch)
    assert not _PAINT.search(said(command, directory, Terminal(), monkeypatch, NO_COLOR="1"))  # bold is no colour
    assert "\x1b[" not in said(f"{command} --no-color", directory, Terminal(), monkeypatch)
    assert "\x1b[" not in said(command, directory, Terminal(), monkeypatch, TERM="dumb")


def test_in_a_pipe_a_line_stays_one(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody says how wide a pipe is."""
    folded = said("effects support.cassette", directory, io.StringIO(), monkeypatch)
    monkeypatch.delenv("COLUMNS")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main.run(["effects", "support.cassette"])
    assert any(len(line) > 80 for line in out.getvalue().splitlines())
    assert out.getvalue().split() == folded.split()


def test_what_is_cut_can_be_seen_whole(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = said("effects hostile.cassette", directory, io.StringIO(), monkeypatch)
    whole = said("effects hostile.cassette --verbose", directory, io.StringIO(), monkeypatch)
    assert "…\n" in cut
    assert len(whole) > len(cut)


def test_check_says_of_what_there_is(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = said("check support.cassette other.cassette --policy policy.yaml", directory, io.StringIO(), monkeypatch)
    assert "support.cassette: 1 error\n" in text
    assert " more" not in text


def test_help_asks_what_one_asks() -> None:
    assert [name for members in main.QUESTIONS.values() for name in members] == list(main.COMMANDS)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main.run(["--help"])
    for question in main.QUESTIONS:
        assert f"\n{question}\n" in out.getvalue()


TEXTS = st.text(st.sampled_from("ab  漢é👩\u0301-x"), max_size=300)


@given(TEXTS, st.integers(6, 100))
@example("   " * 40, 6)
@example("x" * 300, 7)
def test_folding_loses_nothing_but_spaces_and_never_is_wider(text: str, width: int) -> None:
    found = list(folds(text, width))
    assert [text[a:b] for a, b in found] == [text[a:b] for a, b in sorted(found)]
    assert "".join(text[a:b] for a, b in found).replace(" ", "") == text.replace(" ", "")
    whole = rows(text, width, whole=True)
    assert all(cell_len(row) <= width for row in whole)
    few = rows(text, width, whole=False)
    assert all(cell_len(row) <= width for row in few)
    assert few == whole if len(whole) <= MOST else len(few) == MOST and few[-1].endswith("…")
