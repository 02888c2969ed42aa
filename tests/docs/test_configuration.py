"""One table of options: the page is written from it, and all three ways to set one are read by it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from replay import options
from replay.model.errors import UsageError
from replay_cli.commands.record import command
from replay_cli.render.configuration import page
from tests.support.e2e import cli, cli_json, shown, write

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_table() -> None:
    shown_page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert shown_page == page(), "python -m replay_cli.render.configuration >docs/configuration.md"


def test_the_table_is_what_there_is() -> None:
    assert [field.name for field in dataclasses.fields(options.Options)] == [each.name for each in options.TABLE]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {each.flag for each in options.TABLE if each.flag} <= flags


def test_the_environment_goes_before_the_project(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    settings = 'linger = 5\nname = "project"\nretain-age = "7d"\ntags = { a = "b" }\nenabled = false\n'
    (tmp_path / "pyproject.toml").write_text(f"[tool.replay]\n{settings}")
    found = options.current({"REPLAY_NAME": "variable", "REPLAY_TAGS": "k=v, x=y=z"}, str(tmp_path / "below"))
    assert (found.name, found.tags, found.linger) == ("variable", {"k": "v", "x": "y=z"}, 5.0)
    assert (found.retain_age, found.enabled, found.threads) == (604800.0, False, "order")
    assert options.current({}, str(tmp_path)).tags == {"a": "b"}
    assert options.current({"REPLAY_DIR": ""}, str(tmp_path)).directory == ".replay"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REPLAY", "maybe"),
        ("REPLAY_LINGER", "-1"),
        ("REPLAY_LINGER", "x"),
        ("REPLAY_TAGS", "k"),
        ("REPLAY_SAMPLE", "2"),
    ],
)
def test_what_cannot_be_read_is_named(variable: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=variable):
        options.current({variable: value}, str(tmp_path))


def test_a_key_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.replay]\nsampel = 1\n")
    with pytest.raises(UsageError, match="sampel"):
        options.current({}, str(tmp_path))


def test_a_recording_obeys_the_project(tmp_path: Path) -> None:
    settings = 'directory = "kept"\nname = "n"\ntags = { a = "b" }\nthreads = "strict"\npropagate = "always"\n'
    (tmp_path / "pyproject.toml").write_text(f"[tool.replay]\n{settings}")
    write(tmp_path / "p.py", "import replay\nwith replay.record(tags={'c': 'd'}):\n    pass\n")
    done = cli("record", "--tag", "e=f", "--", sys.executable, "p.py", cwd=tmp_path)
    assert done.returncode == 0, shown(done)
    (path,) = (tmp_path / "kept").glob("*.cassette")
    header = cli_json("show", path)["cassette"]
    assert (header["name"], header["tags"], header["threads"]) == ("n", {"a": "b", "e": "f"}, "strict")
    assert header["trace"]["sends"] is True
    listed = cli_json("ls", cwd=tmp_path)
    assert len(listed["cassettes"]) == 1
