"""A damaged cassette gives up everything but what was damaged, and says what that was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.cassette import frame as f
from replay.cassette import opening
from replay.cassette.cassette import load
from replay.cassette.codec import pack
from replay.cassette.continued import Continued
from replay.cassette.layout import Record
from replay.cassette.reader import Reader
from replay.cassette.repairing import repair
from replay.cassette.salvage import Hole, is_lost, mended, salvage
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import CassetteDamaged, CassetteExists
from tests.cassette.recordings import add, begin, record

NOTHING: dict[str, Any] = {}


def salvaged(data: bytes, folder: Path) -> tuple[list[Record], list[Hole]]:
    path = folder / "damaged.cassette"
    path.write_bytes(data)
    source = opening.source(path)
    try:
        found = list(salvage(source))
    finally:
        source.close()
    return [each for each in found if not isinstance(each, Hole)], [each for each in found if isinstance(each, Hole)]


def frames(path: Path) -> list[Record]:
    with Reader.open(path) as reader:
        return [each for each in reader.frames() if each[0] != f.HEADER]


def header_size(data: bytes) -> int:
    return f.parse(data, 0, len(f.PREAMBLE), limit=1).end


@pytest.fixture(scope="module", params=[False, True], ids=["open", "sealed"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Record]]:
    """A recording with differences to earlier bodies, and one of several segments where it is sealed."""
    path = tmp_path_factory.mktemp("whole") / "x.cassette"
    writer = begin(path)
    for number in range(60):
        event = writer.call(0, "http", "POST", "read", number, 0, NOTHING, b"history " * 30 + b"%d" % number, "c", None)
        writer.content(event, b"content %d " % number * 40, bytes([number]) * 32, "contents")
        writer.ret(event, number, 0, {"n": number}, False)
    writer.end({"exit_code": 0})
    writer.flush()
    if request.param:
        writer.seal()
    writer.close()
    return path.read_bytes(), frames(path)


def test_of_a_whole_one_everything(whole: tuple[bytes, list[Record]], tmp_path: Path) -> None:
    data, there = whole
    assert salvaged(data, tmp_path) == (there, [])
    assert list(mended(there)) == there
    out = tmp_path / "copy.cassette"
    done = repair(tmp_path / "damaged.cassette", out)
    assert (done.events, done.lost, done.holes, done.ended) == (60, (), (), True)
    with load(tmp_path / "damaged.cassette") as old, load(out) as new:
        assert list(old.events) == list(new.events)
        assert new.header["repaired"] == {"id": old.id}
        assert new.id != old.id
    assert verify(out).intact


WOUND = st.tuples(
    st.sampled_from(["flip", "cut out", "insert", "zero"]),
    st.integers(0, 1 << 20),
    st.integers(1, 200),
    st.binary(min_size=1, max_size=50),
)
"""What is done, where (modulo what there is), how much of it, and with which bytes."""


@given(wounds=st.lists(WOUND, min_size=1, max_size=3))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_made_up_and_all_before_the_damage_is_there(
    wounds: list[tuple[str, int, int, bytes]], whole: tuple[bytes, list[Record]], tmp_path: Path
) -> None:
    raw, there = whole
    start = header_size(raw)
    damaged = bytearray(raw)
    for what, where, size, more in wounds:
        at = start + where % max(1, len(damaged) - start)
        match what:
            case "flip":
                damaged[at : at + 1] = bytes(each ^ 1 << size % 8 for each in damaged[at : at + 1])
            case "cut out":
                del damaged[at : at + size]
            case "insert":
                damaged[at:at] = more
            case _:
                damaged[at : at + 20] = bytes(len(damaged[at : at + 20]))
    found, _ = salvaged(bytes(damaged), tmp_path)
    rest = iter(there)
    assert all(each in rest for each in found), "something that wasn't recorded, or in another order"
    copy = list(mended(found))
    numbers = [event for type_, event, _ in copy if type_ in (f.CALL, f.EVENT)]
    assert numbers == list(range(len(numbers)))


def test_one_flipped_bit_of_an_open_file_loses_a_frame_or_two(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, list(range(40)))
    raw, there = path.read_bytes(), frames(path)
    for at in range(header_size(raw), len(raw), 7):
        damaged = bytearray(raw)
        damaged[at] ^= 16
        found, holes = salvaged(bytes(damaged), tmp_path)
        assert len(there) - 2 <= len(found) < len(there)
        assert len(holes) == 1
        assert holes[0].offset <= at < holes[0].offset + holes[0].size


def test_a_damaged_segment_leaves_the_others(tmp_path: Path) -> None:
    path, out = tmp_path / "x.cassette", tmp_path / "copy.cassette"
    writer = begin(path)
    for number in range(20_000):
        add(writer, number)
    writer.end({"exit_code": 0})
    writer.seal()
    writer.close()
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    done = repair(path, out)
    assert done.events == 20_000
    assert 0 < len(done.lost) < 5_000
    assert done.lost[-1] - done.lost[0] < 5_000
    with load(out) as copy:
        lost = copy.events[done.lost[0]]
        assert (lost.kind, copy.status, copy.outcome) == ("gap", "sealed", {"exit_code": 0})
        assert "lost" in lost.request["reason"]
        assert [copy.events[n].response for n in (0, done.lost[0] - 1, done.lost[-1] + 1, 19_999)] == [
            0, done.lost[0] - 1, done.lost[-1] + 1, 19_999,
        ]  # fmt: skip
        assert [spot.what for spot in copy.blind_spots] == ["damage"]
    assert verify(out).intact
    assert bytes(raw) == path.read_bytes()


def call(event: int, body: Any = None) -> Record:
    return f.CALL, event, pack([0, "http", "POST", "read", 0, None, NOTHING, body, None])


def ret(event: int) -> Record:
    return f.RETURN, event, pack([0, 0, None, False])


def test_what_was_stored_as_a_difference_to_a_lost_event_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path)
    for number in range(4):
        writer.call(0, "http", "POST", "read", 0, 0, NOTHING, b"history " * 100 + b"%d" % number, "c", None)
    writer.flush()
    writer.close()
    calls = [each for each in frames(path) if each[0] == f.CALL]
    copy = list(mended([*calls[:1], *calls[2:]]))
    assert [is_lost(type_, payload) for type_, _, payload in copy] == [False, True, True, True]


def test_frames_of_lost_events_and_events_that_come_again_are_left_out() -> None:
    whole = (f.EVENT, 4, pack([0, "tool", "t", "read", 0, None, NOTHING, None, None, 1, 0, None]))
    content = (f.CONTENT, 3, pack([b"text"]))
    found: list[Record | Hole] = [
        call(0),
        ret(0),
        call(2),
        Hole(5, 6, "why"),
        ret(1),
        ret(7),
        call(3),
        content,
        call(2),
        whole,
    ]
    copy = list(mended(found))
    assert [(type_, event, is_lost(type_, payload)) for type_, event, payload in copy] == [
        (f.CALL, 0, False), (f.RETURN, 0, False), (f.EVENT, 1, True), (f.CALL, 2, False), (f.CALL, 3, False),
        (f.CONTENT, 3, False), (f.EVENT, 4, False),
    ]  # fmt: skip


def test_a_recording_that_has_no_end_stays_unfinished(tmp_path: Path) -> None:
    path, out = tmp_path / "x.cassette", tmp_path / "copy.cassette"
    record(path, [1, 2, 3])
    path.write_bytes(path.read_bytes()[:-5])
    done = repair(path, out)
    assert (done.events, done.ended, len(done.holes)) == (2, False, 1)
    with load(out) as copy:
        assert (copy.status, copy.damage) == ("open", None)


def test_what_cannot_be_repaired(tmp_path: Path) -> None:
    path, out = tmp_path / "x.cassette", tmp_path / "copy.cassette"
    record(path, [1])
    with pytest.raises(CassetteExists):
        repair(path, path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CassetteDamaged, match="header"):
        repair(path, out)
    assert not out.exists()


def test_an_encrypted_one_stays_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from functools import partial

    from replay.cassette import age, keyring
    from replay.cassette.journal import Journal

    identity = age.write_identity(str(tmp_path / "identity"), "now")
    monkeypatch.setenv(keyring.VARIABLE, str(tmp_path / "identity"))
    path, out = tmp_path / "x.cassette", tmp_path / "copy.cassette"
    to = [identity.recipient]
    writer = Writer.create(path, {"recipients": to}, None, partial(Journal, recipients=to))
    writer.lane(0, "m")
    writer.site(0, "agent.py", 7, "step")
    add(writer, "a word that nobody else may read")
    writer.end({"exit_code": 0})
    writer.seal()
    writer.close()
    assert repair(path, out).lost == ()
    with load(out) as copy:
        assert copy.events[0].response == "a word that nobody else may read"
    assert not out.read_bytes().startswith(f.MAGIC)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Record]]:
    """A sealed recording of several blocks."""
    path = tmp_path_factory.mktemp("blocks") / "x.cassette"
    writer = begin(path)
    for number in range(20_000):
        add(writer, number)
    writer.end({"exit_code": 0})
    writer.seal()
    writer.close()
    return path.read_bytes(), frames(path)


def places(raw: bytes) -> list[tuple[int, int]]:
    """(begin, end) of the BLOCK frames."""
    at = len(f.PREAMBLE)
    found: list[tuple[int, int]] = []
    while at + f.HEAD.size < len(raw) - f.TRAILER.size:
        _, length, type_, _ = f.HEAD.unpack_from(raw, at)
        end = at + f.HEAD.size + length
        if type_ == f.BLOCK:
            found.append((at, end))
        at = end
    return found


@pytest.mark.parametrize("trailer", ["right", "gone"])
@pytest.mark.parametrize("where", ["head", "magic", "middle", "end"])
def test_any_place_of_a_block_costs_that_block_at_most(
    where: str, trailer: str, blocks: tuple[bytes, list[Record]], tmp_path: Path
) -> None:
    raw, there = blocks
    begin_, end = places(raw)[1]
    assert len(places(raw)) > 3
    at = {
        "head": begin_ + 2,
        "magic": raw.index(b"\x28\xb5\x2f\xfd", begin_),
        "middle": (begin_ + end) // 2,
        "end": end - 3,
    }
    damaged = bytearray(raw if trailer == "right" else raw[:-10])
    damaged[at[where]] ^= 0xFF
    found, holes = salvaged(bytes(damaged), tmp_path)
    rest = iter(there)
    assert all(each in rest for each in found)
    assert len(there) / 2 < len(found)
    assert holes or found == there


def test_a_cut_footer_costs_nothing(blocks: tuple[bytes, list[Record]], tmp_path: Path) -> None:
    raw, there = blocks
    found, holes = salvaged(raw[:-10], tmp_path)
    assert (found, holes) == (there, [])


@pytest.mark.parametrize(
    "packed", [b"nothing", zstandard.ZstdCompressor().compress(bytes(64 << 20))], ids=["none", "bomb"]
)
def test_a_block_of_nothing_or_of_too_much_is_given_up(packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1])
    raw, there = path.read_bytes(), frames(path)
    block, _ = f.encode(f.BLOCK, f.NO_EVENT, pack([1000, 1, packed]), f.parse(raw, 0, len(f.PREAMBLE)).crc)
    found, holes = salvaged(raw + block, tmp_path)
    assert found == there
    assert len(holes) == 1


def test_the_beginning_of_a_head_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1])
    found, [hole] = salvaged(path.read_bytes() + bytes([9, 9, 9, 9, 0, 0, 0, 1, f.CALL, 0]), tmp_path)
    assert (found, hole.size) == (frames(path), 10)


def test_a_copy_knows_what_it_has_and_leaves_out_pieces_that_wait(tmp_path: Path) -> None:
    """A piece that waits at the end is as if it hadn't come; one whose value came later stays."""

    def chunk(event: int, status: int, value: Any) -> Record:
        return f.CHUNK, event, pack([0, 1, status, value, False])

    lane = f.LANE, f.NO_EVENT, pack([3, "m/t1"])
    site = f.SITE, f.NO_EVENT, pack([5, "agent.py", 7, "step"])
    gap = f.EVENT, 2, pack([0, "gap", "x", "read", 0, None, {"reason": "y"}, None, None, 0, 0, None])
    came = [chunk(0, 5, None), chunk(0, 6, ["a"])]
    path = tmp_path / "x.cassette"
    writer = Continued.create(path, {})
    assert isinstance(writer, Continued)
    writer.copy([lane, site, call(0), call(1), gap, *came, chunk(1, 0, "b"), chunk(1, 5, None)])
    assert (writer.lanes, writer.sites, writer.events) == ([(3, "m/t1")], [(5, "agent.py", 7, "step")], 3)
    writer.end({})
    writer.seal()
    writer.close()
    with load(path) as copy:
        assert [[piece.value for piece in event.pieces] for event in copy.events] == [["a"], ["b"], []]
        assert [event.id for event in copy.gaps] == [2]


def test_an_outcome_that_came_much_later_is_found_in_the_copy(tmp_path: Path) -> None:
    path, out = tmp_path / "x.cassette", tmp_path / "copy.cassette"
    writer = begin(path)
    slow = writer.call(0, "tool", "slow", "read", 0, None, NOTHING, None, None, None)
    for number in range(10_000):
        add(writer, number)
    writer.ret(slow, 9, 0, "at last", False)
    writer.end({})
    writer.seal()
    writer.close()
    assert repair(path, out).lost == ()
    with load(out) as copy:
        assert copy.events[0].response == "at last"


def test_what_makes_no_sense_is_left_out() -> None:
    wrong = [
        (f.CALL, 0, pack([1])),
        (f.CALL, 0, pack([0, "http", "POST", "read", 0, None, NOTHING, None, None]) + b"x"),
        (f.LANE, f.NO_EVENT, pack(["m", 0])),
        (f.BLIND, f.NO_EVENT, pack(["what"])),
        (f.CALL, 1 << 30, pack([0, "http", "POST", "read", 0, None, NOTHING, None, None])),
    ]
    assert list(mended(wrong)) == []
    assert [each[1] for each in mended([*wrong, call(0)])] == [0]


def test_bytes_that_look_like_heads_do_not_hold_it_up(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    record(path, [1])
    raw = path.read_bytes()
    head = (0).to_bytes(4, "big") + (40_000).to_bytes(4, "big") + bytes([f.CALL]) + (0).to_bytes(4, "big")
    found, holes = salvaged(raw + head * 20_000, tmp_path)
    assert found == frames(path)
    assert len(holes) == 1
