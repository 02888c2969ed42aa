"""Lanes: paths of spawns, current per thread and context."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from typing import Any
from zlib import crc32

import pytest

from replay.boundary import originals
from replay.boundary.door import Call, Door
from replay.boundary.lanes import (
    Lane,
    become,
    carried,
    carrier,
    crossing_call,
    crossing_of,
    current,
    forget_inside,
    nobody,
    step_inside,
    step_out,
)


class Doorman(Door):
    """A door that numbers lanes and lets everything through."""

    def __init__(self) -> None:
        super().__init__(bytes(16))
        self.lanes: list[Lane] = []

    def new_lane(self, path: str) -> Lane:
        self.lanes.append(Lane(path, len(self.lanes), self))
        return self.lanes[-1]

    def cross(self, lane: Lane, call: Call[Any], perform: Callable[[], Any]) -> Any:
        return perform()

    async def across(self, lane: Lane, call: Call[Any], perform: Callable[[], Awaitable[Any]]) -> Any:
        return await perform()

    def pull(self, lane: Lane, call: Call[Any], step: Callable[[], Any], *, closes: bool = False) -> Any:
        return step()

    async def apull(
        self, lane: Lane, call: Call[Any], step: Callable[[], Awaitable[Any]], *, closes: bool = False
    ) -> Any:
        return await step()

    def inbox(self, call: Call[Any], loop: Any, deliver: Callable[[Any], Any]) -> Callable[[Lane, Any], None]:
        raise NotImplementedError

    def emit(self, lane: Lane, call: Call[None], write: Callable[[], None]) -> None:
        write()

    def echo(self, lane: Lane, label: str, text: str) -> None:
        raise AssertionError(text)

    def draw(self, lane: Lane, source: str, real: Callable[[], Any]) -> Any:
        return real()

    def pause(self, lane: Lane, real: Callable[[], None], *, again: bool = False) -> None:
        real()

    def step(self, lane: Lane, mark: int, number: int) -> None:
        raise AssertionError(mark)

    def acquire(self, lane: Lane, real: Callable[[bool, float], bool], blocking: bool, timeout: float) -> bool:
        return real(blocking, timeout)

    def environ(self, lane: Lane, key: str, value: str | None, *, own: bool = False) -> None:
        raise AssertionError(key)

    def blind(self, what: str, detail: str) -> None:
        raise AssertionError(what)


@pytest.fixture
def root() -> Lane:
    return Doorman().new_lane("m")


def test_paths_count_by_kind(root: Lane) -> None:
    first, second = root.spawn("task"), root.spawn("task")
    paths = [first.path, second.path, second.spawn("job").path, root.spawn("thread").path, root.spawn("callback").path]
    assert paths == ["m/t1", "m/t2", "m/t2/e1", "m/T1", "m/c1"]
    assert root.spawn("thread").spawn("finaliser").path == "m/T2/g1"
    with pytest.raises(KeyError):
        root.spawn("fork")


def test_lanes_are_known_by_path_and_not_by_address(root: Lane) -> None:
    lane = root.spawn("task")
    assert (lane.hash, lane.number, lane.door) == (crc32(b"m/t1"), 1, root.door)
    assert repr(lane) == "<lane m/t1>"
    assert [lane.next_timer(), lane.next_timer(), root.next_timer()] == [1, 2, 1]


def test_the_current_lane_is_that_of_the_thread(root: Lane) -> None:
    seen: list[Lane | None] = []
    done = originals.allocate_lock()
    done.acquire()

    def look() -> None:
        seen.append(current())
        done.release()

    become(root)
    try:
        originals.start_thread(look, ())  # `threading` gives lanes to its threads once something was recorded here
        done.acquire()
        in_copy = contextvars.copy_context().run(current)
    finally:
        become(None)
    assert seen == [None]
    assert in_copy is root
    assert current() is None


def test_nobody_and_back(root: Lane) -> None:
    become(root)
    try:
        with nobody():
            assert (current(), carrier.get()) == (None, None)
        with pytest.raises(ValueError, match="x"), nobody():
            raise ValueError("x")
        assert current() is root
        assert carried(contextvars.copy_context()) is root
    finally:
        become(None)
    with nobody():
        assert current() is None
    assert carried(contextvars.copy_context()) is None


def test_inside_a_crossing(root: Lane) -> None:
    """No lane acts there, and contexts made there only remember whose crossing it is, while it lasts."""
    call: Call[None] = Call("http", "GET /", "read")
    become(root)
    try:
        step_inside(root, call)
        inside = contextvars.copy_context()
        assert (current(), carried(inside), crossing_of()) == (None, None, root)
        assert crossing_call() is call
        step_out(root, call)
        assert (current(), crossing_of()) == (root, None)
        assert inside.run(crossing_of) is None, "it is over"
        step_inside(root, call)
        assert inside.run(crossing_of) is root, "another of the same lane: whose it is can't be told"
        forget_inside(root, call)
        assert crossing_of() is None, "it was thrown away"
    finally:
        become(None)


def test_inside_a_tool(root: Lane) -> None:
    """One lane acts there, for all of them, and what it spawns is inside for life."""
    call: Call[None] = Call("tool", "look", "read")
    task = root.spawn("task")
    become(task)
    try:
        step_inside(task, call)
        inner = current()
        assert inner is not None
        assert (inner.path, inner.outer) == ("m/t1/x", task)
        inside = contextvars.copy_context()
        assert carried(inside) is inner
        assert (crossing_of(), crossing_call()) == (None, None)
        thread = inner.spawn("thread")
        assert (thread.path, thread.outer) == ("m/t1/x/T1", task)
        assert (thread.enter().path, thread.enter().outer) == ("m/t1/x/T1/x", task)
        printed: list[str] = []
        inner.unfinished = lambda: printed.append("the rest of a line")
        step_out(task, call)
        assert printed == ["the rest of a line"]
        assert (current(), carrier.get()) == (task, task)
        assert carried(inside) is inner, "what it began goes on inside"
        step_inside(task, call)
        assert current() is inner
        forget_inside(task, call)
    finally:
        become(None)
    assert inner.chance is not task.chance, "whether a body runs makes no difference outside"


def test_streams_of_chance(root: Lane) -> None:
    """Tasks share their thread's stream; threads and jobs have their own, and each execution the same."""
    task, thread, job = root.spawn("task"), root.spawn("thread"), root.spawn("job")
    assert task.chance is root.chance
    again = Doorman().new_lane("m")
    again_task, again_thread, again_job = again.spawn("task"), again.spawn("thread"), again.spawn("job")
    drawn = [lane.chance.random() for lane in (root, task, thread, job)]
    assert drawn == [lane.chance.random() for lane in (again, again_task, again_thread, again_job)]
    assert len(set(drawn)) == 4
