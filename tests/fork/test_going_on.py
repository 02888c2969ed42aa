"""`replay run --on-divergence`: what changed code does behind the first request that differs."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.reader import Reader
from replay.fork.point import before
from tests.fork.worlds import AGENT, World, recorded, world
from tests.support.e2e import cli, cli_json, shown

CHECKS = AGENT.replace(
    "    for call in calls:\n",
    '    if step == 1:\n        print("first", lookup("A-0"))\n    for call in calls:\n',
).replace('    return http.get(f"/orders/{order}").json()', '    return {"order": order, "state": "lost", "total": 7}')
WORDY = AGENT.replace("You are a desk.", "You are a desk with many words.")


@pytest.fixture(scope="module")
def around() -> Generator[World]:
    with world() as found:
        yield found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, around: World) -> str:
    source = CHECKS.replace('print("first", lookup("A-0"))', "pass")
    return recorded(tmp_path_factory.mktemp("base"), source, around.url)


def changed(tmp_path: Path, source: str) -> list[str]:
    program = tmp_path / "agent.py"
    program.write_text(source)
    return ["--", sys.executable, str(program)]


def test_it_goes_on_by_the_recordings_answers(base: str, around: World, tmp_path: Path) -> None:
    """One call more of a tool, and the rest as it was."""
    around.seen.clear()
    found: dict[str, Any] = cli_json("run", base, "--on-divergence", "continue", *changed(tmp_path, CHECKS), code=1)
    assert found["divergence"]["event"] is not None
    went = found["continued"]
    assert (went["status"], went["exit_code"], went["then"]) == ("ended", 0, "recorded")
    assert went["at"] < found["divergence"]["event"]
    again = cli("run", went["cassette"], *changed(tmp_path, CHECKS))
    assert again.returncode == 0, shown(again)
    assert b"first {'order': 'A-0'" in again.stdout
    assert around.seen == []
    stopped = cli_json("run", base, *changed(tmp_path, CHECKS), code=1)
    assert "continued" not in stopped
    assert stopped["divergence"] == found["divergence"]


def test_live_asks_the_model_and_holds_effects(base: str, around: World, tmp_path: Path) -> None:
    around.seen.clear()
    words = ("run", base, "--on-divergence", "live", *changed(tmp_path, WORDY))
    done = cli(*words)
    assert done.returncode == 1, shown(done)
    said = done.stderr.decode()
    assert "would change the world" in said
    assert ": another program" in said
    assert around.seen, "the model was asked"
    assert around.count("POST /refunds") == 0


def test_nothing_differs(base: str) -> None:
    assert cli_json("run", base, "--on-divergence", "continue")["continued"] is None


def test_nothing_was_answered_before(tmp_path: Path) -> None:
    path = recorded(tmp_path, "print('one')\n")
    done = cli("run", path, "--on-divergence", "continue", *changed(tmp_path, "print('other')\n"))
    assert done.returncode == 1, shown(done)
    assert b"there is nothing to go on from" in done.stderr


def test_the_last_answer_before(base: str) -> None:
    with Reader.open(base) as reader:
        assert before(reader, 0) is None
        assert before(reader, None) == max(
            n for n in range(len(reader)) if reader.event(n).kind not in ("clock", "entropy")
        )


def test_the_execution_in_a_new_recording(base: str, around: World, tmp_path: Path) -> None:
    """The same again is a recording by itself; what goes on behind a divergence is in the one that was named."""
    around.seen.clear()
    again, other, none = (tmp_path / f"{name}.cassette" for name in ("again", "other", "none"))
    done = cli("run", base, "-o", again)
    assert (done.returncode, shown(done).count("recorded again: ")) == (0, 1), shown(done)
    assert cli("run", again).returncode == cli("diff", base, again).returncode == 0
    with Reader.open(again) as reader:
        assert (reader.header["fork"]["at"], reader.header["fork"]["edits"]) == (None, ["executed again"])
    changes = changed(tmp_path, CHECKS)
    found = cli_json("run", base, "-o", other, "--on-divergence", "continue", *changes, code=1)
    assert found["continued"]["cassette"] == str(other)
    assert cli("run", other, *changes).returncode == 0
    done = cli("run", base, "-o", none, *changes)
    assert (done.returncode, none.exists()) == (1, False)
    assert "none.cassette isn't written, since it diverged" in shown(done)
    assert "[cassette-exists]" in shown(cli("run", base, "-o", other))
    assert around.seen == []
