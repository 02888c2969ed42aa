"""The flight recorder: what is left is whole, numbered from 0, and bounded on the disk."""

from __future__ import annotations

import gzip
import os
import random
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from replay.cassette import frame as f
from replay.cassette import merging
from replay.cassette.directory import ring_of
from replay.cassette.locks import hold
from replay.cassette.reader import Reader
from replay.cassette.redact import Redactor
from replay.cassette.ring import PARTS, SMALLEST, Ring
from replay.cassette.verify import verify
from replay.model.errors import CassetteDamaged, CassetteExists, CassetteMissing, NotStorable
from replay.model.event import Site

LIMIT = PARTS * SMALLEST


class Holder:
    """Of a lane that may be used."""

    def __init__(self, path: str) -> None:
        self.path = path


MAIN = Holder("m")


def ring(path: Path, limit: int = LIMIT) -> Ring:
    made = Ring(str(path), {"program": "demo"}, limit)
    made.lane(0, "m", MAIN)
    made.site(0, "agent.py", 7, "main")
    return made


def add(writer: Ring, number: int, body: bytes | None = None, chain: object = None) -> int:
    text = f"{number} " + "x" * 500
    event = writer.event(0, "tool", "t", "read", number, 0, {"n": number}, body, chain, None, 0, 0, text)
    writer.flush()
    return event


def saved(path: Path) -> Reader:
    assert verify(path).intact, verify(path)
    return Reader.open(path)


def test_a_ring_that_did_not_go_round_is_the_whole_recording(tmp_path: Path) -> None:
    writer = ring(tmp_path / "x.cassette")
    assert [add(writer, number) for number in range(300)] == list(range(300))
    assert len(list(Path(ring_of(writer.path)).iterdir())) > 1
    writer.end({"exception": None})
    writer.seal()
    assert [path.name for path in tmp_path.iterdir()] == ["x.cassette"]
    with saved(tmp_path / "x.cassette") as reader:
        assert reader.status == "sealed"
        assert (reader.header["id"], reader.header["ring"]["whole"]) == (writer.header["id"], True)
        assert [reader.event(number).request for number in range(len(reader))] == [{"n": n} for n in range(300)]
        assert {reader.event(number).site for number in range(300)} == {Site("agent.py", 7, "main")}
        assert reader.lanes == {0: "m"}


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_compressed_stream_that_goes_on_in_another_part_is_named(encoding: str, tmp_path: Path) -> None:
    writer = Ring(str(tmp_path / "x.cassette"), {}, 4 * LIMIT, Redactor(bytes(16)))
    writer.lane(0, "m", MAIN)
    stream = writer.call(0, "http", "GET /", "read", 0, None, {}, None, None, None)
    writer.ret(stream, 1, 2, {"status": 200, "headers": [["Content-Encoding", encoding]]}, True)
    writer.chunk(stream, 0, 2, 0, gzip.compress(b"the beginning")[:12], True)
    parts = len(list(Path(ring_of(writer.path)).iterdir()))
    while len(list(Path(ring_of(writer.path)).iterdir())) == parts:
        add(writer, 1)
    writer.end({})
    writer.seal()
    with Reader.open(tmp_path / "x.cassette") as reader:
        said = [spot.detail for spot in reader.blind_spots if spot.what == "redaction"]
    assert [detail.partition(" that")[0] for detail in said] == (["a compressed body"] if encoding == "gzip" else [])


def test_a_ring_keeps_the_newest_and_stays_small(tmp_path: Path) -> None:
    writer = ring(tmp_path / "x.cassette")
    for number in range(5000):
        add(writer, number)
        if number % 100 == 0:
            assert sum(part.stat().st_size for part in Path(writer.folder).iterdir()) <= LIMIT + 2000
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        assert reader.status == "open"
        kept = [reader.event(number) for number in range(len(reader))]
        assert reader.header["ring"] == {"dropped": 5000 - len(kept), "whole": False, "reason": "asked"}
        assert [event.request["n"] for event in kept] == list(range(5000 - len(kept), 5000))
        assert len(kept) * 550 > LIMIT * 3 // 4
        assert all(event.site is not None and event.lane == "m" for event in kept)
    add(writer, 5000)
    writer.save("again")
    with saved(tmp_path / "x-2.cassette") as reader:
        assert reader.event(-1).request == {"n": 5000}
        assert reader.header["id"] != writer.header["id"]
    writer.discard()
    assert not Path(writer.folder).exists()


def test_bodies_are_whole_whatever_was_lost(tmp_path: Path) -> None:
    """Each is a difference to the one before it."""
    writer = ring(tmp_path / "x.cassette")
    body = b""
    bodies: list[bytes] = []
    chance = random.Random(3)
    for number in range(3000):
        body = body + chance.randbytes(40) if len(body) < 8000 else b""
        bodies.append(body)
        add(writer, number, body, "chain")
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        dropped = reader.header["ring"]["dropped"]
        assert dropped
        for number in range(len(reader)):
            assert reader.event(number).body == bodies[dropped + number]
    writer.discard()


def test_events_that_last_are_carried(tmp_path: Path) -> None:
    """A stream that was opened long ago, a call that returns late."""
    writer = ring(tmp_path / "x.cassette")
    stream = writer.event(0, "http", "s", "read", 0, 0, {"url": "u"}, b"y" * 600, "c", {"k": 1}, 0, 2, "head")
    late = writer.call(0, "tool", "late", "write", 0, 0, [("tuple", 1), {3: 4}], None, None, None)
    writer.chunk(stream, 0, 1, 0, "first", False)
    opened = writer.call(0, "http", "opened", "read", 0, 0, {"url": "v"}, None, None, None)
    writer.ret(opened, 1, 2, "head", True)
    for number in range(3000):
        add(writer, number)
        if number % 100 == 0:
            writer.chunk(stream, 0, number, 0, f"piece {number}", False)
    writer.chunk(stream, 0, 9, 3, None, False)
    writer.chunk(opened, 0, 9, 0, "last piece", False)
    writer.ret(late, 9, 0, "done", False)
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        found = {event.name: event for event in (reader.event(number) for number in range(len(reader)))}
        assert found["late"].request == [("tuple", 1), {3: 4}]
        assert (found["late"].response, found["late"].meta["ring"]) == ("done", late)
        assert (found["s"].request, found["s"].body) == ({"url": "u"}, b"y" * 600)
        assert [piece.value for piece in found["opened"].pieces] == ["last piece"]
        pieces = [piece.value for piece in found["s"].pieces]
        assert pieces[-2] == "piece 2900"
        assert "first" not in pieces
        assert sum(event.name == "s" for event in map(reader.event, range(len(reader)))) == 1
    with pytest.raises(NotStorable):
        writer.ret(late, 10, 0, "twice", False)
    writer.discard()


def test_a_ring_is_used_like_a_writer(tmp_path: Path) -> None:
    writer = ring(tmp_path / "x.cassette")
    heard: list[OSError] = []
    turned: list[int] = []
    writer.on_failure, writer.on_turn = heard.append, lambda: turned.append(writer.events)
    assert (writer.on_failure, writer.broken, writer.events) == (heard.append, False, 0)
    writer.site(1, "other.py", 9, "look")
    content = b"what was in a file, " * 100
    first = writer.event(0, "file", "w", "write", 0, None, {"path": "a"}, content, None, None, 0, 0, None)
    writer.remember(sha256(content).digest(), first, len(content))
    before = writer.size
    large = writer.event(0, "file", "w", "write", 0, None, {"path": "b"}, content * 1000, "b", None, 0, 0, None)
    writer.save("at once")
    with saved(tmp_path / "x.cassette") as reader:
        assert reader.event(large).body == content * 1000
    (tmp_path / "x.cassette").unlink()
    for number in range(2000):
        late = writer.call(0, "file", "a", "read", number, 1, {"path": "a"}, None, None, None)
        writer.content(late, content, sha256(content).digest(), "a")
        writer.ret(late, number, 0, number, False)
        writer.track([1, 2, number])
        writer.blind("what", f"detail {number}", 1, 1)
        writer.flush()
    writer.remember(b"of an event that is gone", first, 9999)
    assert writer.size - before > 2000 * 100
    assert turned
    assert writer.settle()
    writer.end({"exception": None})
    writer.seal()
    assert heard == []
    with saved(tmp_path / "x.cassette") as reader:
        assert reader.event(-1).site == Site("other.py", 9, "look")
        assert {e.content or e.body for e in map(reader.event, range(len(reader)))} == {content}


def test_what_goes_on_is_without_its_secrets_in_every_part(tmp_path: Path) -> None:
    secret = b"sk-" + b"Ab1" * 14
    writer = Ring(str(tmp_path / "x.cassette"), {}, LIMIT, Redactor(bytes(16)))
    writer.lane(0, "m", MAIN)
    late = writer.call(0, "http", "late", "write", 0, None, {}, b"x" * 300 + b" " + secret, None, None)
    quiet = writer.call(0, "http", "quiet", "write", 0, None, {}, None, None, None)
    for number in range(3000):
        add(writer, number)
    writer.ret(late, 9, 0, None, False)
    writer.ret(quiet, 9, 0, None, False)
    writer.flush()
    assert not any(secret in part.read_bytes() for part in Path(writer.folder).glob("*.part"))
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        found = next(event for event in map(reader.event, range(len(reader))) if event.name == "late")
        assert len(found.body or b"") == 301 + len(secret)
    writer.discard()


def test_a_lane_that_is_gone(tmp_path: Path) -> None:
    """What its last call brings comes later than everything that knew its name."""
    writer = ring(tmp_path / "x.cassette")
    writer.lane(1, "m/t1")
    late = writer.call(1, "tool", "late", "write", 0, None, None, None, None, None)
    for number in range(3000):
        add(writer, number)
    writer.ret(late, 9, 0, "done", False)
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        assert [reader.event(n).lane for n in range(len(reader)) if reader.event(n).name == "late"] == ["?"]
    writer.discard()


def test_saving_that_fails_is_said(tmp_path: Path) -> None:
    writer = ring(tmp_path / "x.cassette")
    add(writer, 0)
    writer.path = str(tmp_path / "not there" / "x.cassette")
    writer.asked = "signal"
    with pytest.raises(OSError, match="No such file"):
        writer.flush()
    heard: list[OSError] = []
    writer.on_failure, writer.asked = heard.append, "signal"
    writer.flush()
    assert "the flight recorder wasn't saved" in str(heard[0])
    writer.path, writer.asked = str(tmp_path / "x.cassette"), "signal"
    writer.flush()
    assert saved(tmp_path / "x.cassette").header["ring"]["reason"] == "signal"
    writer.discard()


def test_a_header_that_cant_be_stored(tmp_path: Path) -> None:
    with pytest.raises(NotStorable):
        Ring(str(tmp_path / "x.cassette"), {"program": object()}, LIMIT)
    (tmp_path / "y.ring").write_text("")
    with pytest.raises(CassetteExists):
        Ring(str(tmp_path / "y.cassette"), {}, LIMIT)
    assert os.listdir(tmp_path) == ["y.ring"]


def test_a_part_that_cant_begin_leaves_the_last_one_growing(tmp_path: Path) -> None:
    writer = ring(tmp_path / "x.cassette")
    stone = Path(writer.folder) / "000001.part"
    stone.write_text("")
    for number in range(400):
        add(writer, number)
    assert sorted(os.listdir(writer.folder)) == ["000000.part", "000001.part", "lock"]
    stone.unlink()
    for number in range(400, 3000):
        add(writer, number)
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        kept = [reader.event(number).request["n"] for number in range(len(reader))]
        assert kept == list(range(kept[0], 3000))
    writer.discard()


def test_parts_that_somebody_removes(tmp_path: Path) -> None:
    writer = ring(tmp_path / "x.cassette")
    for number in range(400):
        add(writer, number)
    Path(writer.folder, "000000.part").unlink()
    Path(writer.folder, "000002.part").unlink()
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        kept = [reader.event(number).request["n"] for number in range(len(reader))]
        assert (kept, reader.header["ring"]["whole"]) == (list(range(kept[0], 400)), False)
    for number in range(400, 3000):
        add(writer, number)
    assert len(os.listdir(writer.folder)) <= PARTS + 1
    writer.discard()


def test_a_full_disk(tmp_path: Path) -> None:
    """The part grows in memory until there is room; then the ring goes round again."""
    writer = ring(tmp_path / "x.cassette")
    heard: list[OSError] = []
    writer.on_failure = heard.append
    full = os.open("/dev/full", os.O_WRONLY)
    disk: Any = writer._writer._disk  # pyright: ignore[reportPrivateUsage]
    real, disk.put = disk.put, partial(os.write, full)
    for number in range(400):
        add(writer, number)
    assert heard
    disk.put = real
    for number in range(400, 500):
        add(writer, number)
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        assert [reader.event(number).request["n"] for number in range(len(reader))] == list(range(500))
    assert len(os.listdir(writer.folder)) > 2
    disk = writer._writer._disk  # pyright: ignore[reportPrivateUsage]
    disk.put = partial(os.write, full)
    writer.blind("what", "detail", None, 1)
    assert not writer.settle()
    assert writer.broken
    os.close(full)
    writer.discard()
    writer.close()


def test_rings_of_killed_processes_are_saved(tmp_path: Path) -> None:
    killed, alive, empty = (ring(tmp_path / f"{name}.cassette") for name in ("killed", "alive", "empty"))
    for number in range(3000):
        add(killed, number)
        add(alive, number)
    killed.end({"exception": None})
    killed.close()
    with Path(max(Path(alive.folder).glob("*.part"))).open("ab") as file:
        file.write(b"torn")
    empty.close()
    for part in Path(empty.folder).glob("*.part"):
        part.unlink()
    assert merging.outcome(killed.folder) == {"exception": None}
    assert merging.recover(tmp_path) == [str(tmp_path / "killed.cassette")]
    assert sorted(os.listdir(tmp_path)) == ["alive.ring", "empty.ring", "killed.cassette"]
    with saved(tmp_path / "killed.cassette") as reader:
        assert (reader.status, reader.header["ring"]["reason"]) == ("sealed", "its process was killed")
    with pytest.raises(BlockingIOError):
        hold(alive.folder, wait=False)
    alive.close()
    assert merging.recover(tmp_path) == [str(tmp_path / "alive.cassette")]
    with pytest.raises(CassetteMissing):
        merging.merge(empty.folder, str(tmp_path / "empty.cassette"), "asked")


def test_saving_leaves_nothing_of_an_attempt_that_failed(tmp_path: Path) -> None:
    """A part with a frame whose sum is right, and whose content is none."""
    writer = ring(tmp_path / "x.cassette")
    for number in range(400):
        add(writer, number)
    writer.close()
    part = min(Path(writer.folder).glob("*.part"))
    data = part.read_bytes()[len(f.PREAMBLE) :]
    frames = f.parse(data, 0).frames
    crc = int.from_bytes(data[frames[-1][2] - 13 : frames[-1][2] - 9], "big")
    count = sum(frame[0] == f.EVENT for frame in frames)
    with part.open("ab") as file:
        file.write(f.encode(f.EVENT, count, b"\x90", crc)[0])
    with pytest.raises(CassetteDamaged):
        writer.save("asked")
    assert sorted(os.listdir(tmp_path)) == ["x.ring"]
    for each in Path(writer.folder).glob("*.part"):
        each.write_bytes(b"")
    assert merging.recover(tmp_path) == []
    assert sorted(os.listdir(tmp_path)) == ["x.ring"]


@pytest.mark.parametrize("damage", [b"", b"cut", b"altered"])
def test_a_part_that_is_damaged_is_the_end_of_what_was_before(damage: bytes, tmp_path: Path) -> None:
    """What comes behind it would look as if nothing had been between."""
    writer = ring(tmp_path / "x.cassette")
    for number in range(800):
        add(writer, number)
    part = Path(writer.folder, "000002.part")
    whole = part.read_bytes()
    part.write_bytes({b"": b"", b"cut": whole[:-1], b"altered": whole[:-9] + b"?" + whole[-8:]}[damage])
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        kept = [reader.event(number).request["n"] for number in range(len(reader))]
        assert (kept, reader.header["ring"]["dropped"]) == (list(range(kept[0], 800)), kept[0])
        assert kept[0] > 200
    writer.discard()


def test_a_ring_that_was_left_is_not_overwritten(tmp_path: Path) -> None:
    writer = ring(tmp_path / "x.cassette")
    with pytest.raises(CassetteExists):
        ring(tmp_path / "x.cassette")
    writer.close()


def test_lanes_that_ended_are_forgotten(tmp_path: Path) -> None:
    main = Holder("m")
    writer = Ring(str(tmp_path / "x.cassette"), {}, LIMIT)
    writer.lane(0, "m", main)
    for number in range(1, 4000):
        holder: Any = Holder(f"m/t{number}")
        writer.lane(number, f"m/t{number}", holder)
        writer.event(number, "tool", "t", "read", 0, None, "x" * 300, None, None, None, 0, 0, None)
        writer.flush()
    writer.event(0, "tool", "t", "read", 0, None, None, None, None, None, 0, 0, None)
    writer.flush()
    assert len(writer._fresh) < 500  # pyright: ignore[reportPrivateUsage]
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        assert len(reader.lanes) < 2500
        for number in range(len(reader) - 1):
            assert reader.event(number).lane == f"m/t{4001 - len(reader) + number}"
        assert reader.event(-1).lane == "m"
    writer.discard()
