"""Reading events, and finding cassettes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replay.cassette import records
from replay.cassette.cassette import load
from replay.cassette.directory import cassettes, default_directory, resolve
from replay.cassette.reader import Reader
from replay.cassette.revive import unpack_live
from replay.cassette.source import FileSource
from replay.cassette.writer import Writer
from replay.model.errors import CassetteMissing, CassetteUnreadable, UsageError
from replay.model.event import Site
from tests.cassette.recordings import add, begin, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.cassette"


def test_events_are_a_sequence(path: Path) -> None:
    record(path, list(range(10)))
    with load(path) as cassette:
        events = cassette.events
        assert len(events) == 10
        assert events[-1].id == 9
        assert [event.id for event in events[2:8:2]] == [2, 4, 6]
        assert [event.response for event in events] == list(range(10))
        assert events[3] in events
        assert repr(events) == f"<10 events of {path}>"
        assert repr(cassette) == f"<Cassette {path} open, 10 events>"
        for beyond in (10, -11):
            with pytest.raises(IndexError):
                events[beyond]
            with pytest.raises(IndexError):
                cassette.reader.event(beyond)


def test_an_event_in_full(path: Path) -> None:
    writer = begin(path)
    writer.lane(1, "m/t1")
    call = writer.call(1, "llm", "chat", "read", 5, 0, {"n": 1}, b"body", None, {"agent": "a"})
    failed = writer.call(0, "tool", "x", "write", 6, 99, None, None, None, None)
    writer.ret(failed, 9, 1, "an error of another form", False)
    streamed = writer.event(7, "http", "get", "read", 7, None, None, None, None, None, 2, 2, "head")
    writer.chunk(streamed, 7, 10, 0, "a", False)
    writer.chunk(streamed, 7, 11, 1, "broke", False)
    writer.chunk(streamed, 7, 12, 77, "?", False)
    writer.flush()
    with Reader.open(path) as reader:
        event = reader.event(call)
        assert (event.lane, event.kind, event.name, event.effect, event.at) == ("m/t1", "llm", "chat", "read", 5)
        assert (event.took, event.status, event.response, event.error) == (None, "open", None, None)
        assert (event.site, event.request, event.body, event.meta) == (
            Site("agent.py", 7, "step"), {"n": 1}, b"body", {"agent": "a"},
        )  # fmt: skip
        event = reader.event(failed)
        assert event.error is not None
        assert (event.took, event.status, event.error.type, event.error.message, event.site) == (
            3, "failed", "str", "an error of another form", None,
        )  # fmt: skip
        event = reader.event(streamed)
        assert (event.took, event.status, event.response, event.lane) == (2, "streamed", "head", "?7")
        assert [(p.at, p.status, p.value) for p in event.pieces] == [
            (10, "piece", "a"),
            (11, "error", "broke"),
            (12, "piece", "?"),
        ]
    writer.close()


def test_records_can_be_decoded_live(path: Path) -> None:
    writer = begin(path)
    add(writer, ValueError("no"))
    writer.flush()
    with Reader.open(path) as reader:
        payload = reader.frames_of(0)[0][2]
    assert repr(records.whole(payload, unpack_live).value) == "ValueError('no')"
    writer.close()


def test_a_growing_file_is_read_as_it_was_when_opened(path: Path) -> None:
    writer = begin(path)
    add(writer, 1)
    writer.flush()
    with Reader.open(path) as early:
        add(writer, 2)
        writer.flush()
        assert [early.event(i).response for i in range(len(early))] == [1]
    writer.close()


def test_a_file_that_shrinks_while_it_is_read(path: Path) -> None:
    record(path, ["x" * 1000] * 5)
    source = FileSource(path)
    os.truncate(path, 50)
    assert len(source.read_at(0, 4000)) == 50
    source.close()
    with pytest.raises(CassetteUnreadable):
        source.read_at(0, 10)
    source.close()


def test_a_call_of_kind_gap_is_a_gap(path: Path) -> None:
    writer = begin(path)
    gap = writer.call(0, "gap", "http", "read", 1, None, None, None, None, None)
    writer.flush()
    with load(path) as cassette:  # before there is a footer
        assert [event.id for event in cassette.gaps] == [gap]
    writer.seal()
    writer.close()
    with load(path) as cassette:
        assert [event.id for event in cassette.gaps] == [gap]
        assert cassette.reader.signatures == []


def test_a_large_frame(path: Path) -> None:
    record(path, ["small", "x" * 500_000, "small"])
    with load(path) as cassette:
        assert [len(event.response) for event in cassette.events] == [5, 500_000, 5]


def test_reading_takes_any_source(path: Path) -> None:
    record(path, [1, 2])
    data = path.read_bytes()

    class Memory:
        name = "memory"
        size = len(data)

        def read_at(self, offset: int, count: int) -> bytes:
            return data[offset : offset + count]

        def close(self) -> None:
            pass

    with Reader.open(Memory()) as reader:
        assert reader.event(-1).response == 2


def named(folder: Path, name: str, id_: str, age: int) -> Path:
    path = folder / f"{name}.cassette"
    Writer.create(path, {"id": id_}).close()
    os.utime(path, (1000 - age, 1000 - age))
    return path


def test_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = named(tmp_path, "checkout-1", "01AAA", 30)
    new = named(tmp_path, "refund", "01BBB", 10)
    named(tmp_path, "checkout-2", "01CCC", 20)
    (tmp_path / "broken.cassette").write_text("")
    os.utime(tmp_path / "broken.cassette", (1, 1))
    assert resolve(new) == new
    assert resolve(str(old), tmp_path) == old
    assert resolve("latest", tmp_path) == new
    assert resolve("refund", tmp_path) == resolve("refund.cassette", tmp_path) == resolve("ref", tmp_path) == new
    assert resolve("01b", tmp_path) == new
    with pytest.raises(UsageError, match=r"checkout-1.*checkout-2"):
        resolve("checkout", tmp_path)
    with pytest.raises(CassetteMissing, match="did you mean refund"):
        resolve("refnud", tmp_path)
    with pytest.raises(CassetteMissing, match="replay ls"):
        resolve("zzzzzzzz", tmp_path)
    with pytest.raises(CassetteMissing, match="replay ls"):
        resolve("", tmp_path)
    monkeypatch.setenv("REPLAY_DIR", str(tmp_path))
    assert resolve("latest") == new
    assert len(cassettes()) == 4
    monkeypatch.setenv("REPLAY_DIR", "")
    assert default_directory() == Path(".replay")


def test_resolve_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissing, match="record one"):
        resolve("latest", tmp_path / "none")
    (tmp_path / "gone.cassette").symlink_to("nowhere")
    assert cassettes(tmp_path) == []
