"""`ls`, `show` and `verify` on real files: whole, unfinished, damaged, and no cassettes at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from replay.cassette import frame
from replay.cassette.writer import Writer
from replay_cli import exits
from tests.cli import cassettes

REPLAY = Path(sys.executable).with_name("replay")


def replay(*args: str | Path, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key not in {"REPLAY_DIR", "FORCE_COLOR", "NO_COLOR"}}
    env |= {"COLUMNS": "80", "TZ": "UTC", **more}
    return subprocess.run([REPLAY, *args], capture_output=True, text=True, cwd=cwd, env=env, check=False)


def document(*args: str | Path, code: int = 0, **more: Any) -> Any:
    done = replay(*args, "--json", **more)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    return cassettes.write(tmp_path / "lamp.cassette")


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    return cassettes.write(tmp_path / "killed.cassette", end="killed")


# show


def test_show_draws_the_path_within_80_columns(sealed: Path) -> None:
    done = replay("show", sealed)
    assert (done.returncode, done.stderr) == (exits.SAME, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    path = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert path[0] == "python agent.py 'a ticket'"
    assert path[1].startswith("sealed · 9 events · 4.200 s · exit 0 · 20")
    for line in (
        "0-1 0.000 m clock time.time ×4",
        "2 0.001 m llm support: gpt-4o · 1 message · 80 + 20 tokens",
        "says: I'll refund it.",
        "asks: refund(order='A-1043', amount=129)",
        "3 0.260 m/t1 tool refund('A-1043', amount=129) → {'ok': True}",
        "raised ValueError: twice\\x1b[2J",
        "5 0.280 m memory notes.get('policy') → 'x'",
        "6 0.290 m http GET http://x/s → 200 (3 chunks)",
        "event 7 open_port: result is a socket.socket, which a cassette can't store",
        "process: git rev-parse HEAD ×2 at agent.py:12",
    ):
        assert line in path
    assert "UNFINISHED" not in done.stdout


def test_show_verbose_hides_nothing(sealed: Path) -> None:
    shown = " ".join(replay("show", "-v", sealed).stdout.split())
    assert "0 0.000 m clock time.time" in shown
    assert "1 0.000 m clock time.time" in shown
    assert shown.count("at agent.py:12") >= 9
    assert "which a cassette can't store" in shown


def test_show_json_has_the_promised_keys(sealed: Path) -> None:
    shown = document("show", sealed)
    assert shown["status"] == "sealed"
    assert shown["cassette"]["argv"] == ["python", "agent.py", "a ticket"]
    assert shown["outcome"]["exit_code"] == 0
    assert [event["id"] for event in shown["events"]] == list(range(9))
    promised = {"id", "kind", "name", "lane", "agent", "effect", "at", "request", "site", "links"}
    for event in shown["events"]:
        assert promised <= set(event)
        assert ("response" in event) != ("error" in event)
    assert [event["kind"] for event in shown["events"]] == [
        *("clock", "clock", "llm", "tool", "tool", "memory", "http", "gap", "tool")
    ]
    llm = shown["events"][2]
    assert llm["agent"] == "support"
    assert llm["name"] == "gpt-4o"
    assert llm["at"] == 0.001
    assert llm["request"]["body"]["messages"][0]["content"] == "My lamp is broken."
    assert llm["llm"]["tool_calls"][0]["parsed"] == {"order": "A-1043", "amount": 129}
    assert shown["events"][4]["error"] == {"type": "builtins.ValueError", "message": "twice\x1b[2J"}
    assert shown["events"][3]["lane"] == "m/t1"
    assert [piece["status"] for piece in shown["events"][6]["pieces"]] == ["piece", "piece", "piece", "end"]
    reason = "result is a socket.socket, which a cassette can't store"
    assert shown["gaps"] == [{"id": 7, "name": "open_port", "reason": reason, "site": "agent.py:12"}]
    assert shown["blind_spots"] == [
        {"what": "process", "detail": "git rev-parse HEAD", "site": "agent.py:12", "count": 2}
    ]


def test_json_before_or_after_the_command(sealed: Path) -> None:
    assert json.loads(replay("--json", "show", sealed).stdout) == document("show", sealed)


def test_show_one_event_whole(sealed: Path) -> None:
    shown = replay("show", sealed, "2").stdout
    for part in (
        "event 2  llm  gpt-4o",
        "agent.py:12 in main",
        "My lamp is broken.",
        '"prompt_tokens": 80',
        "[call_1]",
    ):
        assert part in shown
    assert "builtins.ValueError: twice\\x1b[2J" in replay("show", sealed, "4").stdout
    assert "piece 2" in replay("show", sealed, "6").stdout
    assert document("show", sealed, "3") == document("show", sealed)["events"][3]


def test_show_of_an_event_that_is_not_there(sealed: Path) -> None:
    done = replay("show", sealed, "9")
    assert done.returncode == exits.USAGE
    assert done.stderr == f"replay: no event 9 in {sealed}; the last is 8 [usage]\n"


def test_show_marks_an_unfinished_recording(killed: Path) -> None:
    done = replay("show", killed)
    assert (done.returncode, done.stderr) == (exits.SAME, "")
    assert done.stdout.count("UNFINISHED") == 2
    assert "no outcome: the recording ends inside this call" in done.stdout
    shown = document("show", killed)
    assert shown["status"] == "open"
    assert shown["events"][8]["status"] == "open"
    assert "no outcome" in replay("show", killed, "8").stdout


def test_a_recording_that_ended_without_a_seal_is_not_unfinished(tmp_path: Path) -> None:
    closed = cassettes.write(tmp_path / "closed.cassette", end="closed")
    assert "UNFINISHED" not in replay("show", closed).stdout


def test_recorded_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;title\x07\x1b[2J[bold]:boom:\u202egnp.exe\udc80"
    path = cassettes.write(tmp_path / "evil.cassette", text=evil, argv=["python", evil[:-1]])
    for args in (("show", path), ("show", path, "2"), ("show", "-v", path), ("ls", tmp_path)):
        for out in (replay(*args).stdout, replay(*args, FORCE_COLOR="1").stdout):
            assert not any(bad in out for bad in ("\x1b]", "\x1b[2J", "\x07", "\u202e"))
    assert "[bold]:boom:" in replay("show", path).stdout
    done = replay("show", path, "--json")
    assert done.stdout.isascii()
    assert json.loads(done.stdout)["events"][2]["llm"]["text"] == evil


def test_colours_only_where_wanted(sealed: Path) -> None:
    assert "\x1b[" not in replay("show", sealed).stdout
    assert "\x1b[" in replay("show", sealed, FORCE_COLOR="1").stdout
    assert "\x1b[" not in replay("show", sealed, "--no-color", FORCE_COLOR="1").stdout
    assert "\x1b[" not in replay("--no-color", "show", sealed, FORCE_COLOR="1").stdout


# names


def test_cassettes_by_name_id_and_latest(sealed: Path) -> None:
    here = sealed.parent
    whole = document("show", sealed)
    for name in ("latest", "lamp", "la", "lamp.cassette", whole["cassette"]["id"][:12].lower()):
        assert document("show", name, REPLAY_DIR=str(here)) == whole
    assert replay("show", "nope", REPLAY_DIR=str(here)).stderr.endswith("[cassette-missing]\n")


# ls


def test_ls_leaves_out_where_the_interpreter_lies(tmp_path: Path) -> None:
    cassettes.write(tmp_path / "a.cassette", argv=["/opt/agents/.venv/bin/python3.11", "/srv/agent.py"])
    text = " ".join(replay("ls", tmp_path, COLUMNS="120").stdout.split())
    assert text.endswith("a python3.11 /srv/agent.py")
    assert "tokens blind cassette program" in text


def test_a_cassette_may_be_named_as_ls_lists_it(sealed: Path) -> None:
    for command in ("show", "verify"):
        assert replay(command, "lamp", cwd=sealed.parent).returncode == exits.SAME
    missing = replay("show", "lamb", cwd=sealed.parent)
    assert (missing.returncode, missing.stderr.count("cassette-missing")) == (exits.CANNOT_JUDGE, 1)


def test_ls_lists_good_and_bad(sealed: Path, killed: Path) -> None:
    here = sealed.parent
    (here / "empty.cassette").touch()
    done = replay("ls", here)
    assert (done.returncode, done.stderr) == (exits.SAME, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    assert "exit 0 9 1 3 100 2 lamp python" in text
    assert "unfinished 9 1 3 100 1 killed python" in text
    assert "unreadable" in text
    listed = {Path(row["path"]).stem: row for row in document("ls", here)["cassettes"]}
    assert set(listed) == {"lamp", "killed", "empty"}
    lamp = listed["lamp"]
    assert (lamp["status"], lamp["outcome"], lamp["events"], lamp["llm"], lamp["tokens"]) == (
        "sealed",
        "exit 0",
        9,
        1,
        100,
    )
    assert lamp["tools"] == {"refund": 2, "send_mail": 1}
    assert lamp["tags"] == {"env": "prod"}
    assert (lamp["blind_spots"], lamp["gaps"], lamp["writes"]) == (1, 1, 3)
    assert listed["empty"]["problem"].endswith("[cassette-empty]")


def test_ls_of_the_usual_directory(sealed: Path, tmp_path: Path) -> None:
    assert len(document("ls", REPLAY_DIR=str(sealed.parent))["cassettes"]) == 1
    assert len(document("ls", sealed)["cassettes"]) == 1
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    done = replay("ls", cwd=empty)
    assert (done.returncode, done.stdout, done.stderr) == (exits.SAME, "", "no cassettes in .replay\n")
    assert replay("-q", "ls", cwd=empty).stderr == ""
    assert document("ls", cwd=empty) == {"directory": ".replay", "cassettes": []}
    assert replay("ls", tmp_path / "nowhere").returncode == exits.CANNOT_JUDGE


def test_ls_in_a_pipe_cuts_nothing(tmp_path: Path) -> None:
    name = "01HF7YAT00" + "0" * 80
    cassettes.write(tmp_path / f"{name}.cassette")
    environ = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    command = [sys.executable, "-m", "replay_cli", "ls", str(tmp_path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert f" {name} " in done.stdout


def test_a_recording_by_the_name_it_was_given(tmp_path: Path) -> None:
    for number in (1, 2):
        path = tmp_path / f"{number}.cassette"
        writer = Writer.create(path, {"name": "nightly"})
        writer.end({"exit_code": number})
        writer.close()
        os.utime(path, (number, number))
    assert document("show", "nightly", REPLAY_DIR=str(tmp_path))["outcome"]["exit_code"] == 2
    assert "nightly: " in replay("ls", tmp_path).stdout
    assert [row["name"] for row in document("ls", tmp_path)["cassettes"]] == ["nightly", "nightly"]
    missing = replay("show", "nightl", REPLAY_DIR=str(tmp_path))
    assert missing.returncode == exits.CANNOT_JUDGE


# verify, and damage


def test_verify_whole(sealed: Path) -> None:
    done = replay("verify", sealed, COLUMNS="300")
    assert (done.returncode, done.stderr) == (exits.SAME, "")
    assert done.stdout.startswith(f"{sealed}: whole, 9 events, nothing altered\nsha256 ")
    shown = document("verify", sealed)
    assert shown["intact"] is True
    assert shown["tampered"] is False


def test_verify_unfinished(killed: Path) -> None:
    done = replay("verify", killed)
    assert done.returncode == exits.SAME
    assert "not sealed, whole as far as it goes, 9 events" in done.stdout


def damaged(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    match how:
        case "truncated":
            del data[len(data) // 2 :]
        case "flipped":
            data[len(data) // 2] ^= 1
        case "empty":
            data.clear()
        case "foreign":
            data[:] = b"PK\x03\x04 something else"
        case other:
            raise AssertionError(other)
    path.write_bytes(data)


@pytest.mark.parametrize("end", ["sealed", "closed"])
@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "foreign"])
@pytest.mark.parametrize("command", ["show", "verify"])
def test_damage_is_one_clear_line(tmp_path: Path, end: Any, how: str, command: str) -> None:
    path = cassettes.write(tmp_path / "x.cassette", end=end)
    damaged(path, how)
    before = path.read_bytes()
    done = replay(command, path)
    assert done.returncode == exits.CANNOT_JUDGE
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"replay: {path}")
    assert done.stderr.endswith(
        {"empty": "[cassette-empty]\n", "foreign": "[cassette-foreign]\n"}.get(how, "[cassette-damaged]\n")
    )
    assert path.read_bytes() == before


def test_show_of_a_damaged_file_shows_what_stands_before(tmp_path: Path) -> None:
    path = cassettes.write(tmp_path / "x.cassette", end="closed")
    path.write_bytes(path.read_bytes()[:-700])
    done = replay("show", path)
    assert done.stdout.count("DAMAGED") == 2
    assert "asks: refund" in done.stdout
    shown = document("show", path, code=exits.CANNOT_JUDGE)
    assert shown["status"] == "torn"
    assert 3 <= len(shown["events"]) == shown["damage"]["good_events"] < 9
    row = document("ls", path)["cassettes"][0]
    assert row["outcome"] == "damaged"
    assert row["problem"].endswith("[cassette-damaged]")


def test_tampering_is_told_from_damage(tmp_path: Path) -> None:
    """An event altered by someone who also made the checksums fit: every frame reads well, the hash chain doesn't."""
    path = cassettes.write(tmp_path / "x.cassette", end="closed")
    data = path.read_bytes()
    at, seed = len(frame.PREAMBLE), 0
    forged = bytearray(data[:at])
    while at < len(data):
        _, length, _, _ = frame.HEAD.unpack_from(data, at)
        covered = data[at + 4 : at + frame.HEAD.size + length].replace(b"A-1043", b"A-9999")
        seed = crc32(covered, seed)
        forged += seed.to_bytes(4, "big") + covered
        at += frame.HEAD.size + length
    assert sha256(forged).digest() != sha256(data).digest()
    path.write_bytes(forged)
    done = replay("verify", path)
    assert done.returncode == exits.DIFFERENT
    assert "tampered with" in done.stderr
    assert document("verify", path, code=exits.DIFFERENT)["tampered"] is True


def test_prices_give_costs(sealed: Path, tmp_path: Path) -> None:
    known = tmp_path / "prices.json"
    known.write_text('{"gpt-4o*": {"input": 2.5, "output": 10}}', "utf-8")
    done = replay("show", sealed, "--prices", known, COLUMNS="100")
    assert done.returncode == exits.SAME
    text = " ".join(done.stdout.split())
    assert "80 + 20 tokens · cost 0.0004" in text
    assert "cost 0.0004 for 1 call" in text
    shown = json.loads(replay("show", sealed, "--prices", known, "--json").stdout)
    assert [each["llm"]["cost"] for each in shown["events"] if "llm" in each] == [pytest.approx(0.0004)]
    assert "cost" not in replay("show", sealed).stdout
    assert replay("show", sealed, "2", "--prices", known, "--json").stdout.count('"cost": 0.0004') == 1


@pytest.mark.parametrize(("content", "problem"), [("{", "--prices"), ('{"m": {}}', "the price of input is missing")])
def test_prices_that_are_none(sealed: Path, tmp_path: Path, content: str, problem: str) -> None:
    known = tmp_path / "prices.json"
    known.write_text(content, "utf-8")
    done = replay("show", sealed, "--prices", known)
    assert (done.returncode, done.stdout) == (exits.USAGE, "")
    assert problem in done.stderr
    missing = replay("show", sealed, "--prices", tmp_path / "none.json")
    assert missing.returncode == exits.USAGE


# signatures


def test_a_signed_recording(tmp_path: Path, sealed: Path) -> None:
    done = replay("keygen", tmp_path / "mine")
    assert done.returncode == exits.SAME
    fingerprint = done.stdout.split()[-1]
    assert "not signed" in replay("verify", sealed, COLUMNS="300").stdout
    assert replay("verify", sealed, "--key", tmp_path / "mine.pub").returncode == exits.DIFFERENT
    assert fingerprint in replay("seal", sealed, "--sign", tmp_path / "mine").stdout
    assert "--key says whom to trust" in replay("verify", sealed, COLUMNS="300").stdout
    done = replay("verify", sealed, "--key", tmp_path / "mine.pub")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        exits.SAME,
        f"signed by {fingerprint}, the key that was given",
    )
    found = document("verify", sealed, "--key", tmp_path / "mine.pub")
    assert found["signatures"] == [{"key": fingerprint, "genuine": True, "trusted": True}]
    assert replay("seal", sealed, "--sign", tmp_path / "none").returncode == exits.CANNOT_JUDGE
    assert replay("keygen", tmp_path / "mine").returncode == exits.CANNOT_JUDGE


def test_recordings_are_signed_at_their_end(tmp_path: Path) -> None:
    """The program, its child, and a block recorded from within."""
    (tmp_path / "program.py").write_text(
        "import os, subprocess, sys, time\n"
        "print(time.time(), os.environ.get('REPLAY_SIGN'))\n"
        "if len(sys.argv) == 1: subprocess.run([sys.executable, 'program.py', 'again'], check=True)\n"
    )
    block = "import replay, time\nwith replay.record('block.cassette'): time.time()\n"
    (tmp_path / "block.py").write_text(block)
    replay("keygen", tmp_path / "mine")
    done = replay("record", "--sign", "mine", "-o", "x.cassette", "--", sys.executable, "program.py", cwd=tmp_path)
    assert (done.returncode, done.stdout.count("None")) == (0, 2)
    subprocess.run([sys.executable, "block.py"], cwd=tmp_path, env={**os.environ, "REPLAY_SIGN": "mine"}, check=True)
    for name in ("x.cassette", "x.d/1.cassette", "block.cassette"):
        done = replay("verify", name, "--key", "mine.pub", cwd=tmp_path)
        assert done.returncode == exits.SAME, name + done.stderr
    done = replay("record", "--sign", "none", "--", sys.executable, "-c", "print(1)", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (exits.CANNOT_JUDGE, ""), "known before the program is started"
