"""`replay test`: many recordings against the present code, most of them in forks of processes that are ready."""

from __future__ import annotations

import json
import os
import re
import signal
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from replay.corpus import local
from replay.corpus.causes import causes, general
from replay.corpus.trial import Trial, trials
from replay.launch import record_command, run
from replay.launch.scratch import Reaper
from replay.launch.zygote import Zygotes
from replay.limits import Limits
from replay_cli import exits
from tests.cli.test_reading import replay as command

AGENT = """
import json, sys, time
order = sys.argv[1]
begun = time.time()
with open("orders.json") as file:
    known = json.load(file)
print("refund", order, known.get(order, 0), begun)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "orders.json").write_text(json.dumps({"A1": 1, "A2": 2}))
    (tmp_path / "corpus").mkdir()
    return tmp_path


def recorded(place: Path, *names: str, **variables: str) -> list[str]:
    paths = [str(place / "corpus" / f"{name}.cassette") for name in names]
    for name, path in zip(names, paths, strict=True):
        record_command(["python", "agent.py", name], path, output="discard", variables={**os.environ, **variables})
    return paths


def test_a_corpus_holds_until_the_code_changes_and_equal_causes_are_one(place: Path) -> None:
    recorded(place, "A1", "A2", "A3")
    held = command("test", "corpus", "-n", "2", cwd=place)
    assert (held.returncode, held.stderr) == (exits.SAME, "")
    assert "✓ 3 cassettes" in held.stdout
    assert "3 same" in held.stdout

    (place / "agent.py").write_text(AGENT.replace('open("orders.json")', 'open("customers.json")'))
    (place / "corpus" / "none.cassette").write_bytes(b"not a cassette")
    broke = command("test", "corpus", "-n", "2", "--junitxml", "report.xml", "--json", cwd=place)
    assert broke.returncode == exits.DIFFERENT
    found = json.loads(broke.stdout)
    assert [(cause["status"], cause["count"]) for cause in found["causes"]] == [("different", 3), ("unjudged", 1)]
    assert found["causes"][0]["first"]["site"] == f"{place / 'agent.py'}:5"
    assert sorted(found["causes"][0]["cassettes"]) == [f"corpus/A{number}.cassette" for number in (1, 2, 3)]
    suite = ET.fromstring((place / "report.xml").read_bytes())
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["4", "3", "1"]
    assert len({failure.get("message") for failure in suite.iter("failure")}) == 1
    shown = command("test", "corpus", cwd=place, COLUMNS="300")
    assert f"✗ 3 × {found['causes'][0]['cause']}" in shown.stdout
    assert "replay run corpus/A1.cassette" in shown.stdout


def test_what_cannot_be_judged_is_no_pass(place: Path) -> None:
    recorded(place, "A1")
    (place / "corpus" / "none.cassette").write_bytes(b"not a cassette")
    found = command("test", "corpus", cwd=place)
    assert found.returncode == exits.CANNOT_JUDGE
    assert "1 unjudged" in found.stdout
    (place / "empty").mkdir()
    assert command("test", "empty", cwd=place).returncode == exits.CANNOT_JUDGE
    assert command("test", "nowhere", cwd=place).returncode == exits.CANNOT_JUDGE
    assert command("test", "corpus", "--memory", "much", cwd=place).returncode == exits.USAGE


INTROSPECTIVE = """
import atexit, gc, os, random, signal, sys, tempfile, threading, time
import email.message, asyncio
class Late:
    def __del__(self):
        print("late", os is not None)
late = Late()
late.itself = late
atexit.register(lambda: print("at exit"))
thread = threading.Thread(target=lambda: print("thread", threading.current_thread().name))
thread.start()
thread.join()
async def main():
    await asyncio.sleep(0)
    return "awaited"
for told in (
    sys.argv, sys.orig_argv, sys.path, sys.flags, sys.executable, sys.stdin.isatty(), sys.stdout.line_buffering,
    sys.stdout.encoding, __name__, __file__, os.getcwd(),
    sorted(os.environ.items()), os.getpid(), time.tzname, threading.active_count(), threading.main_thread().name,
    type(threading.Lock()).__name__, random.random(), {"a", "b", "c", "d"}, hash("text"), asyncio.run(main()),
    [str(signal.getsignal(number)).split(" at ")[0] for number in signal.valid_signals()],
    sys.getrecursionlimit(), sys.gettrace(), [type(finder).__name__ for finder in sys.meta_path], gc.isenabled(),
    gc.get_threshold(), __builtins__,
    ",".join(sys.modules),
):
    print(told)
print(time.time(), file=sys.stderr)
"""


def test_a_forked_replay_is_the_replay_that_was_started_for_it(place: Path) -> None:
    (place / "agent.py").write_text(INTROSPECTIVE)
    (path,) = recorded(place, "A1", TZ="Asia/Tokyo", TICKET="12")
    started = run(path, match="lenient")  # which modules there are, say, isn't the recording's
    with Zygotes() as zygotes:
        for _ in range(2):
            forked = run(path, match="lenient", start=zygotes.start)
            assert (zygotes.last.forked, zygotes.last.exact) == (True, True)
            assert lines(forked.stdout)[-2:] == ["at exit", "late True"]
            assert lines(forked.stdout) == lines(started.stdout)
            assert forked.stderr == started.stderr
            assert (forked.events, forked.divergence) == (started.events, started.divergence)
            assert forked.walls == started.walls


def lines(output: bytes) -> list[str]:
    """Without the name of the scratch directory, which each replay has its own of."""
    return [re.sub(r"replay-\w{8}\b", "replay-x", line) for line in output.decode().splitlines()]


@pytest.mark.parametrize("start", [["-X", "dev", "agent.py"], ["-m", "agent"], ["-c", "import agent"]])
def test_every_way_to_start_a_program_can_be_forked(start: list[str], place: Path) -> None:
    path = str(place / "corpus" / "x.cassette")
    record_command(["python", *start, "A2"], path, output="discard")
    with Zygotes() as zygotes:
        found = run(path, start=zygotes.start)
        assert (found.identical, zygotes.last.forked, zygotes.last.exact) == (True, True, True)
        assert found.stdout.startswith(b"refund A2 2")


def test_what_depends_on_the_hash_seed_is_tried_again_with_its_own(place: Path) -> None:
    (place / "agent.py").write_text(
        "import os\nfor name in {'a', 'b', 'c', 'd', 'e', 'f', 'g'}: os.path.exists(name)\n"
    )
    paths = [*recorded(place, "A1", PYTHONHASHSEED="1"), *recorded(place, "A2", PYTHONHASHSEED="2")]
    with trials(Limits()) as attempt:
        first, second = map(attempt, paths)
    assert [first.status, second.status] == ["same", "same"]
    assert [first.why_alone, second.why_alone] == ["", "it depends on the hash seed"]


ESCAPES = {
    "connection": "import socket; socket.socket().connect(('127.0.0.1', 9))",
    "file write": "open('stolen', 'w')",
    "process": "import subprocess; subprocess.run(['true'])",
    "native": "import ctypes; ctypes.CDLL(None).rename(b'orders.json', b'stolen')",
}


@pytest.mark.parametrize("what", ESCAPES)
def test_a_forked_replay_touches_nothing(what: str, place: Path) -> None:
    paths = recorded(place, "A1", "A2")
    attempts = "\ntry:\n    {}\nexcept Exception: pass\n"
    (place / "agent.py").write_text(AGENT + attempts.format(ESCAPES[what]))
    with trials(Limits()) as attempt:
        found = [attempt(path) for path in paths]
    assert [each.status for each in found] == ["different", "different"]
    assert not (place / "stolen").exists()
    assert (place / "orders.json").exists()
    assert len(causes(found)) == 1


def test_limits_end_a_program_and_nothing_else(place: Path) -> None:
    paths = recorded(place, "A1", "A2", "A3")
    (place / "agent.py").write_text(
        AGENT.replace(
            "begun =",
            "while order == 'A1': pass\nhuge = bytearray(b'x' * (300 << 20)) if order == 'A2' else b''\n"
            "while huge: pass\nbegun =",
        )
    )
    found = list(local.tried(paths, 1, Limits(seconds=3.0, memory=150 << 20)))
    slow, big, well = sorted(found, key=lambda each: each.cassette)
    assert (slow.status, big.status, well.status) == ("unjudged", "unjudged", "same")
    assert "longer than 3 s" in slow.reason
    assert "more than 150 MiB" in big.reason
    assert "limit-reached" in big.reason


def children() -> list[int]:
    here = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in here.iterdir() for pid in (task / "children").read_text().split()]


def test_a_killed_worker_loses_nothing(place: Path) -> None:
    recorded(place, "A1")
    paths = [str(place / "corpus" / f"{number}.cassette") for number in range(12)]
    for path in paths:
        os.link(place / "corpus" / "A1.cassette", path)
    found: list[Trial] = []
    for trial in local.tried(paths, 2, Limits()):
        found.append(trial)
        if len(found) == 2:
            os.kill(max(pid for pid in children() if b"corpus.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()), 9)
    assert sorted(each.cassette for each in found) == sorted(paths)
    assert {each.status for each in found} == {"same"}


def test_a_zygote_that_is_gone_is_replaced(place: Path) -> None:
    paths = recorded(place, "A1", "A2")
    with Zygotes() as zygotes:
        assert run(paths[0], start=zygotes.start).identical
        before = set(children())
        for pid in before:
            if b"agent.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        assert run(paths[1], start=zygotes.start).identical
        assert not zygotes.last.forked
        assert "gone" in zygotes.last.why_not
        assert run(paths[1], start=zygotes.start).identical
        assert zygotes.last.forked


def test_causes_leave_out_what_varies() -> None:
    def failed(number: int) -> Trial:
        return Trial(
            f"{number}.cassette", "different", "r", number, f"tool refund 'A-{number}'", f"http POST /v1/{number}",
            "agent.py:7",
        )  # fmt: skip

    found = causes([*map(failed, range(40)), Trial("x", "same"), Trial("y", "unjudged", "no such cassette: y")])
    assert [(len(cause.cassettes), cause.status) for cause in found] == [(40, "different"), (1, "unjudged")]
    assert found[0].summary == "http POST … instead of tool refund … at agent.py:7"
    assert general("file.open '/a/b c.txt' 17 times") == "file.open … … times"
    died = Trial("z", "different", "r", 3, "tool refund", None, None, said="Traceback\n  x\nKeyError: 'A-17'\n")
    assert causes([died])[0].summary == "KeyError: … instead of tool refund"


def test_scratch_directories_are_gone_in_the_end(tmp_path: Path) -> None:
    reaper = Reaper()
    made = [tmp_path / f"scratch-{number}" for number in range(100)]
    for each in made:
        (each / "files" / "a").mkdir(parents=True)
        (each / "files" / "a" / "x").touch()
        reaper(str(each))
    reaper.close()
    assert list(tmp_path.iterdir()) == []
    reaper.close()  # nothing is left to do
