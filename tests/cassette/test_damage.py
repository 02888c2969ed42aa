"""Whatever happens to the bytes: everything before it is readable, and no error is outside the family."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from hashlib import sha512
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.cassette import frame as f
from replay.cassette._msgpack import plain
from replay.cassette.cassette import load
from replay.cassette.codec import pack
from replay.cassette.reader import Reader
from replay.cassette.verify import verify
from replay.model.errors import (
    CassetteDamaged,
    CassetteEmpty,
    CassetteForeign,
    CassetteMissing,
    CassetteNewer,
    CassetteUnreadable,
    ReplayError,
)
from tests.cassette.recordings import begin, record, responses

VALUES: list[Any] = [1, "two", (3,), {"four": [5]}, None, b"six"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "x.cassette"
    record(path, VALUES)
    return path.read_bytes()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sealed") / "x.cassette"
    record(path, VALUES, seal=True)
    return path.read_bytes()


def ends_of(whole: bytes) -> list[int]:
    """Where the last frame of each event ends."""
    frames = f.parse(whole, 0, len(f.PREAMBLE)).frames
    ends = {event: end for type_, event, _, end in frames if type_ in (f.CALL, f.EVENT, f.RETURN)}
    return list(ends.values())


def test_cut_at_every_byte(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    ends = ends_of(whole)
    header_end = f.parse(whole, 0, len(f.PREAMBLE), limit=1).end
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        if cut < header_end:
            with pytest.raises(CassetteEmpty if cut == 0 else CassetteDamaged):
                Reader.open(path)
            continue
        with load(path) as cassette:
            complete = sum(end <= cut for end in ends)
            assert [event.response for event in cassette.events[:complete]] == VALUES[:complete]
            assert len(cassette.events) <= complete + 1
            assert {event.status for event in cassette.events[complete:]} <= {"open"}
            border = f.parse(whole[:cut], 0, len(f.PREAMBLE)).end
            assert cassette.status == ("open" if border == cut else "torn")
            assert (cassette.damage is None) == (border == cut)
            if cassette.damage:
                assert (cassette.damage.offset, cassette.damage.good_events) == (border, len(cassette.events))
        assert verify(path).intact == (border == cut)


@pytest.mark.parametrize("state", ["whole", "sealed"])
def test_any_flipped_bit_is_detected(state: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    data: bytes = request.getfixturevalue(state)
    path = tmp_path / "x.cassette"
    ends = ends_of(data) if state == "whole" else []
    for bit in range(8 * len(data)):
        if bit % 8 != bit // 8 % 8 and state == "sealed":
            continue  # one bit of each byte will do
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        before = sum(end <= bit // 8 for end in ends)
        try:
            assert not verify(path).intact
            assert responses(path)[:before] == VALUES[:before]
        except (CassetteDamaged, CassetteForeign, CassetteNewer):
            assert before == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_any_altered_bytes_stay_in_the_family(whole: bytes, sealed: bytes, tmp_path: Path, draw: st.DataObject) -> None:
    data = bytearray(draw.draw(st.sampled_from([whole, sealed])))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data)))
        data[at : at + draw.draw(st.integers(0, 5))] = draw.draw(st.binary(max_size=5))
    path = tmp_path / "x.cassette"
    path.write_bytes(data)
    try:
        verify(path)
        with load(path) as cassette:
            list(cassette.events)
            assert (cassette.blind_spots, cassette.gaps) == ([], [])
            assert cassette.outcome in (None, {"exit_code": 0})
    except ReplayError:
        pass


def forged(payloads: list[tuple[int, int, bytes]], path: Path) -> Path:
    """A cassette whose checksums are right, whatever its frames say."""
    data, seed = f.PREAMBLE, 0
    for type_, event, payload in [(f.HEADER, f.NO_EVENT, pack({"format": 1})), *payloads]:
        one, seed = f.encode(type_, event, payload, seed)
        data += one
    path.write_bytes(data)
    return path


EVENT = pack([0, "tool", "t", "read", 1, None, None, None, None, 1, 0, "fine"])


@pytest.mark.parametrize(
    ("type_", "event", "payload", "reason"),
    [
        (f.EVENT, 7, EVENT, "event 7 where 1 is due"),
        (f.CALL, 0, EVENT, "event 0 where 1 is due"),
        (f.RETURN, 1, EVENT, "which didn't begin"),
        (f.CHUNK, 9, EVENT, "which didn't begin"),
        (f.LANE, f.NO_EVENT, pack([0]), "LANE"),
        (f.LANE, f.NO_EVENT, pack(["m", 0]), "LANE"),
        (f.SITE, f.NO_EVENT, pack([0, 0, 0, 0]), "SITE"),
        (f.BLIND, f.NO_EVENT, pack([0, 0, 0, 0]), "BLIND"),
        (f.BLIND, f.NO_EVENT, pack(["a", "b", "c", 0]), "no site"),
        (f.BLIND, f.NO_EVENT, b"\xc1", "BLIND"),
        (f.BLOCK, f.NO_EVENT, pack(None), "BLOCK"),
        (f.BLOCK, f.NO_EVENT, pack([1 << 40, 0, b""]), "lengths"),
        (f.BLOCK, f.NO_EVENT, pack([3, 0, b"junk"]), "BLOCK"),
        (f.BLOCK, f.NO_EVENT, pack([3, 0, bytes.fromhex("28b52ffd2003190000414243")]), "whole frames"),
        (f.BLOCK, f.NO_EVENT, pack([3, 0, bytes.fromhex("28b52ffd20032900004142")]), "unpacked"),
    ],
    ids=str,
)
def test_frames_that_make_no_sense_are_damage(
    type_: int, event: int, payload: bytes, reason: str, tmp_path: Path
) -> None:
    path = forged([(f.EVENT, 0, EVENT), (type_, event, payload)], tmp_path / "x.cassette")
    with load(path) as cassette:
        assert cassette.status == "torn"
        assert cassette.damage is not None
        assert reason in cassette.damage.reason
        assert [one.response for one in cassette.events] == ["fine"]
    assert not verify(path).intact


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        (f.EVENT, pack(7)),
        (f.EVENT, pack([7])),
        (f.EVENT, b"\xc1"),
        (f.EVENT, pack(["lane", "tool", "t", "read", 1, None, None, None, None, 1, 0, 0])),
        (f.EVENT, pack([0, "tool", "t", "read", 1, "site", None, None, None, 1, 0, 0])),
        (f.EVENT, pack([0, "tool", "t", "read", 1, None, None, "body", None, 1, 0, 0])),
        (f.EVENT, pack([0, "tool", "t", "read", 1, None, None, None, "meta", 1, 0, 0])),
        (f.EVENT, pack([0, "tool", "t", "read", 1, None, None, None, None, None, 0, 0])),
        (f.CALL, pack([0, "tool", "t", "read", 1, None, None, None])),
    ],
    ids=str,
)
def test_events_that_make_no_sense_are_damaged(type_: int, payload: bytes, tmp_path: Path) -> None:
    path = forged([(type_, 0, payload)], tmp_path / "x.cassette")
    with Reader.open(path) as reader, pytest.raises(CassetteDamaged):
        reader.event(0)


@pytest.mark.parametrize(
    ("type_", "payload"),
    [(f.RETURN, pack(["at", 0, 0, False])), (f.CHUNK, pack([0, "at", 0, 0, False])), (f.RETURN, pack([]))],
    ids=str,
)
def test_outcomes_that_make_no_sense_are_damaged(type_: int, payload: bytes, tmp_path: Path) -> None:
    path = forged([(f.EVENT, 0, EVENT), (type_, 0, payload)], tmp_path / "x.cassette")
    with Reader.open(path) as reader, pytest.raises(CassetteDamaged):
        reader.event(0)


def with_body(body: object) -> bytes:
    packed = pack([0, "tool", "t", "read", 1, None, None, None, None, 1, 0, 0])
    stored = plain(body) if isinstance(body, bytes) else b"\xc7" + bytes([len(plain(body))]) + b"\x20" + plain(body)
    head = len(pack([0, "tool", "t", "read", 1, None, None])) - 1
    return b"\x9c" + packed[1 : 1 + head] + stored + packed[2 + head :]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([1, 0, 0, b""], "event 1 is a difference to event 1"),
        ([5, 0, 0, b""], "event 1 is a difference to event 5"),
        ([-1, 0, 0, b""], "event 1 is a difference to event -1"),
        ([0, 3, 2, b""], "beyond its base"),
    ],
    ids=str,
)
def test_bodies_that_make_no_sense_are_damaged(body: list[Any], reason: str, tmp_path: Path) -> None:
    path = forged([(f.EVENT, 0, with_body(b"base")), (f.EVENT, 1, with_body(body))], tmp_path / "x.cassette")
    with Reader.open(path) as reader:
        assert reader.event(0).body == b"base"
        with pytest.raises(CassetteDamaged, match=reason):
            reader.event(1)


def test_a_difference_to_no_body_is_damaged(tmp_path: Path) -> None:
    path = forged([(f.EVENT, 0, EVENT), (f.EVENT, 1, with_body([0, 0, 0, b""]))], tmp_path / "x.cassette")
    with Reader.open(path) as reader, pytest.raises(CassetteDamaged, match="no body"):
        reader.event(1)


def test_an_end_that_is_no_map(tmp_path: Path) -> None:
    path = forged([(f.END, f.NO_EVENT, pack(3))], tmp_path / "x.cassette")
    with load(path) as cassette, pytest.raises(CassetteDamaged, match="END"):
        print(cassette.outcome)


def test_frames_of_a_later_version_are_skipped(tmp_path: Path) -> None:
    path = forged([(0, f.NO_EVENT, b"?"), (f.EVENT, 0, EVENT), (99, 7, b"?")], tmp_path / "x.cassette")
    assert responses(path) == ["fine"]
    assert verify(path).intact


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", CassetteEmpty),
        (b"\x89RPL", CassetteDamaged),
        (b"{}", CassetteForeign),
        (b"\x89PNG\r\n\x1a\n", CassetteForeign),
        (f.MAGIC + b"\0\0", CassetteForeign),
        (f.MAGIC + b"\0\2" + b"later", CassetteNewer),
        (f.PREAMBLE, CassetteDamaged),
        (f.PREAMBLE + f.encode(f.EVENT, 0, EVENT, 0)[0], CassetteDamaged),
        (f.PREAMBLE + f.encode(f.HEADER, f.NO_EVENT, pack([]), 0)[0], CassetteDamaged),
        (f.PREAMBLE + f.encode(f.HEADER, f.NO_EVENT, b"\xc1", 0)[0], CassetteDamaged),
    ],
    ids=repr,
)
def test_files_that_cannot_be_opened(data: bytes, error: type[ReplayError], tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    path.write_bytes(data)
    for read in (load, verify):
        with pytest.raises(error):
            read(path)
    assert path.read_bytes() == data


def test_things_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissing):
        load(tmp_path / "none.cassette")
    with pytest.raises(CassetteUnreadable):
        load(tmp_path)
    with pytest.raises(CassetteUnreadable):
        load("\0")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CassetteUnreadable, match="regular"):
        load(tmp_path / "pipe")


def test_a_long_header(tmp_path: Path) -> None:
    begin(tmp_path / "x.cassette", argv=["x" * 10_000]).close()
    with load(tmp_path / "x.cassette") as cassette:
        assert cassette.header["argv"] == ["x" * 10_000]


LOOP = """
import sys
from tests.cassette.recordings import add, begin
writer = begin(sys.argv[1])
number = 0
while True:
    add(writer, "x" * (number * 37 % 3000), body=b"h" * number, chain="c")
    writer.flush()
    number += 1
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 50, 700])
def test_kill_9_loses_nothing_that_was_flushed(after: int, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    command = [sys.executable, "-c", LOOP, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}) as child:
        assert child.stdout is not None
        seen = 0
        while seen < after:
            seen = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().split(b"\n")
        seen = max([seen, *(int(line) for line in rest[:-1])])
    with Reader.open(path) as reader:
        assert reader.status in ("open", "torn")
        assert seen <= len(reader) <= seen + 1
        for number in range(seen):
            event = reader.event(number)
            assert (event.response, event.body) == ("x" * (number * 37 % 3000), b"h" * number)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[str]]:
    """One BLOCK of some 200 KB of text that doesn't pack well."""
    path = tmp_path_factory.mktemp("long") / "x.cassette"
    values = [sha512(b"%d" % number).hexdigest() * 3 for number in range(500)]
    record(path, values, seal=True)
    return path.read_bytes(), values


@pytest.mark.parametrize("footer", [True, False])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), bit=st.integers(0, 7))
def test_what_stands_before_a_flipped_bit_is_readable(
    footer: bool, share: float, bit: int, long: tuple[bytes, list[str]], tmp_path: Path
) -> None:
    data, values = bytearray(long[0]), long[1]
    block = f.parse(long[0], 0, len(f.PREAMBLE), limit=1).end
    size = f.whole_size(long[0], block)
    assert (data[block + 8], size > len(data) * 0.9) == (f.BLOCK, True)
    start, end = block + 64, block + size
    data[min(start + int(share * (end - start)), end - 1)] ^= 1 << bit
    path = tmp_path / "x.cassette"
    path.write_bytes(data if footer else data[:-1])
    found: list[object] = []
    with load(path) as cassette, suppress(CassetteDamaged):
        for event in cassette.events:
            if event.status == "done":
                found.append(event.response)  # noqa: PERF401 - up to the damage
    assert found == values[: len(found)]
    lost = 16 * 1024 / (len(long[0]) / len(values)) * 2
    assert len(found) >= share * len(values) - lost
    assert not verify(path).intact
