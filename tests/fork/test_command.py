"""`replay fork` and `replay tree`, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.cassette import load
from tests.fork.worlds import AGENT, World, recorded, world


def replay(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The command line, not at a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "replay_cli", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        env={**os.environ, **more.pop("env", {})},
        **more,
    )


@pytest.fixture(name="base", scope="module")
def base_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, World]]:
    with world() as around:
        directory = tmp_path_factory.mktemp("fork")
        path = recorded(directory, AGENT, around.url)
        yield path, around


def _event(path: str, kind: str, name: str) -> int:
    with load(path) as cassette:
        return next(event.id for event in cassette.events if event.kind == kind and event.name.endswith(name))


def test_a_fork_its_tree_and_its_difference(base: tuple[str, World], tmp_path: Path) -> None:
    path, around = base
    around.seen.clear()
    at = _event(path, "tool", "lookup")
    here = tmp_path / "agent.cassette"
    here.write_bytes(Path(path).read_bytes())
    done = replay("fork", str(here), "--at", str(at), "--set", "state=shipped", "--then", "live")
    new = tmp_path / "agent.fork-1.cassette"
    assert done.returncode == 0, done.stderr
    assert f'forked {os.path.relpath(here)} at event {at}, tool lookup: state = "shipped"' in done.stderr
    assert "replay diff" in done.stderr
    assert around.seen == ["POST /v1/chat/completions"]
    second = replay("fork", str(new), "--at", str(at), "--drop", "--json")
    assert json.loads(second.stdout)["edits"] == ["dropped"]
    assert json.loads(second.stdout)["parent"] == str(new)
    shown = replay("tree", str(tmp_path)).stdout.splitlines()
    assert [line.partition(".cassette")[0] for line in shown] == [
        "agent",
        "└─ agent.fork-1",
        "   └─ agent.fork-1.fork-1",
    ]
    assert f'at {at}, state = "shipped"' in shown[1]
    (tree,) = json.loads(replay("tree", str(tmp_path), "--json").stdout)["trees"]
    assert tree["forks"][0]["fork"]["at"] == at
    assert tree["forks"][0]["fork"]["parent"] == tree["id"]
    assert tree["forks"][0]["forks"][0]["fork"]["edits"] == ["dropped"]
    (tmp_path / "other.cassette").write_bytes(b"none")  # nobody asked for it
    assert replay("tree", str(new)).stdout.splitlines() == shown
    differs = json.loads(replay("diff", str(here), str(new), "--json").stdout)
    assert [(root["class"], root["changes"]) for root in differs["roots"]] == [
        ("input", {"state": ["lost", "shipped"]})
    ]
    assert replay("run", str(new)).returncode == 0


def test_the_prompt_is_another_from_there_on(base: tuple[str, World], tmp_path: Path) -> None:
    """The model is told so; the program isn't changed, so the fork replays with the program as it is."""
    path, _ = base
    with load(path) as cassette:
        at = [event.id for event in cassette.events if event.name.endswith("completions")][-1]
    new = tmp_path / "fork.cassette"
    words = ("--prompt", "Be rude.", "--then", "live", "-o", str(new))
    done = replay("fork", path, "--at", str(at), *words)
    assert done.returncode == 0, done.stderr
    assert "answer: [Be rude.] done" in done.stdout
    assert 'system prompt = "Be rude."' in done.stderr
    assert replay("run", str(new)).returncode == 0


def test_an_effect_is_held_where_nobody_can_be_asked(base: tuple[str, World], tmp_path: Path) -> None:
    path, around = base
    around.seen.clear()
    at = _event(path, "tool", "lookup")
    new = tmp_path / "fork.cassette"
    done = replay("fork", path, "--at", str(at), "--then", "live", "-o", str(new))
    assert done.returncode == 125
    assert "replay: held at its event" in done.stderr
    assert "/refunds would change the world; --allow-effects lets such calls out" in done.stderr
    assert around.count("POST /refunds") == 0
    out = replay("fork", path, "--at", str(at), "--then", "live", "--allow-effects", "--json", "-o", str(new) + "2")
    assert json.loads(out.stdout)["status"] == "ended"
    assert around.count("POST /refunds") == 1


def test_an_answer_from_a_file_and_from_the_editor(base: tuple[str, World], tmp_path: Path) -> None:
    path, _ = base
    at = _event(path, "tool", "lookup")
    answer = tmp_path / "answer.json"
    answer.write_text('{"state": "shipped", "by": "file"}')
    one = replay("fork", path, "--at", str(at), "--response", str(answer), "--then", "live", "-o", str(tmp_path / "1"))
    assert one.returncode == 0, one.stderr
    assert "'by': 'file'" in one.stdout
    edit = tmp_path / "edit.py"
    edit.write_text("import sys; p = sys.argv[1]; t = open(p).read(); open(p, 'w').write(t.replace('lost', 'shipped'))")
    editor = f"{sys.executable} {edit}"
    words = ("--edit", "--then", "live", "-o", str(tmp_path / "2"))
    two = replay("fork", path, "--at", str(at), *words, env={"EDITOR": editor, "VISUAL": ""})
    assert two.returncode == 0, two.stderr
    assert "'state': 'shipped', 'total': 7" in two.stdout


def test_a_body_is_edited_by_its_path(base: tuple[str, World], tmp_path: Path) -> None:
    path, _ = base
    at = _event(path, "http", "/v1/chat/completions")
    words = ("--set", "choices[0].message.tool_calls=[]", "--set", "choices[0].message.content=no", "--json")
    done = replay("fork", path, "--at", str(at), *words, "-o", str(tmp_path / "new"))
    assert json.loads(done.stdout)["status"] == "ended", done
    assert "answer: no" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "99"), "has no event 99: they are numbered from 0 to"),
        (("--at", "LOOK", "--set", "x.y=1"), "the answer has nothing at x: there are order, state, total"),
        (("--at", "LOOK", "--set", "state[0]=1"), "str is there, which has no parts"),
        (("--at", "LOOK", "--set", "a..b=1"), "isn't a path"),
        (("--at", "PRINT", "--set", "x=1"), "isn't an answer of the world"),
        (("--at", "LOOK", "--set", "state"), "--set is PATH=VALUE"),
        (("--at", "LOOK", "--drop", "--edit"), "choose one"),
        (("--at", "LOOK", "--response", "nowhere.json"), "nowhere.json: No such file"),
    ],
)
def test_what_can_not_be_changed_is_said(
    base: tuple[str, World], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    path, _ = base
    numbers = {"LOOK": str(_event(path, "tool", "lookup")), "PRINT": str(_event(path, "output", "stdout"))}
    done = replay("fork", path, *(numbers.get(word, word) for word in words), "-o", str(tmp_path / "new"))
    assert done.returncode in (125, 129)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_no_editor_is_opened_where_nobody_sees_it(base: tuple[str, World]) -> None:
    path, _ = base
    at = _event(path, "tool", "lookup")
    done = replay("fork", path, "--at", str(at), "--edit", env={"EDITOR": "", "VISUAL": ""})
    assert done.returncode == 129
    assert "there is no terminal here" in done.stderr
