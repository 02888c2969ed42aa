"""Events without the bodies that would have to be put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from replay.cassette.cassette import load
from replay.cassette.repeats import LINKS
from replay.cassette.writer import Writer
from replay.model.event import LEFT_OUT

TEXT = b"All that was said before. " * 200


def recorded(path: Path) -> Path:
    """Bodies as they are and as differences, of whole events and of calls; a kind that is long, a lane that is high."""
    writer = Writer.create(path, {})
    for lane in (0, 200):
        writer.lane(lane, f"m/t{lane}")
        for n in range(2):
            body = TEXT + str(n).encode()
            writer.event(lane, "http", "POST", "write", n, None, {}, body, lane, None, 1, 0, "ok")
            called = writer.call(lane, "http", "POST", "write", n, None, {}, body + b"!", lane, None)
            writer.ret(called, 5, 0, "ok", False)
        writer.event(lane, "k" * 40, "look", "read", 9, None, [1], None, None, {"owner": "ana"}, 1, 1, ValueError("no"))
        writer.event(lane, "tool", "look", "read", 9, None, [1], b"short", None, None, 1, 2, None)
    writer.end({})
    writer.seal()
    writer.close()
    return path


def test_light_events_lack_bodies_that_are_differences_and_nothing_else(tmp_path: Path) -> None:
    with load(recorded(tmp_path / "x.cassette")) as cassette:
        light, whole = list(cassette.events.light()), list(cassette.events)
    left_out = [each.id for each in light if each.body is LEFT_OUT]
    assert left_out == [1, 2, 3, 7, 8, 9]
    assert [each.body for each in light if each.id in (0, 5, 6)] == [TEXT + b"0", b"short", TEXT + b"0"]
    bare = [replace(each, body=None) if each.id in left_out else each for each in whole]
    assert [replace(each, body=None) if each.id in left_out else each for each in light] == bare


def test_kinds_are_chosen_also_where_they_have_to_be_unpacked(tmp_path: Path) -> None:
    with load(recorded(tmp_path / "x.cassette")) as cassette:
        assert [each.id for each in cassette.events.light("tool")] == [5, 11]
        long = [each.id for each in cassette.events.light("k" * 40)]
        part = [each.id for each in cassette.events[:6].light("tool", "http")]
    assert long == [4, 10]
    assert part == [0, 1, 2, 3, 5]


def test_a_kind_may_be_what_no_text_can_have(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "x.cassette", {})
    writer.lane(0, "m")
    writer.event(0, "\ud800" * 40, "look", "read", 9, None, [], None, None, None, 1, 0, None)
    writer.event(0, "memory", "look", "read", 9, None, [], None, None, None, 1, 0, None)
    writer.end({})
    writer.close()
    with load(tmp_path / "x.cassette") as cassette:
        assert [each.id for each in cassette.events.light("memory")] == [1]


def test_a_body_of_a_long_run_is_made_of_so_many_differences_at_most(tmp_path: Path) -> None:
    writer = Writer.create(tmp_path / "x.cassette", {})
    writer.lane(0, "m")
    for n in range(2 * LINKS + 10):
        writer.event(0, "http", "POST", "write", n, None, {}, TEXT + str(n).encode(), "one", None, 1, 0, None)
    writer.end({})
    writer.close()
    with load(tmp_path / "x.cassette") as cassette:
        light = list(cassette.events.light())
        assert [each.id for each in light if each.body is not LEFT_OUT] == [0, LINKS + 1, 2 * LINKS + 2]
        assert cassette.events[-1].body == TEXT + str(2 * LINKS + 9).encode()
