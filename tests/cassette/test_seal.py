"""Sealing: the same frames in fewer bytes, in one step, and any event readable at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from replay.cassette import frame as f
from replay.cassette import layout, sealing, writer
from replay.cassette.cassette import Cassette, load
from replay.cassette.footer import Footer, Segment, Stored, trailer
from replay.cassette.reader import Reader
from replay.cassette.source import FileSource
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import CassetteDamaged, CassetteMissing
from tests.cassette.recordings import add, begin


@pytest.fixture(params=["packed", "footer only", "raw segments"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "footer only":
        monkeypatch.setattr(sealing, "PACK_UP_TO", 1)
    elif request.param == "raw segments":
        monkeypatch.setattr(sealing, "BLOCK_UP_TO", 1)
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 2000)
    return str(request.param)


def interleaved(path: Path) -> Writer:
    """Calls whose outcomes and chunks come many segments later."""
    writer = begin(path)
    waiting: list[int] = []
    for number in range(200):
        waiting.append(
            writer.call(0, "http", "get", "read", number, 0, [number], b"h" * 300 + b"%d" % number, "c", None)
        )
        add(writer, number)
        if number % 7 == 0:
            writer.track([number])
            add(writer, "lost", kind="gap")
        if len(waiting) > 30:
            for event in waiting[:2]:
                writer.chunk(event, 0, number, 0, f"piece {event}", False)
            writer.ret(waiting.pop(0), number, 2, "head", True)
        writer.flush()
    writer.blind("random", "numpy", None, 3)
    return writer


def everything(path: Path) -> tuple[Any, ...]:
    with load(path) as cassette:
        return (
            list(cassette.events), list(cassette.reader.frames()), list(cassette.reader.track), cassette.gaps,
            cassette.blind_spots, cassette.lanes, cassette.header,
        )  # fmt: skip


def test_sealing_changes_nothing_that_is_read(way: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = interleaved(path)
    writer.end({"exit_code": 3})
    before = everything(path)
    size = path.stat().st_size
    assert verify(path).chains > 3
    writer.seal()
    assert everything(path) == before
    with load(path) as cassette:
        assert (cassette.status, cassette.outcome) == ("sealed", {"exit_code": 3})
        assert [cassette.events[-n - 1] for n in range(100)] == before[0][:-101:-1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["x.cassette"]
    report = verify(path)
    assert (report.intact, report.events, report.status) == (True, len(before[0]), "sealed")
    assert (path.stat().st_size < size * 0.7) == (way == "packed")  # digests of tiny events are as large as they are
    writer.close()


def test_a_sealed_file_without_its_footer_is_scanned(way: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    writer = interleaved(path)
    writer.seal()
    writer.close()
    before = everything(path)
    data = path.read_bytes()
    for cut in (1, 24, 25, 60):
        path.write_bytes(data[:-cut])
        assert everything(path) == before
        with load(path) as cassette:
            assert cassette.status == "torn"
            assert cassette.outcome == {}
        report = verify(path)
        assert (report.intact, report.problem) == (False, "truncated" if cut > 24 else "footer"), way
    index_at = int.from_bytes(data[-24:-16], "big")
    path.write_bytes(data[:index_at])
    with load(path) as cassette:
        assert cassette.status == "open"


def test_damage_inside_a_block_costs_only_that_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 2000)
    path = tmp_path / "x.cassette"
    recording = begin(path)
    for number in range(300):
        add(recording, number)
    recording.seal()
    recording.close()
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)
    with Reader.open(path) as reader:
        found = [attempt(reader, number) for number in range(300)]
        with pytest.raises(CassetteDamaged):
            list(reader.frames())
    lost = [number for number, response in enumerate(found) if response != number]
    assert 0 < len(lost) < 100
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert {found[number] for number in lost} == {("damaged", lost[0])}


def attempt(reader: Reader, number: int) -> object:
    """The response of an event, or how many events the error says are good."""
    try:
        return reader.event(number).response
    except CassetteDamaged as error:
        return "damaged", error.good_events


def test_sealing_without_an_end_adds_one(tmp_path: Path) -> None:
    recording = begin(tmp_path / "x.cassette")
    add(recording, 1)
    recording.seal()
    recording.close()
    with load(tmp_path / "x.cassette") as cassette:
        assert cassette.outcome == {}


def test_end_counts_once(tmp_path: Path) -> None:
    recording = begin(tmp_path / "x.cassette")
    recording.end({"exit_code": 1})
    recording.end({"exit_code": 2})
    recording.close()
    with load(tmp_path / "x.cassette") as cassette:
        assert (cassette.status, cassette.outcome) == ("open", {"exit_code": 1})


def test_an_old_attempt_to_seal_is_removed(tmp_path: Path) -> None:
    (tmp_path / "x.cassette.sealing").write_text("half")
    recording = begin(tmp_path / "x.cassette")
    recording.seal()
    recording.close()
    assert os.listdir(tmp_path) == ["x.cassette"]


def test_a_file_that_was_replaced_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recording = begin(path)
    path.rename(tmp_path / "moved.cassette")
    with pytest.raises(CassetteMissing):
        recording.seal()
    path.write_text("somebody else's")
    with pytest.raises(CassetteMissing):
        recording.seal()
    recording.close()
    assert path.read_text() == "somebody else's"
    assert load(tmp_path / "moved.cassette").outcome == {}


@pytest.mark.parametrize("bytes_more", [-1, 0])
def test_a_small_recording_only_gets_a_footer(bytes_more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.cassette"
    recording = begin(path)
    add(recording, "answer" * 100)
    recording.end({"exit_code": 0})
    monkeypatch.setattr(sealing, "PACK_FROM", recording.size - bytes_more)
    before = path.read_bytes()
    whole = everything(path)
    file = path.stat().st_ino
    recording.seal(quick=True)
    recording.close()
    in_place = bytes_more < 0
    assert path.read_bytes().startswith(before) == in_place
    assert (path.stat().st_ino == file) == in_place
    assert everything(path) == whole
    assert verify(path).intact
    with Reader.open(path) as reader:
        assert (layout.of(reader.source).footer.digests is None) == in_place
        assert len(reader.digests.ask) == len(reader)


def test_a_small_recording_that_somebody_has_added_to_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "PACK_FROM", 1 << 20)
    path = tmp_path / "x.cassette"
    recording = begin(path)
    recording.end({})
    whole = everything(path)
    with path.open("ab") as file:
        file.write(b"somebody else's")
    recording.seal(quick=True)
    recording.close()
    assert everything(path) == whole
    assert verify(path).intact


def test_a_file_that_was_cut_meanwhile_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recording = begin(path)
    add(recording, 1)
    recording.end({})
    os.truncate(path, 100)
    with pytest.raises(OSError, match="shorter"):
        recording.seal()
    recording.close()
    assert path.stat().st_size == 100
    assert os.listdir(tmp_path) == ["x.cassette"]


def resealed(path: Path, change: Any) -> None:
    """Another footer, with right checksums."""
    source = FileSource(path)
    found = layout.of(source)
    data = path.read_bytes()
    seed = int.from_bytes(data[-16:-12], "big")
    footer = found.footer
    footer.lanes = [(0, "m")]
    footer.sites = [(0, "agent.py", 7, "step")]
    payload = change(footer)
    payload = payload.pack() if isinstance(payload, Footer) else payload
    index, _ = f.encode(f.INDEX, f.NO_EVENT, payload, seed)
    path.write_bytes(data[: found.index_at] + index + trailer(found.index_at, seed))
    source.close()


def more_events(footer: Footer) -> Footer:
    footer.events += 1
    return footer


def other_segments(footer: Footer) -> Footer:
    footer.segments = [Segment(s.offset, s.seed, 0) for s in footer.segments]
    return footer


def moved_segments(footer: Footer) -> Footer:
    footer.stored = [Stored(s.offset + 1, s.size, s.packed) for s in footer.stored]
    return footer


def longer_segments(footer: Footer) -> Footer:
    footer.stored = [*footer.stored[:-1], Stored(footer.stored[-1].offset, 5, False)]
    return footer


def bad_tables(footer: Footer) -> Footer:
    lanes: Any = [("m", 0)]
    footer.lanes = lanes
    return footer


def test_the_same_footer_again_is_right(tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recording = begin(path)
    add(recording, 1)
    recording.seal()
    recording.close()
    resealed(path, lambda footer: footer)  # pyright: ignore[reportUnknownLambdaType]
    assert verify(path).intact


@pytest.mark.parametrize("change", [more_events, other_segments, moved_segments, longer_segments, bad_tables])
def test_a_footer_that_lies(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recording = begin(path)
    for number in range(5):
        add(recording, number)
    recording.seal()
    recording.close()
    resealed(path, change)
    report = verify(path)
    assert (report.intact, report.problem, report.events) == (False, "footer", 5)
    with load(path) as cassette, pytest.raises(CassetteDamaged):
        look_at_all(cassette)


def invented_strays(footer: Footer) -> Footer:
    footer.strays = {0: [1]}
    return footer


def invented_gaps(footer: Footer) -> Footer:
    footer.gaps = [0]
    return footer


@pytest.mark.parametrize("change", [invented_strays, invented_gaps])
def test_a_footer_that_lies_where_no_event_is_lost(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recording = begin(path)
    add(recording, 1)
    recording.seal()
    recording.close()
    resealed(path, change)
    assert verify(path).problem == "footer"
    with load(path) as cassette:
        assert cassette.events[0].response == 1


def look_at_all(cassette: Cassette) -> None:
    print(list(cassette.events), cassette.outcome, list(cassette.reader.frames()))


@pytest.mark.parametrize("payload", [b"\xc0", b"\x80", b"\xc1", b"\x81\xa8segments\x91\x01", b"\x81\xa8segments\x90"])
def test_a_footer_that_is_none_is_ignored(payload: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.cassette"
    recording = begin(path)
    add(recording, "fine")
    recording.seal()
    recording.close()
    resealed(path, lambda _: payload)  # pyright: ignore[reportUnknownLambdaType]
    with load(path) as cassette:
        assert (cassette.status, cassette.events[0].response) == ("torn", "fine")
    assert verify(path).problem == "footer"
