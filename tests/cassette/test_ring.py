"""The flight recorder: what is left is whole, numbered from 0, and bounded on the disk."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.directory import ring_of
from replay.cassette.reader import Reader
from replay.cassette.ring import PARTS, SMALLEST, Ring
from replay.cassette.verify import verify
from replay.model.errors import CassetteExists, NotStorable
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
        body = (body + chance.randbytes(40))[-4000:]
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
    for number in range(3000):
        add(writer, number)
        if number % 100 == 0:
            writer.chunk(stream, 0, number, 0, f"piece {number}", False)
    writer.chunk(stream, 0, 9, 3, None, False)
    writer.ret(late, 9, 0, "done", False)
    writer.save("asked")
    with saved(tmp_path / "x.cassette") as reader:
        found = {event.name: event for event in (reader.event(number) for number in range(len(reader)))}
        assert found["late"].request == [("tuple", 1), {3: 4}]
        assert (found["late"].response, found["late"].meta["ring"]) == ("done", late)
        assert (found["s"].request, found["s"].body) == ({"url": "u"}, b"y" * 600)
        pieces = [piece.value for piece in found["s"].pieces]
        assert pieces[-2] == "piece 2900"
        assert "first" not in pieces
        assert sum(event.name == "s" for event in map(reader.event, range(len(reader)))) == 1
    with pytest.raises(NotStorable):
        writer.ret(late, 10, 0, "twice", False)
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
