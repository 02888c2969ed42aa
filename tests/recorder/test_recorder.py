"""The Recorder over a real writer and a real file: what stands there, in which order, and what is said if it can't."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import subprocess
import sys
import threading
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replay.boundary import originals
from replay.boundary.door import Call
from replay.boundary.lanes import Lane, become, current, nobody
from replay.boundary.schedule import CALLBACK, STEP
from replay.cassette.digests import Making
from replay.cassette.reader import Reader
from replay.cassette.redact import Redactor
from replay.cassette.writer import Writer
from replay.model.event import Event
from replay.player.frames import decoded
from replay.player.tape import CALL, CHUNK, EVENT, RETURN, TRACK
from replay.recorder.recorder import Recorder
from replay.runtime import ambient


class Kit:
    """A recorder on a file of its own, and its first lane."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.writer = Writer.create(path, {"random_seed": bytes(16)})
        self.door = Recorder(self.writer, seed=bytes(16), redactor=Redactor(bytes(16)), warn=self.warnings.append)
        self.lane = self.door.new_lane("m")
        become(self.lane)

    def cross(self, call: Call[Any], perform: Any) -> Any:
        return self.door.cross(self.lane, call, perform)

    def frames(self) -> list[tuple[int, int, Any]]:
        """What of it is in the file by now: calls, outcomes, pieces, tracks."""
        with nobody(), Reader.open(self.path) as reader:
            return [frame for frame in decoded(reader) if frame[0] in (CALL, RETURN, EVENT, CHUNK, TRACK)]

    def words(self) -> list[str]:
        names = {CALL: "call", RETURN: "return", EVENT: "event", CHUNK: "chunk", TRACK: "track"}
        return [names[type_] for type_, _, _ in self.frames()]

    def events(self) -> list[Event]:
        with nobody(), Reader.open(self.path) as reader:
            return [reader.event(number) for number in range(len(reader))]

    def finish(self, *, seal: bool = False) -> dict[str, Any]:
        become(None)
        self.door.finish({"exception": None}, seal=seal)
        with Reader.open(self.path) as reader:
            assert reader.outcome is not None
            return dict(reader.outcome)


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    made = Kit(tmp_path / "x.cassette")
    yield made
    become(None)
    made.writer.close()


def tool(name: str = "add", request: Any = None, effect: Any = "write", **more: Any) -> Call[Any]:
    return Call("tool", name, effect, request, **more)


def test_call_before_return_after(kit: Kit) -> None:
    seen: list[list[str]] = []

    def perform() -> int:
        seen.append(kit.words())
        return 3

    call = tool(request=[1, 2])
    assert kit.cross(call, perform) == 3
    assert seen == [["call"]], "what changes the world is in the file before it happens"
    assert kit.words() == ["call", "return"], "the outcome is in the file before the program has it"
    (event,) = kit.events()
    assert (event.id, call.event, event.request, event.response, event.status) == (0, 0, [1, 2], 3, "done")
    assert event.site is not None
    assert event.site.file == __file__


def test_a_read_that_nothing_interrupts_is_one_frame(kit: Kit) -> None:
    assert kit.cross(tool(effect="read", request="q"), lambda: "a") == "a"
    assert kit.words() == ["event"]
    kit.cross(tool(effect="read", request="q"), lambda: kit.door.step(kit.lane, STEP, 0))
    assert kit.words() == ["event", "call", "track", "return"], "one that something interrupts is two"
    assert [event.status for event in kit.events()] == ["done", "done"]


def test_a_request_is_what_it_was_before_the_call(kit: Kit) -> None:
    """Whatever the tool does to its arguments."""
    for effect in ("read", "write"):
        request = {"items": [1]}
        kit.cross(tool(request=request, effect=effect), functools.partial(request["items"].append, 2))
    assert [event.request for event in kit.events()] == [{"items": [1]}] * 2


def test_exceptions_are_outcomes(kit: Kit) -> None:
    for effect, error in (("write", ValueError("no")), ("read", KeyError("k")), ("write", KeyboardInterrupt())):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            kit.cross(tool(effect=effect), fail)
    assert [event.status for event in kit.events()] == ["failed"] * 3
    assert [event.error.type for event in kit.events() if event.error] == [
        "builtins.ValueError",
        "builtins.KeyError",
        "builtins.KeyboardInterrupt",
    ]
    assert current() is kit.lane, "the lane acts again"


def test_inside_a_crossing_there_is_no_lane(kit: Kit) -> None:
    assert kit.cross(Call("http", "GET /", "read"), current) is None
    assert current() is kit.lane


def test_inside_a_tool_its_inner_lane_acts(kit: Kit) -> None:
    """One for all the tools of a lane; a tool in a tool has its own."""

    def outer() -> tuple[Lane | None, Lane | None]:
        inner = current()
        assert inner is not None
        return inner, inner.door.cross(inner, tool("deeper"), current)

    def paths(lanes: tuple[Lane, ...]) -> list[str]:
        return [lane.path for lane in lanes]

    call = tool(dump=paths)
    lanes = kit.cross(call, outer)
    assert [lane.path for lane in lanes] == ["m/x", "m/x/x"]
    assert [lane.outer for lane in lanes] == [kit.lane, kit.lane]
    assert kit.cross(call, outer) == lanes
    assert current() is kit.lane
    first, second = kit.events()[:2]
    assert (first.name, first.lane, first.response) == ("add", "m", ["m/x", "m/x/x"])
    assert (second.name, second.lane) == ("deeper", "m/x")


def test_what_happens_inside_stands_between_call_and_outcome(kit: Kit) -> None:
    """Of a read, too, which is one frame otherwise."""

    def body() -> str:
        kit.door.step(kit.lane.enter(), STEP, 0)
        kit.door.blind("native call", "of a body")
        return "a"

    assert kit.cross(tool(effect="read", request="q"), body) == "a"
    assert kit.words() == ["call", "track", "return"]
    assert kit.door.blind_spots() == [], "the answer tells what came of it"


def test_order_of_schedule_draws_and_crossings(kit: Kit) -> None:
    other = kit.lane.spawn("task")
    kit.door.step(other, STEP, 0)
    kit.cross(tool("one"), lambda: kit.door.step(other, CALLBACK, 0))
    kit.door.step(kit.lane, STEP, 0)
    kit.finish()
    tracks = [payload for type_, _, payload in kit.frames() if type_ == TRACK]
    assert kit.words() == ["track", "call", "track", "return", "track"]
    assert tracks == [[STEP, 1, 0], [CALLBACK, 1, 0], [STEP, 0, 0]]


def read(kit: Kit, source: str, value: object) -> object:
    """Two frames below its reader, as `ambient` asks."""
    return kit.door.draw(kit.lane, source, lambda: value)


def test_draws_of_the_program_gather_in_events(kit: Kit) -> None:
    def reader(source: str, value: object) -> object:
        return read(kit, source, value)

    for number in range(3):
        assert reader("time.time", number) == number
    reader("time.monotonic", 9)
    reader("os.urandom", b"x")
    kit.cross(tool(), lambda: None)
    reader("time.time", 10)
    kit.finish()
    clocks = [(e.kind, e.name, e.request, e.response) for e in kit.events() if e.effect == "draw"]
    assert clocks == [
        ("clock", "clock", ["time.time"] * 3 + ["time.monotonic"], [0, 1, 2, 9]),
        ("entropy", "os.urandom", ["os.urandom"], [b"x"]),
        ("clock", "time.time", ["time.time"], [10]),
    ]
    first = next(event for event in kit.events() if event.effect == "draw")
    assert first.site is not None
    assert first.site.file == __file__


def test_draws_of_lanes_and_libraries_stay_apart(kit: Kit) -> None:
    ambient.install()
    lane, other = kit.lane, kit.lane.spawn("task")
    for each in (lane, other, other):
        become(each)
        os.urandom(2)
    become(lane)
    uuid.uuid4()
    kit.finish()
    assert [(event.lane, len(event.response)) for event in kit.events()] == [("m", 1), ("m/t1", 2)]
    (track,) = [payload for type_, _, payload in kit.frames() if type_ == TRACK]
    assert (track[1], len(track[3])) == (0, 16), "uuid is a library"


def test_the_log_is_bounded(kit: Kit) -> None:
    for _ in range(5000):
        kit.door.step(kit.lane, STEP, 0)
    (track,) = [payload for type_, _, payload in kit.frames() if type_ == TRACK]
    assert len(track) > 3 * 4000, "written while the program makes no crossing at all"
    kit.finish()
    assert sum(len(payload) for type_, _, payload in kit.frames() if type_ == TRACK) == 3 * 5000


def test_streams(kit: Kit) -> None:
    call = tool("pieces", streams=True, dump=nothing)
    source = kit.cross(call, lambda: iter([1, 2]))
    taken: list[object] = []
    for _ in range(2):
        taken.append(kit.door.pull(kit.lane, call, lambda: next(source)))
        assert kit.words()[-1] == "chunk", "a piece is in the file before the program has it"
    with pytest.raises(StopIteration):
        kit.door.pull(kit.lane, call, lambda: next(source))

    def fail() -> None:
        raise OSError("cut")

    with pytest.raises(OSError, match="cut"):
        kit.door.pull(kit.lane, call, fail)
    (event,) = kit.events()
    assert (taken, event.status) == ([1, 2], "streamed")
    assert [(piece.status, piece.value) for piece in event.pieces][:3] == [("piece", 1), ("piece", 2), ("end", None)]
    assert event.pieces[3].status == "error"


def test_asynchronous_crossings_note_whether_they_gave_way(kit: Kit) -> None:
    async def quick() -> int:
        return 1

    async def slow() -> int:
        await asyncio.sleep(0)
        return 2

    async def fail() -> int:
        await asyncio.sleep(0)
        raise ValueError("x")

    async def main() -> None:
        become(kit.lane)
        assert await kit.door.across(kit.lane, tool(), quick) == 1
        assert await kit.door.across(kit.lane, tool(effect="read"), slow) == 2
        with pytest.raises(ValueError, match="x"):
            await kit.door.across(kit.lane, tool(), fail)
        stream = tool(streams=True, dump=nothing)
        await kit.door.across(kit.lane, stream, quick)
        assert await kit.door.apull(kit.lane, stream, slow) == 2

        async def end() -> int:
            raise StopAsyncIteration

        with pytest.raises(StopAsyncIteration):
            await kit.door.apull(kit.lane, stream, end)
        thrown_away = kit.door.across(kit.lane, tool("left"), slow)
        asyncio.get_running_loop().call_soon(lambda: None)
        thrown_away.send(None)
        thrown_away.close()
        become(None)

    with nobody():  # loops cross something themselves
        asyncio.run(main())
    outcomes = [payload[-1] for type_, _, payload in kit.frames() if type_ in (RETURN, CHUNK)]
    assert outcomes == [False, True, True, False, True, False]
    assert kit.events()[-1].status == "open", "nobody ever heard of an outcome"
    assert kit.lane.inside.depth == 0


def nothing(_: object) -> None:
    """Dumps the head of a stream."""


class Opaque:
    """Nothing can store it."""


def test_a_request_that_cannot_be_stored_is_a_gap(kit: Kit) -> None:
    for effect in ("read", "write"):
        assert kit.cross(tool(request=[Opaque()], effect=effect), lambda: 5) == 5
    assert kit.cross(tool(request="plain"), lambda: 6) == 6
    found = kit.events()
    assert [(event.kind, event.name, event.request["kind"]) for event in found[:2]] == [("gap", "add", "tool")] * 2
    assert "Opaque" in found[0].request["reason"]
    assert found[2].response == 6
    assert len(kit.warnings) == 1, "said once"
    assert "not recorded, add" in kit.warnings[0]
    assert kit.finish()["gaps"] == 2


def test_an_outcome_that_cannot_be_stored_is_a_gap(kit: Kit) -> None:
    """The event stays, with the reason; the program gets what it would have got."""

    def broken_dump(_: object) -> object:
        raise RuntimeError("in dump")

    for effect in ("read", "write"):
        assert isinstance(kit.cross(tool(effect=effect), Opaque), Opaque)
        assert kit.cross(tool(effect=effect, dump=broken_dump), lambda: 7) == 7
    reasons = [unpack_reason(payload) for type_, _, payload in kit.frames() if type_ == RETURN]
    assert ["Opaque" in reason or reason == "in dump" for reason in reasons] == [True] * 4
    assert kit.finish()["gaps"] == 4


def unpack_reason(payload: Any) -> str:
    _, status, value, _ = payload
    assert status == 1
    return str(value["gap"])


def test_a_piece_that_cannot_be_stored_is_counted(kit: Kit) -> None:
    call = tool(streams=True, dump=nothing)
    kit.cross(call, lambda: None)
    assert isinstance(kit.door.pull(kit.lane, call, Opaque), Opaque)
    assert kit.door.gaps == 1
    assert len(kit.warnings) == 1


def test_secrets_are_replaced_before_they_are_written(kit: Kit) -> None:
    request = {"method": "GET", "url": "https://x/?api_key=s3cret", "headers": [["Authorization", "Bearer s3cret"]]}
    response = {"status": 200, "headers": [["Set-Cookie", "session=s3cret"]]}
    kit.cross(Call("http", "GET /", "read", request), lambda: response)
    kit.door.environ(kit.lane, "MY_TOKEN", "s3cret")
    kit.finish(seal=True)
    assert b"s3cret" not in kit.path.read_bytes()
    assert request["headers"] == [["Authorization", "Bearer s3cret"]], "the program's own is untouched"


def test_environment_variables_once_each(kit: Kit) -> None:
    for value in ("a", "b"):
        kit.door.environ(kit.lane, "NAME", value)
    kit.door.environ(kit.lane, "UNSET", None)
    kit.door.environ(kit.lane, "OWN", None, own=True)
    kit.door.environ(kit.lane, "OWN", "mine")
    assert kit.finish()["gaps"] == 0
    assert [(event.name, event.response) for event in kit.events()] == [("NAME", "a"), ("UNSET", None)]


def test_blind_spots_are_counted_by_place(kit: Kit) -> None:
    for _ in range(3):
        kit.door.blind("process", "subprocess git")
    kit.door.blind("process", "subprocess ls")
    assert sorted(kit.door.blind_spots()) == [("process", "subprocess git", 3), ("process", "subprocess ls", 1)]
    kit.finish(seal=True)
    with Reader.open(kit.path) as reader:
        spots = reader.blind_spots
    assert sorted((spot.detail, spot.count) for spot in spots) == [("subprocess git", 3), ("subprocess ls", 1)]
    assert {spot.site.file for spot in spots if spot.site} == {__file__}


def test_after_the_end_nothing_is_written(kit: Kit) -> None:
    kit.cross(tool(), lambda: 1)
    assert kit.finish(seal=True)["gaps"] == 0
    size = kit.path.stat().st_size
    become(kit.lane)
    assert kit.cross(tool(), lambda: 2) == 2
    assert kit.cross(tool(effect="read"), lambda: 3) == 3
    for _ in range(5000):
        kit.door.step(kit.lane, STEP, 0)
    kit.door.blind("process", "late")
    kit.door.environ(kit.lane, "LATE", "x")
    assert kit.door.new_lane("m/T9").path == "m/T9"
    kit.door.finish({}, seal=True)
    assert kit.path.stat().st_size == size
    assert kit.warnings == []


def ended(path: Path) -> list[weakref.ref[Any]]:
    kit = Kit(path)
    kit.cross(tool("outer"), lambda: kit.door.cross(current() or kit.lane, tool("inner"), lambda: 1))
    kit.cross(tool("read", 1, "read"), lambda: 2)
    kit.finish(seal=True)
    return [weakref.ref(kit.door), weakref.ref(kit.writer), weakref.ref(kit.lane)]


def test_an_ended_recording_leaves_nothing_for_the_garbage_collector(tmp_path: Path) -> None:
    gc.disable()
    try:
        assert [each() for each in ended(tmp_path / "x.cassette")] == [None, None, None]
    finally:
        gc.enable()


def test_digests_that_cannot_be_made_are_said_once(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(Making, "done", fails)
    kit.cross(tool(), lambda: "much " * 5000)
    kit.finish(seal=True)
    assert len(kit.warnings) == 1
    assert "sealed without digests: ValueError: a bug of ours" in kit.warnings[0]
    with Reader.open(kit.path) as reader:
        assert reader.status == "sealed"


def test_a_child_after_a_fork_leaves_the_file_alone(kit: Kit) -> None:
    kit.cross(tool("before"), lambda: None)
    child = os.fork()
    if child == 0:
        kit.door.detach()
        kit.cross(tool("child"), lambda: None)
        kit.door.finish({}, seal=False)
        os._exit(0)
    with nobody():
        assert os.waitpid(child, 0)[1] == 0
    kit.cross(tool("after"), lambda: None)
    assert [event.name for event in kit.events()] == ["before", "after"]


def test_threads_write_whole_frames(kit: Kit) -> None:
    lanes = [kit.lane.spawn("thread") for _ in range(6)]

    def run(lane: Lane) -> None:
        become(lane)
        for number in range(60):
            effect = "read" if number % 2 else "write"
            kit.door.cross(lane, tool(lane.path, number, effect), functools.partial(int.__neg__, number))
            kit.door.step(lane, STEP, number)
        become(None)

    threads = [threading.Thread(target=run, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kit.finish(seal=True)["gaps"] == 0
    for lane in lanes:
        mine = [(event.request, event.response) for event in kit.events() if event.lane == lane.path]
        assert mine == [(number, -number) for number in range(60)]


_FULL = """
import resource, sys, signal
from replay.boundary.door import Call
from replay.boundary.lanes import become
from replay.recorder.start import start_recorder
sys.dont_write_bytecode = True  # else a module imported under the limit is left cut off, for all programs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
recorder = start_recorder(sys.argv[1], {}, bytes(16))
lane = recorder.new_lane("m")
become(lane)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
print(sum(recorder.cross(lane, Call("tool", "t", sys.argv[2], "x" * 100), lambda: 1) for _ in range(500)))
become(None)
recorder.finish({}, seal=True)
print(recorder.gaps > 0)
"""


@pytest.mark.parametrize("effect", ["read", "write"])
def test_a_full_disk_stops_the_recording_and_not_the_program(tmp_path: Path, effect: str) -> None:
    path = tmp_path / "full.cassette"
    command = [sys.executable, "-c", _FULL, str(path), effect]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "500\nTrue\n"), done.stderr
    assert done.stderr.count("\n") == 1
    assert "the recording waits: File too large; in memory, up to 8 MB" in done.stderr
    with Reader.open(path) as reader:
        assert len(reader) > 50
        assert reader.event(-1).request == {"kind": "recording", "reason": "the recording stopped here: File too large"}
        assert reader.event(3).request == "x" * 100


def test_the_clock_of_a_recording_starts_at_zero(kit: Kit) -> None:
    kit.cross(tool(), originals.clock_ns)
    (event,) = kit.events()
    assert event.took is not None
    assert 0 <= event.at < 60_000_000
    assert 0 <= event.took < 60_000_000
