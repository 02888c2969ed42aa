"""Writing: what is on the disk when, and what happens when the disk or a value refuses."""

from __future__ import annotations

import errno
import os
import resource
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from replay.cassette import repeats
from replay.cassette.header import new_id
from replay.cassette.reader import Reader
from replay.cassette.redact import Redactor
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import (
    CassetteExists,
    CassetteMissing,
    CassetteNewer,
    CassetteUnreadable,
    NotStorable,
    UsageError,
)
from tests.cassette.recordings import add, begin, responses


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.cassette"


def test_a_new_cassette_has_its_header_on_the_disk(path: Path) -> None:
    writer = Writer.create(path, {"program": "shop"})
    with Reader.open(path) as reader:
        assert {"program": "shop", "format": 1, "flags": []}.items() <= reader.header.items()
        assert len(reader.header["id"]) == 26
        assert reader.header["created"].endswith("Z")
        assert (reader.status, len(reader), reader.outcome) == ("open", 0, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    writer.close()
    writer.close()


def test_nothing_is_overwritten(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(CassetteExists):
        Writer.create(path, {})
    assert path.read_text() == "mine"


def test_places_where_nothing_can_be_created(tmp_path: Path, path: Path) -> None:
    with pytest.raises(CassetteMissing):
        Writer.create(tmp_path / "no" / "x.cassette", {})
    path.write_text("")
    with pytest.raises(CassetteUnreadable):
        Writer.create(path / "x.cassette", {})


def test_headers_that_are_refused(path: Path) -> None:
    with pytest.raises(NotStorable, match=r"header\['a'\]"):
        Writer.create(path, {"a": object()})
    with pytest.raises(UsageError, match="format 1"):
        Writer.create(path, {"format": 2})
    assert not path.exists()


def test_required_flags(path: Path) -> None:
    Writer.create(path, {"flags": ["fast", "!warp"]}).close()
    with pytest.raises(CassetteNewer, match="warp"):
        Reader.open(path)
    with Reader.open(path, known_flags=frozenset({"!warp"})) as reader:
        assert reader.header["flags"] == ["fast", "!warp"]


def test_ids_sort_by_time() -> None:
    assert new_id(1_700_000_000_000, bytes(10)) == "01HF7YAT000000000000000000"
    assert new_id(1, b"\xff" * 10) < new_id(2, bytes(10))


def test_flush_writes_once_and_only_then(path: Path) -> None:
    writer = begin(path)
    add(writer, "one")
    add(writer, "two")
    assert responses(path) == []
    writer.flush()
    writer.flush()
    assert responses(path) == ["one", "two"]
    assert writer.size == path.stat().st_size
    writer.close()


def test_a_refused_value_leaves_no_trace(path: Path) -> None:
    writer = begin(path)
    add(writer, 0)
    before = writer.size
    bad: Any = object()
    for attempt in (
        lambda: add(writer, {"k": [bad]}),
        lambda: writer.event(0, "tool", "t", "read", 1, None, [bad], b"x" * 999, "c", None, 1, 0, None),
        lambda: writer.call(0, "tool", "t", "read", 1, None, [bad], None, None, None),
        lambda: writer.call(0, "tool", "t", "read", 1, None, [], None, None, {"owner": bad}),
        lambda: writer.ret(0, 1, 0, bad, False),
        lambda: writer.chunk(0, 0, 1, 0, bad, False),
        lambda: writer.end({"exit_code": bad}),
    ):
        with pytest.raises(NotStorable) as caught:
            attempt()
        assert caught.value.where.split("[")[0] in ("result", "request", "meta", "outcome")
    assert (writer.size, writer.events) == (before, 1)
    assert add(writer, 1) == 1
    writer.flush()
    assert responses(path) == [0, 1]
    assert verify(path).intact
    writer.close()


def test_a_refused_value_names_its_place(path: Path) -> None:
    writer = begin(path)
    nameless: Any = object()
    with pytest.raises(NotStorable, match=r"result\['items'\]\[1\] is a builtins.object"):
        add(writer, {"items": [1, object()]})
    with pytest.raises(NotStorable, match=r"a builtins\.object"):
        writer.event(0, "tool", nameless, "read", 1, None, [], None, None, None, 1, 0, None)
    writer.close()


def test_bodies_are_stored_as_differences(path: Path) -> None:
    writer = begin(path)
    history = [b"".join(b"message %05d;" % n for n in range(50 * i)) + b"]}" for i in range(1, 60)]
    for body in history:
        add(writer, body=body, chain="chat")
    call = writer.call(0, "llm", "chat", "read", 1, None, None, history[3], "chat", None)
    small = add(writer, body=b"small", chain="chat")
    alone = add(writer, body=history[0])
    fresh = add(writer, body=os.urandom(1000), chain="chat")
    after = add(writer, body=history[-1], chain="chat")
    writer.flush()
    assert path.stat().st_size < 2 * sum(map(len, history[-1:])) + 20_000
    with Reader.open(path) as reader:
        for number in [*reversed(range(len(history))), *range(len(history))]:
            assert reader.event(number).body == history[number]
        assert reader.event(call).body == history[3]
        assert reader.event(small).body == b"small"
        assert reader.event(alone).body == history[0]
        assert len(reader.event(fresh).body or b"") == 1000
        assert reader.event(after).body == history[-1]
    writer.close()


def test_many_chains_at_once(path: Path) -> None:
    writer = begin(path)
    for turn in range(3):
        for chain in range(40):
            add(writer, body=b"%03d" % chain * 200 + b"%03d" % turn, chain=chain)
    writer.flush()
    with Reader.open(path) as reader:
        assert [reader.event(i).body for i in range(120)] == [
            b"%03d" % chain * 200 + b"%03d" % turn for turn in range(3) for chain in range(40)
        ]
    writer.close()


def test_bases_that_are_too_big_to_keep_are_not_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "BASES_BYTES", 5000)
    writer = begin(path)
    bodies = [bytes([65 + n]) * 2000 + b"end" for n in range(4)]
    for turn in range(2):
        for number, body in enumerate(bodies):
            add(writer, body=body + b"%d" % turn, chain=number)
    writer.flush()
    assert path.stat().st_size > 2 * sum(map(len, bodies))
    with Reader.open(path) as reader:
        assert reader.event(-1).body == bodies[-1] + b"1"
    writer.close()


FULL = """
import resource, signal, sys
from tests.cassette.recordings import add, begin
from replay.cassette import writer as writing
writing.BACKLOG = 20_000
writer = begin(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = writer.size + 10_000
sys.dont_write_bytecode = True  # else a module imported now is left cut off, for all programs
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
"""

ROOM_AGAIN = "\nresource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
"""Whoever measures coverage writes at the end of a process, too."""


def child(code: str, path: Path) -> str:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", FULL + code + ROOM_AGAIN, str(path)],
        capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_that_has_room_again_loses_nothing(path: Path) -> None:
    out = child(
        """
failed = 0
for number in range(40):
    add(writer, f"{number}" + "x" * 500)
    try:
        writer.flush()
    except OSError:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.flush()
add(writer, "last")
writer.flush()
print(failed > 5, writer.broken)
""",
        path,
    )
    assert out.split() == ["True", "False"]
    assert [value.rstrip("x") for value in responses(path)] == [*map(str, range(40)), "last"]
    assert verify(path).intact


def test_a_disk_that_stays_full_is_given_up(path: Path) -> None:
    out = child(
        """
for number in range(200):
    add(writer, "x" * 500)
    try:
        writer.flush()
    except OSError as error:
        last = error
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
add(writer, "after")
try:
    writer.flush()
except OSError as error:
    last = error
try:
    writer.seal()
except OSError:
    pass
print(writer.broken, last.errno, writer._pending)
""",
        path,
    )
    assert out.split() == ["True", str(errno.EFBIG), "[]"]
    with Reader.open(path) as reader:
        assert reader.status == "open"
        assert 10 < len(reader) < 25
        assert {reader.event(i).response for i in range(len(reader) - 1)} == {"x" * 500}
        assert (reader.event(-1).kind, reader.event(-1).request["kind"]) == ("gap", "recording")


def test_a_disk_with_no_room_for_the_header(path: Path) -> None:
    out = child(
        """
import os
writer.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (5, resource.RLIM_INFINITY))
try:
    begin(sys.argv[1] + "2")
except OSError:
    print(os.path.exists(sys.argv[1] + "2"))
""",
        path,
    )
    assert out == "False\n"


def test_sealing_on_a_full_disk_leaves_the_recording(path: Path) -> None:
    out = child(
        """
import os
for number in range(10):
    add(writer, os.urandom(500))
writer.end({})
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
try:
    writer.seal()
except OSError:
    print(os.listdir(os.path.dirname(sys.argv[1])))
""",
        path,
    )
    assert out == "['x.cassette']\n"
    report = verify(path)
    assert (report.intact, report.status, report.events) == (True, "open", 10)


def test_limits_of_this_process_are_untouched() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize("seal", [False, True])
def test_nothing_comes_behind_a_long_outcome(tmp_path: Path, seal: bool) -> None:
    """A CHAIN used to, where the result of an entry point was longer than a segment: the file was damaged."""
    writer = Writer.create(tmp_path / "x.cassette", {})
    writer.lane(0, "m")
    writer.event(0, "tool", "a", "read", 1, None, 1, None, None, None, 1, 0, 2)
    writer.end({"result": "y" * 600_000})
    if seal:
        writer.seal()
    writer.close()
    with Reader.open(tmp_path / "x.cassette") as reader:
        assert [type_ for type_, _, _ in reader.frames()][-2:] == [10, 11]
        assert reader.outcome == {"result": "y" * 600_000}


def test_differences_of_redacted_bodies(path: Path) -> None:
    """Made between what is stored: a history that grows stays small, and its secrets are in none of its versions."""
    key = b"sk-proj-Zk93mQx71LpVb82RtYw05NcEjH46uSdA"
    writer = Writer.create(path, {}, Redactor(bytes(16)))
    writer.lane(0, "m")
    writer.site(0, "agent.py", 7, "step")
    said = [
        b"turn %d of many; " % turn * 50 + (b"my key is %s ok; " % key if turn in (2, 4) else b"") for turn in range(6)
    ]
    bodies = [b"".join(said[: turn + 1]) for turn in range(6)]
    for body in bodies:
        add(writer, body=body, chain="chat")
    writer.flush()
    writer.close()
    raw = path.read_bytes()
    assert key not in raw
    assert len(raw) < 1.5 * len(bodies[-1])
    with Reader.open(path) as reader:
        read = [reader.event(number).body or b"" for number in range(6)]
    assert read[:2] == bodies[:2]
    assert all(len(safe) == len(body) for safe, body in zip(read, bodies, strict=True))
    assert [safe.count(b"my key is ") for safe in read] == [0, 0, 1, 1, 2, 2]
    assert not any(key in safe for safe in read)
    assert [read[-1].startswith(safe) for safe in read] == [True] * 6, "the same stand-in each time"
